// SPDX-License-Identifier: Apache-2.0
#include "catalog/situation.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "catalog/catalog.hpp"

namespace cudafault::catalog {
namespace {

std::string refusal_of(unsigned xid, const Situation& situation) {
    try {
        check_situation(*find_entry(xid), situation);
    } catch (const UnknownSituation& unknown) {
        return unknown.what();
    }
    return "(known)";
}

TEST(Situation, CodeDependsOnTheCudaVersion) {
    const Observation& running = find_entry(94)->running;
    EXPECT_EQ(code_at(running, "11.8")->number, 214);
    EXPECT_EQ(code_at(running, "12.6")->number, 214);
    EXPECT_EQ(code_at(running, "12.8")->number, 226);
    EXPECT_EQ(code_at(running, "13.5")->number, 226);
    EXPECT_EQ(code_at(find_entry(94)->fresh, "13.5"), nullptr);
}

TEST(Situation, UnknownVersionsAndModelsAreRefusedWithTheNearest) {
    EXPECT_EQ(refusal_of(94, {"12.4", "H100", false}), "(known)");
    EXPECT_EQ(refusal_of(94, {"12.7", "H100", false}), "unknown CUDA version \"12.7\": the nearest known is 12.6");
    EXPECT_EQ(refusal_of(94, {"14.0", "H100", false}), "unknown CUDA version \"14.0\": the nearest known is 13.5");
    EXPECT_THAT(refusal_of(94, {"12.4", "H800", false}), testing::EndsWith("the nearest is H100"));
}

TEST(Situation, GpuWithoutTheFeatureIsRefused) {
    EXPECT_EQ(refusal_of(94, {"12.4", "L4", false}),
              "XID 94 does not occur on L4: it needs error containment, which this GPU does not have");
    EXPECT_EQ(refusal_of(74, {"12.4", "T4", false}),
              "XID 74 does not occur on T4: it needs NVLink up to version 4, which this GPU does not have");
}

}  // namespace
}  // namespace cudafault::catalog
