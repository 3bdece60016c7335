// SPDX-License-Identifier: Apache-2.0
// Taking a node out of service as an operator or NVSentinel would, and giving it back exactly as it was.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "kube/api/client/client.hpp"
#include "kube/api/common/progress.hpp"

namespace cudafault::kube {

// The node carries it from our cordon to our uncordon.
struct CordonMemory {
    bool was_cordoned = false;
    std::vector<std::string> labels;  // that we set

    std::string text() const;
    static std::optional<CordonMemory> of(const Json& node);  // throws Error if it is there and cannot be read
};

struct CordonResult {
    bool was_cordoned = false;  // before our first cordon
    bool changed = false;       // false: it was all so already
};

// `nvsentinel`: with the labels that NVSentinel sets when it quarantines. Throws Error where it has set them itself.
CordonResult cordon(Client& client, const std::string& node, bool nvsentinel);

struct DrainOptions {
    bool nvsentinel = false;        // cordons as NVSentinel does
    bool delete_unhealthy = false;  // pods that are not ready are deleted where a budget refuses their eviction
    bool force_bare = false;        // pods without a controller too: nobody makes them anew
    std::optional<int> grace_period_seconds;  // nothing: the pod's own
    Progress on_progress;
};

struct DrainResult {
    std::vector<std::string> evicted;  // namespace/name
    std::vector<std::string> deleted;
    std::vector<std::string> skipped;  // of DaemonSets, static and finished ones
};

// Cordons, evicts and waits until the pods are gone. Throws Error before anything is changed if there are bare pods,
// and at the session's deadline, with the pods that are left and why. NVSentinel's state label, if our cordon set it,
// says draining meanwhile, and drain-succeeded or drain-failed in the end.
DrainResult drain(Client& client, const std::string& node, const DrainOptions& options);

enum class Uncordoned {
    kDone,
    kStaysCordoned,  // as it was before our cordon
    kNotOurs,        // it carries nothing of us, and is left as it is
};

// Takes back what cordon and drain set. Throws Error on a node that NVSentinel has cordoned, unless `force`; with it, a
// node is uncordoned whoever cordoned it.
Uncordoned uncordon(Client& client, const std::string& node, bool force);

}  // namespace cudafault::kube
