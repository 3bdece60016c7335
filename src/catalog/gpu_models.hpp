// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace cudafault::catalog {

// A GPU model of data/gpu_features.tsv.
struct GpuModel {
    std::string name;                   // "H100"
    std::vector<std::string> features;  // the words of Entry::needs
};

const std::vector<GpuModel>& gpu_models();

}  // namespace cudafault::catalog
