// SPDX-License-Identifier: Apache-2.0
// Defines a test fixture with a scripted API server, and functions that create Kubernetes objects.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "kube/api/client/client.hpp"
#include "kube/api/client/discovery.hpp"
#include "kube/api/testing/session_testing.hpp"
#include "kube/workload/workload.hpp"

namespace cudafault::kube {

// Returns the workload of an object without looking up its devices.
inline Workload workload_of(const Resource& resource, const Json& object) {
    return make_workload(ref_of(resource, object), object, {}, {});
}

class WorkloadTest : public SessionTest {
protected:
    WorkloadTest() {
        options.tries = 1;
        responder.on("GET", "/api/v1/namespaces/prod", {json_answer({{"metadata", {{"name", "prod"}}}})});
    }

    Client& client() {
        if (!client_) client_.emplace(session());
        return *client_;
    }

    Discovery& discovery() {
        if (!discovery_) discovery_.emplace(session());
        return *discovery_;
    }

    // Serves namespaced `resources`, given as pairs of plural and kind.
    void serve(const std::string& api_version, const std::vector<std::pair<std::string, std::string>>& resources) {
        Json list = Json::array();
        for (const auto& [plural, kind] : resources) {
            list.push_back({{"name", plural}, {"kind", kind}, {"namespaced", true}, {"verbs", {"get", "list"}}});
        }
        const std::string root = api_version == "v1" ? "/api/" : "/apis/";
        responder.on("GET", root + api_version, {json_answer({{"kind", "APIResourceList"}, {"resources", list}})});
    }

    void serve_apps() {
        serve("apps/v1",
              {{"deployments", "Deployment"}, {"replicasets", "ReplicaSet"}, {"statefulsets", "StatefulSet"}});
    }

    void serve_graphs(const std::string& version) {
        serve("nvidia.com/" + version, {{"dynamographdeployments", "DynamoGraphDeployment"}});
    }

    // Serves the discovery data that `resolve` needs for these groups.
    void announce(const std::vector<std::pair<std::string, std::string>>& groups) {
        Json list = Json::array();
        for (const auto& [group, version] : groups) {
            list.push_back({{"name", group},
                            {"preferredVersion", {{"version", version}}},
                            {"versions", {{{"version", version}}}}});
        }
        responder.on("GET", "/api", {json_answer({{"kind", "APIVersions"}, {"versions", {"v1"}}})});
        responder.on("GET", "/apis", {json_answer({{"kind", "APIGroupList"}, {"groups", list}})});
    }

    void serve_object(const std::string& path, const Json& object) { responder.on("GET", path, {json_answer(object)}); }

    void serve_list(const std::string& path, const std::vector<Json>& items) { serve_object(path, {{"items", items}}); }

    std::string refusal(const WorkloadChoice& choice) {
        try {
            return "took " + load_workload(client(), discovery(), choice).text();
        } catch (const Error& error) {
            return error.what();
        }
    }

    // Returns the number of requests for a path, with any query.
    int count_requests(const std::string& path) const {
        int count = 0;
        for (const SeenRequest& request : responder.requests()) {
            if (request.target.substr(0, request.target.find('?')) == path) ++count;
        }
        return count;
    }

private:
    std::optional<Client> client_;
    std::optional<Discovery> discovery_;
};

// Returns an object of the namespace "prod" with the UID "uid-" plus its name.
inline Json named(const std::string& name, const Json& spec = Json::object()) {
    return {{"metadata", {{"name", name}, {"namespace", "prod"}, {"uid", "uid-" + name}}}, {"spec", spec}};
}

inline Json owned(Json object, const std::string& api_version, const std::string& kind, const std::string& name) {
    object["metadata"]["ownerReferences"] = {
        {{"apiVersion", "v1"}, {"kind", "ConfigMap"}, {"name", "bystander"}, {"uid", "uid-bystander"}},
        {{"apiVersion", api_version}, {"kind", kind}, {"name", name}, {"uid", "uid-" + name}, {"controller", true}}};
    return object;
}

inline Json labeled(Json object, const std::string& label, const std::string& value) {
    object["metadata"]["labels"][label] = value;
    return object;
}

inline Json gpu_container(const std::string& name) {
    return {{"name", name}, {"resources", {{"limits", {{"nvidia.com/gpu", "1"}}}}}};
}

// Returns a PodTemplateSpec with a container that has a GPU, and a sidecar.
inline Json gpu_template(const std::string& container = "main") {
    return {{"metadata", {{"labels", {{"app", "web"}}}}},
            {"spec", {{"containers", {gpu_container(container), {{"name", "side"}}}}}}};
}

}  // namespace cudafault::kube
