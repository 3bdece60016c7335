// SPDX-License-Identifier: Apache-2.0
#include "kube/object/workload_hash.hpp"

#include <fmt/format.h>

#include <cstdint>

namespace cudafault::kube {

namespace {

// Returns the FNV-1a hash.
uint64_t fnv(const std::string& bytes) {
    uint64_t hash = 0xcbf29ce484222325;
    for (const char byte : bytes) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
    return hash;
}

}  // namespace

std::string workload_hash(const ObjectRef& workload) {
    const std::string separator(1, '\0');
    const std::string identity = workload.in_namespace + separator + workload.resource.group + separator +
                                 workload.resource.kind + separator + workload.name;
    return fmt::format("{:010x}", fnv(identity) & 0xff'ffff'ffff);
}

}  // namespace cudafault::kube
