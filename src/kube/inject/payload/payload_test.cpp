// SPDX-License-Identifier: Apache-2.0
#include "kube/inject/payload/payload.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cudafault::kube {
namespace {

constexpr size_t kConfigMapLimit = 1 << 20;
constexpr int kMachine = 18;  // offset of e_machine

TEST(Payload, HasALibraryForEachArchitecture) {
    for (const auto& [architecture, machine] : {std::pair{Architecture::kX86_64, 62}, {Architecture::kAarch64, 183}}) {
        const std::string_view library = library_for(architecture);
        ASSERT_GT(library.size(), 100'000u) << kubernetes_name(architecture);
        EXPECT_LT(library.size(), kConfigMapLimit);
        EXPECT_EQ(library.substr(0, 4),
                  "\x7f"
                  "ELF");
        EXPECT_EQ(static_cast<unsigned char>(library[kMachine]), machine);
    }
}

TEST(Payload, NamesArchitecturesAsKubernetesDoes) {
    EXPECT_STREQ(kubernetes_name(Architecture::kX86_64), "amd64");
    EXPECT_STREQ(kubernetes_name(Architecture::kAarch64), "arm64");
}

TEST(Payload, HasTheSourceWithItsCompileCommands) {
    EXPECT_LT(one_file_source().size(), kConfigMapLimit);
    const std::string commands = compile_commands("/source/x.cpp", "/out/x.so");
    EXPECT_THAT(commands, testing::HasSubstr("g++ "));
    EXPECT_THAT(commands, testing::HasSubstr("-o /out/x.so /source/x.cpp"));
    EXPECT_THAT(commands, testing::Not(testing::HasSubstr("THIS_FILE")));
}

}  // namespace
}  // namespace cudafault::kube
