// SPDX-License-Identifier: Apache-2.0
// Tests the exports and cuGetProcAddress for every function of data/cuda_driver.tsv.
#include <algorithm>
#include <set>
#include <tuple>

#include "simgpu/cuda_abi.hpp"
#include "simgpu/simgpu_testing.hpp"

namespace cudafault::sim {
namespace {

constexpr int kNewest = 99000;

void* library() {
    static void* const handle = testing::open_library(SIM_LIBRARY);
    return handle;
}

const std::vector<testing::Row>& rows() {
    static const std::vector<testing::Row> all = testing::read_tsv(SIM_DATA "/cuda_driver.tsv");
    return all;
}

struct LookUpResult {
    Result result;
    void* function;
    int status;
};

LookUpResult look_up(const char* symbol, int version, uint64_t flags) {
    LookUpResult found{kSuccess, &found, -1};
    found.result =
        testing::call<Result>(library(), "cuGetProcAddress_v2", symbol, &found.function, version, flags, &found.status);
    return found;
}

TEST(Exports, AreCompleteAndHaveDistinctAddresses) {
    std::set<void*> addresses;
    for (const testing::Row& row : rows()) {
        void* address = dlsym(library(), row.at("export").c_str());
        EXPECT_TRUE(address) << row.at("export");
        EXPECT_TRUE(addresses.insert(address).second)
            << row.at("export") << " has the same address as another function";
    }
    EXPECT_GT(rows().size(), 600u);
}

TEST(Exports, StubsReturnNotSupportedAfterInitialization) {
    for (const char* name : {"cuTexRefCreate", "cuGreenCtxCreate"}) {
        EXPECT_EQ(testing::call<int>(library(), name), kNotInitialized);
    }
    ASSERT_EQ(testing::call<int>(library(), "cuInit", 0u), kSuccess);
    for (const char* name : {"cuTexRefCreate", "cuGreenCtxCreate"}) {
        EXPECT_EQ(testing::call<int>(library(), name), kNotSupported);
    }
}

TEST(ProcAddress, ReturnsTheExportOfEverySymbolVersionAndMode) {
    for (const testing::Row& row : rows()) {
        if (row.at("version") == "-") continue;
        const uint64_t flags = row.at("mode") == "per_thread" ? 2 : 1;
        const LookUpResult found = look_up(row.at("symbol").c_str(), std::stoi(row.at("version")), flags);
        EXPECT_EQ(found.result, kSuccess) << row.at("export");
        EXPECT_EQ(found.status, 0) << row.at("export");
        EXPECT_EQ(found.function, dlsym(library(), row.at("export").c_str())) << row.at("export");
    }
}

TEST(ProcAddress, ReturnsTheNewestVariantOfTheVersion) {
    void* newest = dlsym(library(), "cuMemAlloc_v2");
    EXPECT_EQ(look_up("cuMemAlloc", 3020, 0).function, newest);
    EXPECT_EQ(look_up("cuMemAlloc", 12000, 0).function, newest);
    EXPECT_EQ(look_up("cuMemAlloc", 3019, 0).function, dlsym(library(), "cuMemAlloc"));
    EXPECT_EQ(look_up("cuGraphInstantiate", kNewest, 0).function, dlsym(library(), "cuGraphInstantiateWithFlags"));
    EXPECT_EQ(look_up("cuGetProcAddress", 12000, 0).function, dlsym(library(), "cuGetProcAddress_v2"));
    EXPECT_EQ(look_up("cuGetProcAddress", 11030, 0).function, dlsym(library(), "cuGetProcAddress"));
}

TEST(ProcAddress, ReturnsPerThreadVariantsOnRequestOnly) {
    void* legacy = dlsym(library(), "cuStreamSynchronize");
    EXPECT_EQ(look_up("cuStreamSynchronize", kNewest, 0).function, legacy);
    EXPECT_EQ(look_up("cuStreamSynchronize", kNewest, 1).function, legacy);
    EXPECT_EQ(look_up("cuStreamSynchronize", kNewest, 2).function, dlsym(library(), "cuStreamSynchronize_ptsz"));
    EXPECT_EQ(look_up("cuStreamSynchronize", 3000, 2).function, legacy)
        << "the per-thread variant is newer than this version";
    EXPECT_EQ(look_up("cuInit", kNewest, 2).function, dlsym(library(), "cuInit"))
        << "cuInit does not have a per-thread variant";
}

TEST(ProcAddress, DistinguishesUnknownNamesFromOldVersions) {
    for (const char* unknown : {"", "cuNoSuchFunction", "cuMemAlloc_v2", "malloc"}) {
        const LookUpResult found = look_up(unknown, kNewest, 0);
        EXPECT_EQ(found.result, kSuccess) << unknown;
        EXPECT_EQ(found.function, nullptr) << unknown;
        EXPECT_EQ(found.status, 1) << unknown;
    }
    const LookUpResult old = look_up("cuMemAllocAsync", 11000, 0);
    EXPECT_EQ(old.result, kSuccess);
    EXPECT_EQ(old.function, nullptr);
    EXPECT_EQ(old.status, 2);
}

TEST(ProcAddress, FirstVersionFailsForUnknownSymbols) {
    const auto look_up_with_v1 = [](const char* symbol, void** function) {
        return testing::call<Result>(library(), "cuGetProcAddress", symbol, function, kNewest, uint64_t{0});
    };
    void* function = nullptr;
    EXPECT_EQ(look_up_with_v1("cuInit", &function), kSuccess);
    EXPECT_EQ(function, dlsym(library(), "cuInit"));
    EXPECT_EQ(look_up_with_v1("cuNoSuchFunction", &function), kNotFound);
    EXPECT_EQ(function, nullptr);
}

TEST(ProcAddress, RejectsInvalidArguments) {
    void* function = nullptr;
    int status = 0;
    const char *none = nullptr, *symbol = "cuInit";
    void** nowhere = nullptr;
    const auto call = [&](const char* name, void** out, uint64_t flags) {
        return testing::call<Result>(library(), "cuGetProcAddress_v2", name, out, kNewest, flags, &status);
    };
    EXPECT_EQ(call(none, &function, 0), kInvalidValue);
    EXPECT_EQ(call(symbol, nowhere, 0), kInvalidValue);
    EXPECT_EQ(call(symbol, &function, 8), kInvalidValue);
}

}  // namespace
}  // namespace cudafault::sim
