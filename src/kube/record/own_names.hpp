// SPDX-License-Identifier: Apache-2.0
// Recognizes cudafault's names in a pod template, for `scan` and for a restore without a record.
#pragma once

#include <string_view>

namespace cudafault::kube {

bool is_cudafault_variable(std::string_view name);
bool is_cudafault_volume(std::string_view name);
bool is_cudafault_library(std::string_view path);  // in any folder, because the image author chooses the folder

}  // namespace cudafault::kube
