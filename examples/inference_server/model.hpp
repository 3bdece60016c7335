// SPDX-License-Identifier: Apache-2.0
// The "model" the server runs: one kernel that doubles a vector on one GPU, one request at a time.
#pragma once

#include <mutex>
#include <vector>

#include "cuda_driver.hpp"

namespace cudafault::example {

class Model {
public:
    static constexpr size_t kMaxValues = 1 << 20;

    // Throws CudaError, or std::runtime_error without a driver.
    explicit Model(int gpu);

    const std::string& gpu_name() const { return gpu_name_; }

    // Doubles at most kMaxValues values. Throws CudaError. Safe to call from any thread.
    std::vector<float> run(std::vector<float> values);

private:
    void load();

    CudaDriver cuda_;
    std::string gpu_name_;
    CuContext context_ = nullptr;
    CuFunction kernel_ = nullptr;
    CuStream stream_ = nullptr;
    CuDevicePtr buffer_ = 0;
    std::mutex one_request_;
};

}  // namespace cudafault::example
