// SPDX-License-Identifier: Apache-2.0
// Cordons and drains a node as an administrator or NVSentinel would, and restores its previous state.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "kube/api/client/client.hpp"
#include "kube/api/common/progress.hpp"

namespace cudafault::kube {

// The node's state before cudafault's first cordon, kept in an annotation of the node until cudafault's uncordon.
struct CordonRecord {
    bool was_cordoned = false;
    std::vector<std::string> labels;  // set by cudafault

    std::string text() const;
    static std::optional<CordonRecord> of(const Json& node);  // throws Error if the annotation is invalid
};

struct CordonResult {
    bool was_cordoned = false;  // before cudafault's first cordon
    bool changed = false;       // false: the node already had this state
};

// With `nvsentinel`, also sets the labels that NVSentinel sets when it quarantines a node. Throws Error if another
// client, such as NVSentinel, has set one of them.
CordonResult cordon(Client& client, const std::string& node, bool nvsentinel);

struct DrainOptions {
    bool nvsentinel = false;        // cordons as NVSentinel does
    bool delete_unhealthy = false;  // delete pods that are not ready if a budget does not allow their eviction
    bool force_bare = false;        // also evict pods without a controller, which are not recreated
    std::optional<int64_t> grace_period_seconds;  // std::nullopt: the pod's own grace period
    Progress on_progress;
};

struct DrainResult {
    std::vector<std::string> evicted;  // namespace/name
    std::vector<std::string> deleted;
    std::vector<std::string> skipped;  // pods of DaemonSets, static pods and finished pods
};

// Cordons the node, evicts its pods and waits until they are deleted. Throws Error before any change if the node has
// pods without a controller, and at the session's deadline, with the remaining pods and the reasons. If cudafault's
// cordon set NVSentinel's state label, the label is "draining" during the drain, and then "drain-succeeded" or
// "drain-failed".
DrainResult drain(Client& client, const std::string& node, const DrainOptions& options);

enum class Uncordoned {
    kDone,
    kStaysCordoned,           // the node was cordoned before cudafault's cordon
    kNotCordonedByCudafault,  // the node has no cudafault annotation and is not changed
};

// Reverts what cordon() and drain() set. Throws Error for a node that NVSentinel has cordoned, unless `force`. With
// `force`, also uncordons a node that another client cordoned.
Uncordoned uncordon(Client& client, const std::string& node, bool force);

}  // namespace cudafault::kube
