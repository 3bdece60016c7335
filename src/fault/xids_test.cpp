// SPDX-License-Identifier: Apache-2.0
// Tests the XIDs, their codes under model=simple, and the error names.
#include "fault/xids.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

namespace cudafault {
namespace {

TEST(Xids, HaveTheirSimpleModelCodes) {
    const std::map<uint32_t, std::pair<int, std::string>> expected = {
        {79, {100, "CUDA_ERROR_NO_DEVICE"}},         {48, {214, "CUDA_ERROR_ECC_UNCORRECTABLE"}},
        {94, {214, "CUDA_ERROR_ECC_UNCORRECTABLE"}}, {95, {999, "CUDA_ERROR_UNKNOWN"}},
        {43, {702, "CUDA_ERROR_LAUNCH_TIMEOUT"}},    {74, {217, "CUDA_ERROR_PEER_ACCESS_UNSUPPORTED"}}};
    for (const auto& [number, code] : expected) {
        const Xid* xid = find_xid(number);
        ASSERT_NE(xid, nullptr) << number;
        EXPECT_EQ(xid->simple_code, code.first) << number;
        EXPECT_EQ(xid->simple_name, code.second) << number;
        const ErrorName* error = find_error(xid->simple_name);
        ASSERT_NE(error, nullptr) << xid->simple_name;
        EXPECT_EQ(error->code, xid->simple_code) << xid->simple_name;
    }
    EXPECT_EQ(find_xid(0), nullptr);
}

std::string refusal_of(uint32_t number) {
    EXPECT_EQ(find_xid(number), nullptr) << number;
    char text[256];
    TextBuilder message(text);
    describe_refused_xid(number, message);
    return text;
}

TEST(Xids, RefusalsGiveTheReason) {
    EXPECT_EQ(refusal_of(999), "unknown XID 999: `cudafault xids` lists the XIDs; use error= for another code");
    EXPECT_THAT(refusal_of(3), testing::StartsWith("XID 3 is reserved: "));
    EXPECT_THAT(refusal_of(63), testing::StartsWith("XID 63 makes no CUDA call fail: "));
}

TEST(Errors, AreFoundByNameAndByCode) {
    ASSERT_NE(find_error("cudaErrorNoDevice"), nullptr);
    EXPECT_EQ(find_error("cudaErrorNoDevice")->code, 100);
    EXPECT_EQ(find_error("cudaErrorNoDevice")->api, Api::runtime);
    EXPECT_EQ(find_error("NVML_ERROR_GPU_IS_LOST")->code, 15);
    EXPECT_EQ(find_error("ncclUnhandledCudaError")->code, 1);
    EXPECT_EQ(find_error("CUDA_ERROR_"), nullptr);
    EXPECT_EQ(find_error(""), nullptr);
    ASSERT_NE(error_of(Api::driver, 719), nullptr);
    EXPECT_STREQ(error_of(Api::driver, 719)->name, "CUDA_ERROR_LAUNCH_FAILED");
    EXPECT_EQ(error_of(Api::nccl, 719), nullptr);
}

}  // namespace
}  // namespace cudafault
