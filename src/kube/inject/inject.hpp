// SPDX-License-Identifier: Apache-2.0
// Injects the library into a workload without arming a plan, and waits until every pod has loaded the library.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kube/api/common/cancellation.hpp"
#include "kube/api/common/error.hpp"
#include "kube/api/common/progress.hpp"
#include "kube/inject/injection.hpp"
#include "kube/workload/rollout.hpp"

namespace cudafault::kube {

struct InjectOptions {
    WorkloadChoice choice;
    Delivery delivery = Delivery::kBinary;
    std::vector<std::string> containers;  // globs; empty: containers that request GPUs
    bool or_all_containers = false;       // choose all containers if none requests a GPU
    bool allow_empty = false;             // if no container is chosen, do nothing and do not fail
    std::string node;                     // the node to pin to; empty: none
    std::string image_library;
    std::string compiler_image = kDefaultCompilerImage;
    std::optional<ContractVariables> contract;
    bool replace = false;      // replace an existing injection, including one of another author
    bool delete_pods = false;  // allows deleting pods of kinds whose controllers do not replace them
    bool wait = true;
    Deadline deadline = kNoDeadline;
    Progress on_progress = [](const std::string&) {};
    bool is_one_of_several = false;  // progress lines name the workload
};

// The change that an injection makes to a workload.
struct InjectionPlan {
    Workload workload;  // as read from the API server
    Injection injection;
    Injected injected;                 // with the API server's defaults
    std::vector<TemplateSite> chosen;  // empty only with `allow_empty`: nothing is changed
    std::vector<std::string> notes;
    bool unchanged = false;  // the workload already has this injection
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

// Computes the change and has the API server check the changed object and its pods, without changing anything. Throws
// Error if the injection is not possible.
InjectionPlan plan_injection(Client& client, Discovery& discovery, const InjectOptions& options);

// Computes the change to an object that a client will create again: `injected.object` is its manifest, without the
// fields that the server sets. Also accepts kinds whose templates are immutable. Has the API server check a pod of each
// template, and changes nothing. Throws Error if the workload is already injected.
InjectionPlan plan_manifest(Client& client, Discovery& discovery, const InjectOptions& options);

// Returns the names of the ConfigMaps that pods of the change mount and that cudafault creates for the workload.
std::vector<std::string> config_maps_of(const InjectionPlan& plan);

// Creates these ConfigMaps, with an empty plan. They have no owner, because a workload that is created again has
// another UID; `restore` deletes them.
void create_config_maps_of(Client& client, const InjectionPlan& plan);

// Idempotent, and can be interrupted at any time: `restore` reverts a partial injection.
InjectResult inject(Client& client, Discovery& discovery, const InjectOptions& options);

// Has either a result or the error that ended the injection.
struct InjectAttempt {
    std::optional<InjectResult> result;
    std::shared_ptr<const Error> error;
};

// Injects workloads in parallel. Returns one attempt for each, in the same order: an error in one of them does not stop
// the others.
std::vector<InjectAttempt> inject_each(Client& client, std::vector<InjectOptions> all);

// Returns names such as "main", or "worker/main" if the workload has several templates.
std::vector<std::string> container_names(const std::vector<TemplateSite>& chosen);

}  // namespace cudafault::kube
