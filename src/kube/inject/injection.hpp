// SPDX-License-Identifier: Apache-2.0
// What is put into a workload: the library, its plan and its environment into each chosen container, the pin, the
// strategy that no full fleet can dead-lock. Nothing here asks the API server but for what an LD_PRELOAD refers to.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "kube/inject/payload/payload.hpp"
#include "kube/record/record.hpp"
#include "kube/workload/workload.hpp"

namespace cudafault::kube {

// The variables of the contract, for scripts that look for them; the plan file decides.
struct ContractVariables {
    int xid = 79;
    bool enabled = true;
};

struct Injection {
    InjectedMark mark;
    Delivery delivery = Delivery::kBinary;
    std::vector<Architecture> architectures;  // of the nodes a pod can land on; binary delivery
    std::string image_library;                // path in the image; delivery by image
    std::string compiler_image;               // delivery by source
    std::string pin_label;                    // kubernetes.io/hostname of the node to pin to; empty: no pin
    std::optional<ContractVariables> contract;
};

// Whether the object that an LD_PRELOAD comes from has it; nothing if that cannot be looked at. `kind` is ConfigMap or
// Secret.
using KeyLookup =
    std::function<std::optional<bool>(const std::string& kind, const std::string& name, const std::string& key)>;

struct Injected {
    Json object;
    std::vector<Edit> edits;
    std::vector<std::string> notes;  // sentences a user has to know
};

// What is put into LD_PRELOAD.
std::string library_path(const Injection& injection);

Injected inject_into(const Workload& workload, const std::vector<TemplateSite>& chosen, const Injection& injection,
                     const KeyLookup& lookup);

inline constexpr const char* kDefaultCompilerImage = "gcc:13.3.0";

}  // namespace cudafault::kube
