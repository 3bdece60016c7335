// SPDX-License-Identifier: Apache-2.0
#include "kube/api/resources.hpp"

namespace cudafault::kube {

const Resource& config_maps() {
    static const Resource resource{"", "v1", "configmaps", "configmap", "ConfigMap", true, {"cm"}, {}, {}};
    return resource;
}

const Resource& events() {
    static const Resource resource{"", "v1", "events", "event", "Event", true, {"ev"}, {}, {}};
    return resource;
}

const Resource& namespaces() {
    static const Resource resource{"", "v1", "namespaces", "namespace", "Namespace", false, {"ns"}, {}, {}};
    return resource;
}

const Resource& nodes() {
    static const Resource resource{"", "v1", "nodes", "node", "Node", false, {"no"}, {}, {}};
    return resource;
}

const Resource& pods() {
    static const Resource resource{"", "v1", "pods", "pod", "Pod", true, {"po"}, {}, {}};
    return resource;
}

const Resource& leases() {
    static const Resource resource{"coordination.k8s.io", "v1", "leases", "lease", "Lease", true, {}, {}, {}};
    return resource;
}

const Resource& replica_sets() {
    static const Resource resource{"apps", "v1", "replicasets", "replicaset", "ReplicaSet", true, {"rs"}, {}, {}};
    return resource;
}

const Resource& controller_revisions() {
    static const Resource resource{
        "apps", "v1", "controllerrevisions", "controllerrevision", "ControllerRevision", true, {}, {}, {}};
    return resource;
}

const Resource& jobs() {
    static const Resource resource{"batch", "v1", "jobs", "job", "Job", true, {}, {}, {}};
    return resource;
}

}  // namespace cudafault::kube
