// SPDX-License-Identifier: Apache-2.0
#include "kube/inject/server_fields.hpp"

#include <gtest/gtest.h>

namespace cudafault::kube {

namespace {

TEST(WithoutServerFields, RemovesFieldsOfAnyKind) {
    const Json read = Json::parse(R"({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "prod", "uid": "u", "resourceVersion": "7", "generation": 2,
            "creationTimestamp": "2026-11-24T13:00:00Z", "managedFields": [], "labels": {"app": "web"},
            "annotations": {"deployment.kubernetes.io/revision": "3", "team": "a",
                            "kubectl.kubernetes.io/last-applied-configuration": "{}"}},
        "spec": {"replicas": 2, "template": {"metadata": {"creationTimestamp": null, "labels": {"app": "web"}}}},
        "status": {"replicas": 2}})");
    EXPECT_EQ(without_server_fields(read), Json::parse(R"({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "prod", "labels": {"app": "web"}, "annotations": {"team": "a"}},
        "spec": {"replicas": 2, "template": {"metadata": {"labels": {"app": "web"}}}}})"));
}

TEST(WithoutServerFields, RemovesTheGeneratedSelectorOfAJob) {
    Json read = Json::parse(R"({"apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": "train", "labels": {"controller-uid": "u", "app": "train"}},
        "spec": {"selector": {"matchLabels": {"batch.kubernetes.io/controller-uid": "u"}}, "template": {
            "metadata": {"labels": {"batch.kubernetes.io/controller-uid": "u", "job-name": "train"}}, "spec": {}}}})");
    EXPECT_EQ(without_server_fields(read), Json::parse(R"({"apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": "train", "labels": {"app": "train"}}, "spec": {"template": {"metadata": {}, "spec": {}}}})"));
    read["spec"]["manualSelector"] = true;
    EXPECT_EQ(without_server_fields(read), read);
}

TEST(WithoutServerFields, RemovesAdmissionAndSchedulerFieldsOfAPod) {
    const Json read = Json::parse(R"({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "trial"}, "spec": {
        "nodeName": "n1", "priority": 0, "preemptionPolicy": "PreemptLowerPriority",
        "volumes": [{"name": "data", "emptyDir": {}}, {"name": "kube-api-access-x7", "projected": {}}],
        "containers": [{"name": "main", "volumeMounts": [{"name": "kube-api-access-x7", "mountPath": "/var/run"}]},
                       {"name": "side", "volumeMounts": [{"name": "data", "mountPath": "/data"}]}]}})");
    EXPECT_EQ(without_server_fields(read), Json::parse(R"({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "trial"}, "spec": {"volumes": [{"name": "data", "emptyDir": {}}],
        "containers": [{"name": "main"},
                       {"name": "side", "volumeMounts": [{"name": "data", "mountPath": "/data"}]}]}})"));
}

TEST(WithoutServerFields, KeepsTheNodeNameThatAClientSet) {
    const Json scheduled = Json::parse(R"({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "trial",
        "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:spec": {"f:containers": {}}}}]},
        "spec": {"nodeName": "n1", "restartPolicy": "Never"}})");
    EXPECT_EQ(without_server_fields(scheduled)["spec"], Json::parse(R"({"restartPolicy": "Never"})"));
    Json pinned = scheduled;
    pinned["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"]["f:nodeName"] = Json::object();
    EXPECT_EQ(without_server_fields(pinned)["spec"], scheduled["spec"]);
}

TEST(WithoutServerFields, AcceptsMalformedObjects) {
    for (const char* text : {"null", "[]", "{}", R"({"metadata": 1, "spec": []})",
                             R"({"apiVersion": "v1", "kind": "Pod", "spec": {"volumes": {}, "containers": [1, null]}})",
                             R"({"apiVersion": "batch/v1", "kind": "Job", "spec": {"template": 3}})"}) {
        const Json object = Json::parse(text);
        EXPECT_EQ(without_server_fields(object), object);
    }
}

}  // namespace

}  // namespace cudafault::kube
