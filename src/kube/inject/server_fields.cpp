// SPDX-License-Identifier: Apache-2.0
#include "kube/inject/server_fields.hpp"

#include <algorithm>
#include <string>

#include "kube/object/path.hpp"
#include "kube/object/well_known.hpp"

namespace cudafault::kube {

namespace {

constexpr const char* kServerMetadata[] = {"creationTimestamp", "deletionGracePeriodSeconds",
                                           "deletionTimestamp", "generation",
                                           "managedFields",     "resourceVersion",
                                           "selfLink",          "uid"};
constexpr const char* kServerAnnotations[] = {"batch.kubernetes.io/job-tracking", well_known::kDeploymentRevision,
                                              well_known::kDaemonSetGeneration, well_known::kLastApplied};
constexpr const char* kJobLabels[] = {"batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name",
                                      "controller-uid", "job-name"};
constexpr const char* kServerPodSpec[] = {"ephemeralContainers", "preemptionPolicy", "priority"};
constexpr const char* kTokenVolume = "kube-api-access-";  // added by the admission plugin ServiceAccount

// Removes the fields with these names from the object `parent[field]`, and then `field` itself if it is empty.
template <typename Names>
void erase_fields(Json& parent, const char* field, const Names& names) {
    const auto found = parent.is_object() ? parent.find(field) : parent.end();
    if (found == parent.end() || !found->is_object()) return;
    for (const char* name : names) found->erase(name);
    if (found->empty()) parent.erase(field);
}

// Older API servers return "creationTimestamp": null in each template.
void erase_null_timestamps(Json& value) {
    if (!value.is_structured()) return;
    if (value.is_object() && value.contains("creationTimestamp") && value["creationTimestamp"].is_null()) {
        value.erase("creationTimestamp");
    }
    for (Json& each : value) erase_null_timestamps(each);
}

// The API server generates the selector of a Job, unless spec.manualSelector is true, and labels for it.
void erase_selector(Json& job) {
    Json* spec = find(job, {"spec"});
    if (!spec || !spec->is_object() || value_at(*spec, "manualSelector") == true) return;
    spec->erase("selector");
    if (Json* metadata = find(job, {"metadata"})) erase_fields(*metadata, "labels", kJobLabels);
    if (Json* metadata = find(*spec, {"template", "metadata"})) erase_fields(*metadata, "labels", kJobLabels);
}

bool is_token_volume(const Json& volume_or_mount) { return text_at(volume_or_mount, "name").starts_with(kTokenVolume); }

void erase_token_volumes(Json& parent, const char* field) {
    const auto list = parent.is_object() ? parent.find(field) : parent.end();
    if (list == parent.end() || !list->is_array()) return;
    list->erase(std::remove_if(list->begin(), list->end(), is_token_volume), list->end());
    if (list->empty()) parent.erase(field);
}

// The scheduler sets the node's name by a binding, which no entry in managedFields owns.
bool has_own_node_name(const Json& pod) {
    const Json& managers = items_at(pod, {"metadata", "managedFields"});
    return std::any_of(managers.begin(), managers.end(),
                       [](const Json& entry) { return find(entry, {"fieldsV1", "f:spec", "f:nodeName"}) != nullptr; });
}

void erase_admitted_fields(Json& pod) {
    erase_fields(pod, "spec", kServerPodSpec);
    Json* spec = find(pod, {"spec"});
    if (!spec) return;
    erase_token_volumes(*spec, "volumes");
    for (const char* list : {"containers", "initContainers"}) {
        Json* containers = find(*spec, {list});
        if (!containers || !containers->is_array()) continue;
        for (Json& container : *containers) erase_token_volumes(container, "volumeMounts");
    }
}

}  // namespace

Json without_server_fields(const Json& object) {
    Json copy = object;
    if (!copy.is_object()) return copy;
    const bool keeps_node = has_own_node_name(object);
    copy.erase("status");
    if (Json* metadata = find(copy, {"metadata"})) erase_fields(*metadata, "annotations", kServerAnnotations);
    erase_fields(copy, "metadata", kServerMetadata);
    erase_null_timestamps(copy);
    const std::string version = text_at(copy, "apiVersion"), kind = text_at(copy, "kind");
    if (version == "v1" && kind == "Pod") {
        erase_admitted_fields(copy);
        if (Json* spec = find(copy, {"spec"}); spec && spec->is_object() && !keeps_node) spec->erase("nodeName");
    }
    if (version.starts_with("batch/") && kind == "Job") erase_selector(copy);
    return copy;
}

}  // namespace cudafault::kube
