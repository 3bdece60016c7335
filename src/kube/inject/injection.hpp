// SPDX-License-Identifier: Apache-2.0
// Computes the edits of an injection: the library, the plan and the environment of each chosen container, the pin to a
// node, and a rollout strategy that does not deadlock on a full cluster. The only API requests are those of KeyLookup.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "kube/inject/payload/payload.hpp"
#include "kube/record/record.hpp"
#include "kube/workload/workload.hpp"

namespace cudafault::kube {

// The environment variables of the contract, for scripts that read these variables. The plan file decides which faults
// fire.
struct ContractVariables {
    int xid = 79;
    bool enabled = true;
};

struct Injection {
    InjectedMark mark;
    Delivery delivery = Delivery::kBinary;
    std::vector<Architecture> architectures;  // of the nodes where a pod can be scheduled; binary delivery
    std::string image_library;                // path in the container image; image delivery
    std::string compiler_image;               // source delivery
    std::string pin_label;                    // kubernetes.io/hostname of the node to pin to; empty: no pin
    std::optional<ContractVariables> contract;
};

// Returns whether a ConfigMap or Secret has the key; std::nullopt if the object cannot be read. `kind` is "ConfigMap"
// or "Secret".
using KeyLookup =
    std::function<std::optional<bool>(const std::string& kind, const std::string& name, const std::string& key)>;

struct Injected {
    Json object;
    std::vector<Edit> edits;
    std::vector<std::string> notes;  // sentences to print for the user
};

// Returns the path of the library as written to LD_PRELOAD.
std::string library_path(const Injection& injection);

Injected inject_into(const Workload& workload, const std::vector<TemplateSite>& chosen, const Injection& injection,
                     const KeyLookup& lookup);

inline constexpr const char* kDefaultCompilerImage = "gcc:13.3.0";

}  // namespace cudafault::kube
