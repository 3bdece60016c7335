// SPDX-License-Identifier: Apache-2.0
// Defines the "model" that the server runs: a kernel that doubles a vector on one GPU. Requests run one at a time.
#pragma once

#include <mutex>
#include <vector>

#include "cuda_driver.hpp"

namespace cudafault::example {

class Model {
public:
    static constexpr size_t kMaxValues = 1 << 20;

    // Throws CudaError, or std::runtime_error if the driver is missing.
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
    std::mutex request_mutex_;
};

}  // namespace cudafault::example
