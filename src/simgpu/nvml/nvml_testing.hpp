// SPDX-License-Identifier: Apache-2.0
// Calls the simulated NVML in unit tests.
#pragma once

#include <string>

#include "simgpu/nvml/nvml.hpp"
#include "simgpu/simgpu_testing.hpp"

namespace cudafault::sim::nvml {

inline void* library() {
    static void* const handle = testing::open_library(SIM_LIBRARY);
    return handle;
}

template <typename... Arguments>
Return nvml(const char* name, Arguments... arguments) {
    return testing::call<Return>(library(), name, arguments...);
}

class Nvml : public ::testing::Test {
protected:
    void SetUp() override { ASSERT_EQ(nvml("nvmlInit_v2"), kSuccess); }
    void TearDown() override { EXPECT_EQ(nvml("nvmlShutdown"), kSuccess); }

    static DeviceHandle device(unsigned index) {
        DeviceHandle handle = nullptr;
        EXPECT_EQ(nvml("nvmlDeviceGetHandleByIndex_v2", index, &handle), kSuccess);
        return handle;
    }

    static std::string text(const char* function, DeviceHandle handle) {
        char out[96] = "";
        EXPECT_EQ(nvml(function, handle, &out[0], unsigned{sizeof out}), kSuccess) << function;
        return out;
    }
};

}  // namespace cudafault::sim::nvml
