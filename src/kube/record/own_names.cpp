// SPDX-License-Identifier: Apache-2.0
#include "kube/record/own_names.hpp"

#include <algorithm>
#include <array>

#include "kube/names.hpp"

namespace cudafault::kube {

namespace {

constexpr std::array<std::string_view, 4> kVolumes = {names::kPlanVolume, names::kLibraryVolume, names::kSourceVolume,
                                                      names::kCompiledVolume};
constexpr std::array<std::string_view, 3> kMounts = {names::kPlanMount, names::kLibraryMount, names::kCompiledMount};

bool is_below_cudafault_mount(std::string_view path) {
    return std::any_of(kMounts.begin(), kMounts.end(), [&](std::string_view mount) {
        return path.starts_with(mount) && (path.size() == mount.size() || path[mount.size()] == '/');
    });
}

std::string_view file_of(std::string_view path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

bool is_cudafault_variable(std::string_view name) {
    return name.starts_with(names::kVariablePrefix) || name == names::kContractEnabled || name == names::kContractXid;
}

bool is_cudafault_volume(std::string_view name) {
    return std::find(kVolumes.begin(), kVolumes.end(), name) != kVolumes.end();
}

bool is_cudafault_library(std::string_view path) {
    const std::string_view file = file_of(path);
    return is_below_cudafault_mount(path) || file == names::kLibraryFile || file == file_of(names::kCompiledLibrary);
}

}  // namespace cudafault::kube
