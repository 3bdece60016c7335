// SPDX-License-Identifier: Apache-2.0
// Defines a test fixture with a scripted namespace "prod". Every list is empty until a test fills it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "kube/api/client/client.hpp"
#include "kube/api/client/discovery.hpp"
#include "kube/api/testing/session_testing.hpp"
#include "kube/names.hpp"
#include "kube/testing/paths_testing.hpp"
#include "kube/workload/workload.hpp"

namespace cudafault::kube {

inline const std::string kApps = "/apis/apps/v1/namespaces/prod/";

class SurveyTest : public SessionTest {
protected:
    SurveyTest() {
        options.tries = 1;
        const Json apps = {{"name", "apps"}, {"versions", {{{"version", "v1"}}}}};
        responder.on("GET", "/api", {json_answer({{"kind", "APIVersions"}, {"versions", {"v1"}}})});
        responder.on("GET", "/apis", {json_answer({{"kind", "APIGroupList"}, {"groups", {apps}}})});
        responder.on("GET", "/apis/apps/v1",
                     {json_answer({{"kind", "APIResourceList"},
                                   {"resources",
                                    {entry("deployments", "Deployment"), entry("statefulsets", "StatefulSet"),
                                     entry("replicasets", "ReplicaSet")}}})});
        responder.on("GET", "/api/v1/namespaces/prod", {json_answer({{"metadata", {{"name", "prod"}}}})});
        for (const std::string& path : {kConfigMapPath, kLeasePath, kPodPath, kNodePath, kApps + "deployments",
                                        kApps + "statefulsets", kApps + "replicasets", kApps + "controllerrevisions"}) {
            fill(path, {});
        }
    }

    static Json entry(const std::string& plural, const std::string& kind) {
        return {{"name", plural}, {"singularName", ""}, {"kind", kind}, {"namespaced", true}, {"verbs", {"list"}}};
    }

    void fill(const std::string& path, const std::vector<Json>& items) {
        responder.on("GET", path,
                     {json_answer({{"kind", "List"}, {"metadata", {{"resourceVersion", "9"}}}, {"items", items}})});
    }

    static Json object(const std::string& kind, const std::string& name, const Json& fields = Json::object()) {
        Json result = {{"kind", kind},
                       {"metadata", {{"name", name}, {"namespace", "prod"}, {"uid", "uid-" + name}, {"generation", 1}}},
                       {"spec", {{"replicas", 2}}}};
        result.merge_patch(fields);
        return result;
    }

    static std::string hash_of(const std::string& deployment) {
        Workload workload;
        workload.ref = {{"apps", "v1", "deployments", "", "Deployment", true, {}, {}, {}}, "prod", deployment};
        return workload.hash();
    }

    // Returns the volume of the plan of the workload with that hash.
    static Json plan_volume(const std::string& hash) {
        return {{"volumes",
                 Json::array({{{"name", names::kPlanVolume}, {"configMap", {{"name", names::kPlanPrefix + hash}}}}})}};
    }

    static Json injected(const std::string& kind, const std::string& name, const std::string& hash) {
        return object(kind, name,
                      {{"metadata", {{"annotations", {{names::kInjected, "run=ab12 edition=1"}}}}},
                       {"spec", {{"template", {{"spec", plan_volume(hash)}}}}}});
    }

    Client& client() {
        if (!client_) client_.emplace(session());
        return *client_;
    }
    Discovery& discovery() {
        if (!discovery_) discovery_.emplace(session());
        return *discovery_;
    }

private:
    std::optional<Client> client_;
    std::optional<Discovery> discovery_;
};

}  // namespace cudafault::kube
