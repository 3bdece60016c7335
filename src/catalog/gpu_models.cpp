// SPDX-License-Identifier: Apache-2.0
#include "catalog/gpu_models.hpp"

namespace cudafault::catalog {

const std::vector<GpuModel>& gpu_models() {
    static const std::vector<GpuModel> models = {
#define CUDAFAULT_GPU_MODEL(name, ...) {name, {__VA_ARGS__}},
#include "gpu_features.inc"
#undef CUDAFAULT_GPU_MODEL
    };
    return models;
}

}  // namespace cudafault::catalog
