// SPDX-License-Identifier: Apache-2.0
// Puts the library into a workload, with nothing armed, and waits until every pod has it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "kube/api/common/cancellation.hpp"
#include "kube/api/common/progress.hpp"
#include "kube/inject/injection.hpp"
#include "kube/workload/rollout.hpp"

namespace cudafault::kube {

struct InjectOptions {
    WorkloadChoice choice;
    Delivery delivery = Delivery::kBinary;
    std::vector<std::string> containers;  // globs; empty: those that have GPUs
    bool or_all_containers = false;       // where none has a GPU
    bool allow_empty = false;             // where no container is chosen, do nothing and do not fail
    std::string node;                     // to pin to; empty: none
    std::string image_library;
    std::string compiler_image = kDefaultCompilerImage;
    std::optional<ContractVariables> contract;
    bool replace = false;      // also what is injected already, by whomever
    bool delete_pods = false;  // consent, for kinds that do not replace their pods themselves
    bool wait = true;
    Deadline deadline = kNoDeadline;
    Progress on_progress = [](const std::string&) {};
};

// What would be, or was, done.
struct InjectionPlan {
    Workload workload;  // as it was read
    Injection injection;
    Injected injected;                 // with the server's defaults
    std::vector<TemplateSite> chosen;  // empty only with `allow_empty`: nothing is changed then
    std::vector<std::string> notes;
    bool unchanged = false;  // it is injected so already
};

struct InjectResult {
    InjectionPlan plan;
    RolloutResult rollout;
    struct Pod {
        std::string name, node;
        bool ready = false;
        bool library_seen = false;
        std::string diagnosis;  // a sentence, or empty
    };
    std::vector<Pod> pods;
};

// Computes the change and has the server check it, of the object and of its pods, and changes nothing. Throws Error:
// whatever keeps it from being done.
InjectionPlan plan_injection(Client& client, Discovery& discovery, const InjectOptions& options);

// May be repeated, and be interrupted at any moment: `restore` takes back whatever was done until then.
InjectResult inject(Client& client, Discovery& discovery, const InjectOptions& options);

// "main", or "worker/main" where a workload has several templates.
std::vector<std::string> container_names(const std::vector<TemplateSite>& chosen);

}  // namespace cudafault::kube
