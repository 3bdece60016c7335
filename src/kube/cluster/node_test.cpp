// SPDX-License-Identifier: Apache-2.0
#include "kube/cluster/node.hpp"

#include <gmock/gmock.h>

#include "kube/api/common/cancellation.hpp"
#include "kube/api/common/error.hpp"
#include "kube/api/testing/session_testing.hpp"
#include "kube/names.hpp"

namespace cudafault::kube {

namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

const std::string kNode = "/api/v1/nodes/n1";
const std::string kEveryPod = "/api/v1/pods";
const std::string kStateLabel = "/metadata/labels/dgxc.nvidia.com~1nvsentinel-state";

class NodeTest : public SessionTest {
protected:
    NodeTest() { options.tries = 1; }

    Client& client() {
        if (!client_) client_.emplace(session());
        return *client_;
    }

    static Json node(bool cordoned = false, const Json& labels = Json::object(), const Json& annotations = Json()) {
        Json result = {{"metadata", {{"name", "n1"}, {"uid", "u"}, {"resourceVersion", "5"}, {"labels", labels}}},
                       {"spec", Json::object()}};
        if (cordoned) result["spec"]["unschedulable"] = true;
        if (!annotations.is_null()) result["metadata"]["annotations"] = annotations;
        return result;
    }

    static Json cordon_annotation(bool was_cordoned, const std::vector<std::string>& labels = {}) {
        return {{names::kCordon, CordonRecord{was_cordoned, labels}.text()}};
    }

    void serve(const std::vector<Json>& states) {
        std::vector<Answer> answers;
        for (const Json& state : states) answers.push_back(json_answer(state));
        responder.on("GET", kNode, answers);
        responder.on("PATCH", kNode, {json_answer(states.back())});
    }

    // Returns each operation of the patch as "op path". Checks and omits the operations on the UID and resourceVersion.
    std::vector<std::string> patched(size_t index = 0) const {
        std::vector<SeenRequest> patches;
        for (const SeenRequest& request : responder.requests()) {
            if (request.method == "PATCH") patches.push_back(request);
        }
        std::vector<std::string> texts;
        size_t guards = 0;
        for (const Json& operation : Json::parse(patches.at(index).body)) {
            const std::string path = operation.at("path");
            const bool is_guard = path == "/metadata/uid" || path == "/metadata/resourceVersion";
            is_guard ? ++guards : (texts.push_back(operation.at("op").get<std::string>() + " " + path), 0);
        }
        EXPECT_EQ(guards, 2u);
        return texts;
    }

    size_t count(const std::string& method) const {
        size_t number = 0;
        for (const SeenRequest& request : responder.requests()) number += request.method == method;
        return number;
    }

    template <typename Action>
    std::string refusal(const Action& action) {
        try {
            action();
            return "";
        } catch (const Error& error) {
            return error.what();
        }
    }

    static Json pod(const std::string& name, const std::string& controller = "ReplicaSet", bool ready = true) {
        Json result = {{"metadata", {{"name", name}, {"namespace", "prod"}, {"uid", "uid-" + name}}},
                       {"status",
                        {{"phase", "Running"},
                         {"conditions", Json::array({{{"type", "Ready"}, {"status", ready ? "True" : "False"}}})}}}};
        if (!controller.empty()) {
            result["metadata"]["ownerReferences"] =
                Json::array({{{"kind", controller}, {"name", "c"}, {"controller", true}}});
        }
        return result;
    }

    static Answer list(const std::vector<Json>& items) { return json_answer({{"kind", "PodList"}, {"items", items}}); }

    static Answer budget() {
        Answer answer = status_answer(429, "TooManyRequests", "Cannot evict pod");
        Json status = Json::parse(answer.body);
        status["details"]["causes"] =
            Json::array({{{"reason", "DisruptionBudget"},
                          {"message", "The disruption budget web-pdb needs 2 healthy pods and has 1"}}});
        answer.body = status.dump();
        return answer;
    }

    static Answer several_budgets() {
        return status_answer(500, "InternalError",
                             "This pod has more than one PodDisruptionBudget, which the eviction subresource does not "
                             "support.");
    }

    static std::string eviction(const std::string& name) {
        return "/api/v1/namespaces/prod/pods/" + name + "/eviction";
    }

    DrainResult drain(const DrainOptions& drain_options = {}) { return kube::drain(client(), "n1", drain_options); }

private:
    std::optional<Client> client_;
};

TEST_F(NodeTest, CordonRecordsThePreviousState) {
    serve({node()});
    const CordonResult result = cordon(client(), "n1", false);
    EXPECT_FALSE(result.was_cordoned);
    EXPECT_TRUE(result.changed);
    EXPECT_THAT(patched(), ElementsAre("add /spec/unschedulable", "add /metadata/annotations",
                                       "add /metadata/annotations/cudafault.dev~1cordon"));
    EXPECT_EQ(seen(1).target, kNode + "?fieldManager=cudafault");
}

TEST_F(NodeTest, CordonOfACordonedNodeOnlyAddsTheAnnotation) {
    serve({node(true, Json::object(), {{"a", "b"}})});
    EXPECT_TRUE(cordon(client(), "n1", false).was_cordoned);
    EXPECT_THAT(patched(), ElementsAre("add /metadata/annotations/cudafault.dev~1cordon"));
}

TEST_F(NodeTest, SecondCordonKeepsTheFirstRecord) {
    serve({node(true, Json::object(), cordon_annotation(false))});
    const CordonResult result = cordon(client(), "n1", false);
    EXPECT_FALSE(result.was_cordoned);
    EXPECT_FALSE(result.changed);
    EXPECT_EQ(count("PATCH"), 0u);
}

TEST_F(NodeTest, CordonRecomputesAfterAConflict) {
    responder.on("GET", kNode, {json_answer(node()), json_answer(node(true))});
    responder.on("PATCH", kNode, {status_answer(409, "Conflict"), json_answer(node(true))});
    EXPECT_TRUE(cordon(client(), "n1", false).was_cordoned) << "another client cordoned the node during the call";
}

TEST_F(NodeTest, CordonSetsTheLabelsOfNvsentinel) {
    serve({node(false, Json::object(), {{"a", "b"}})});
    cordon(client(), "n1", true);
    EXPECT_THAT(patched(), ElementsAre("add /spec/unschedulable", "add " + kStateLabel,
                                       "add /metadata/labels/k8saas.nvidia.com~1cordon-by",
                                       "add /metadata/labels/k8saas.nvidia.com~1cordon-reason",
                                       "add /metadata/labels/k8saas.nvidia.com~1cordon-timestamp",
                                       "add /metadata/annotations/cudafault.dev~1cordon"));
}

TEST_F(NodeTest, CordonDoesNotOverwriteLabelsSetByNvsentinel) {
    serve({node(true, {{"k8saas.nvidia.com/cordon-by", "NVSentinel"}})});
    EXPECT_THAT(refusal([&] { cordon(client(), "n1", true); }),
                AllOf(HasSubstr("k8saas.nvidia.com/cordon-by=NVSentinel"), HasSubstr("omit --nvsentinel")));
    EXPECT_EQ(count("PATCH"), 0u);
}

TEST_F(NodeTest, UncordonRevertsEverything) {
    serve({node(true, {{"k8saas.nvidia.com/cordon-by", "NVSentinel"}, {"zone", "a"}},
                cordon_annotation(false, {"k8saas.nvidia.com/cordon-by", "dgxc.nvidia.com/nvsentinel-state"}))});
    EXPECT_EQ(uncordon(client(), "n1", false), Uncordoned::kDone);
    EXPECT_THAT(patched(),
                ElementsAre("remove /spec/unschedulable", "remove /metadata/labels/k8saas.nvidia.com~1cordon-by",
                            "remove /metadata/annotations/cudafault.dev~1cordon"));
}

TEST_F(NodeTest, UncordonKeepsAnEarlierCordon) {
    serve({node(true, Json::object(), cordon_annotation(true))});
    EXPECT_EQ(uncordon(client(), "n1", false), Uncordoned::kStaysCordoned);
    EXPECT_THAT(patched(), ElementsAre("remove /metadata/annotations/cudafault.dev~1cordon"));
}

TEST_F(NodeTest, UncordonIgnoresOtherCordonsWithoutForce) {
    serve({node(true)});
    EXPECT_EQ(uncordon(client(), "n1", false), Uncordoned::kNotCordonedByCudafault);
    EXPECT_EQ(count("PATCH"), 0u);
    EXPECT_EQ(uncordon(client(), "n1", true), Uncordoned::kDone);
    EXPECT_THAT(patched(), ElementsAre("remove /spec/unschedulable"));
}

TEST_F(NodeTest, UncordonRefusesANodeQuarantinedByNvsentinel) {
    Json annotations = cordon_annotation(false);
    annotations["quarantineHealthEventIsCordoned"] = "True";
    serve({node(true, Json::object(), annotations)});
    EXPECT_THAT(refusal([&] { uncordon(client(), "n1", false); }), HasSubstr("NVSentinel"));
    EXPECT_EQ(count("PATCH"), 0u);
    EXPECT_EQ(uncordon(client(), "n1", true), Uncordoned::kDone);
}

TEST_F(NodeTest, InvalidCordonAnnotationIsAnError) {
    serve({node(true, Json::object(), {{names::kCordon, "yes"}})});
    EXPECT_THAT(refusal([&] { uncordon(client(), "n1", false); }), HasSubstr("invalid annotation"));
}

TEST_F(NodeTest, DrainEvictsAndWaits) {
    serve({node()});
    Json finished = pod("done"), mirror = pod("static", "Node");
    finished["status"]["phase"] = "Succeeded";
    mirror["metadata"]["annotations"]["kubernetes.io/config.mirror"] = "x";
    const Json daemon = pod("daemon", "DaemonSet");
    Json terminating_pod = pod("web");
    terminating_pod["metadata"]["deletionTimestamp"] = "2026-11-25T00:00:00Z";
    responder.on("GET", kEveryPod,
                 {list({pod("web"), daemon, finished, mirror}), list({pod("web"), daemon, finished, mirror}),
                  list({terminating_pod, daemon}), list({daemon})});
    responder.on("POST", eviction("web"), {json_answer({{"kind", "Status"}})});
    DrainOptions drain_options;
    drain_options.grace_period_seconds = 7;
    const DrainResult result = drain(drain_options);
    EXPECT_THAT(result.evicted, ElementsAre("prod/web"));
    EXPECT_THAT(result.skipped, ElementsAre("prod/daemon", "prod/done", "prod/static"));
    EXPECT_EQ(count("POST"), 1u);
    for (const SeenRequest& request : responder.requests()) {
        if (request.method == "GET" && request.target.starts_with(kEveryPod)) {
            EXPECT_THAT(request.target, HasSubstr("fieldSelector=spec.nodeName%3Dn1"));
        }
        if (request.method != "POST") continue;
        const Json sent = Json::parse(request.body).at("deleteOptions");
        EXPECT_EQ(sent.at("gracePeriodSeconds"), 7);
        EXPECT_EQ(sent.at("preconditions").at("uid"), "uid-web");
    }
}

TEST_F(NodeTest, DrainRefusesBarePodsBeforeAnyChange) {
    responder.on("GET", kEveryPod, {list({pod("alone", "")})});
    EXPECT_THAT(refusal([&] { drain(); }), AllOf(HasSubstr("prod/alone"), HasSubstr("--force-bare")));
    EXPECT_EQ(count("PATCH") + count("POST"), 0u);
}

TEST_F(NodeTest, DrainEvictsBarePodsWithForce) {
    serve({node()});
    responder.on("GET", kEveryPod, {list({pod("alone", "")}), list({pod("alone", "")}), list({})});
    responder.on("POST", eviction("alone"), {json_answer({{"kind", "Status"}})});
    DrainOptions drain_options;
    drain_options.force_bare = true;
    EXPECT_THAT(drain(drain_options).evicted, ElementsAre("prod/alone"));
}

TEST_F(NodeTest, DrainWaitsForABudgetAndReportsIt) {
    serve({node()});
    responder.on("GET", kEveryPod, {list({pod("web")}), list({pod("web")}), list({pod("web")}), list({})});
    responder.on("POST", eviction("web"), {budget(), json_answer({{"kind", "Status"}})});
    std::vector<std::string> lines;
    DrainOptions drain_options;
    drain_options.on_progress = [&](const std::string& line) { lines.push_back(line); };
    EXPECT_THAT(drain(drain_options).evicted, ElementsAre("prod/web"));
    EXPECT_THAT(lines, Contains(AllOf(HasSubstr("prod/web not evicted"), HasSubstr("web-pdb needs 2 healthy pods"))));
}

TEST_F(NodeTest, DrainReportsRemainingPodsAtTheDeadline) {
    options.deadline = after(std::chrono::milliseconds(300));
    const Json cordoned = node(true, {{"dgxc.nvidia.com/nvsentinel-state", "quarantined"}},
                               cordon_annotation(false, {"dgxc.nvidia.com/nvsentinel-state"}));
    serve({cordoned});
    responder.on("GET", kEveryPod, {list({pod("web", "ReplicaSet", false)})});
    responder.on("POST", eviction("web"), {budget()});
    EXPECT_THAT(refusal([&] { drain(); }), AllOf(HasSubstr("prod/web"), HasSubstr("web-pdb"), HasSubstr("not ready"),
                                                 HasSubstr("--delete-unhealthy"), HasSubstr("AlwaysAllow")));
    const Json last = Json::parse(responder.requests().back().body);
    EXPECT_EQ(last.at(0).at("value"), "drain-failed");
}

TEST_F(NodeTest, DrainDeletesUnhealthyPodsThatABudgetProtects) {
    const Json crashing = pod("web", "ReplicaSet", false);
    for (const Answer& refusal : {budget(), several_budgets()}) {
        serve({node()});
        responder.on("GET", kEveryPod, {list({crashing}), list({crashing}), list({})});
        responder.on("POST", eviction("web"), {refusal});
        responder.on("DELETE", "/api/v1/namespaces/prod/pods/web", {json_answer(crashing)});
        DrainOptions drain_options;
        drain_options.delete_unhealthy = true;
        EXPECT_THAT(drain(drain_options).deleted, ElementsAre("prod/web"));
    }
}

TEST_F(NodeTest, DrainFailsForAPodWithSeveralBudgets) {
    serve({node(true, {{"dgxc.nvidia.com/nvsentinel-state", "quarantined"}},
                cordon_annotation(false, {"dgxc.nvidia.com/nvsentinel-state"}))});
    responder.on("GET", kEveryPod, {list({pod("web")})});
    responder.on("POST", eviction("web"), {several_budgets()});
    EXPECT_THAT(refusal([&] { drain(); }),
                AllOf(HasSubstr("pod prod/web cannot be evicted: more than one PodDisruptionBudget"),
                      HasSubstr("kubectl get pdb -n prod"), Not(HasSubstr("log"))));
    EXPECT_EQ(Json::parse(responder.requests().back().body).at(0).at("value"), "drain-failed");
}

TEST_F(NodeTest, DrainIgnoresDeletedPods) {
    serve({node()});
    responder.on("GET", kEveryPod, {list({pod("a"), pod("b")}), list({pod("a"), pod("b")}), list({})});
    responder.on("POST", eviction("a"), {status_answer(404, "NotFound")});
    responder.on("POST", eviction("b"), {status_answer(409, "Conflict")});
    EXPECT_THAT(drain().evicted, IsEmpty());
}

TEST_F(NodeTest, OtherEvictionErrorsFailTheDrain) {
    serve({node()});
    responder.on("GET", kEveryPod, {list({pod("a")})});
    responder.on("POST", eviction("a"), {status_answer(403, "Forbidden")});
    EXPECT_THAT(refusal([&] { drain(); }), HasSubstr("eviction of pod/a"));
}

TEST_F(NodeTest, DrainUpdatesTheStateLabel) {
    const Json cordoned = node(true, {{"dgxc.nvidia.com/nvsentinel-state", "quarantined"}},
                               cordon_annotation(false, {"dgxc.nvidia.com/nvsentinel-state"}));
    serve({cordoned});
    responder.on("GET", kEveryPod, {list({})});
    drain();
    EXPECT_THAT(patched(0), ElementsAre("add " + kStateLabel));
    std::vector<std::string> states;
    for (const SeenRequest& request : responder.requests()) {
        if (request.method == "PATCH") states.push_back(Json::parse(request.body).at(0).at("value"));
    }
    EXPECT_THAT(states, ElementsAre("draining", "drain-succeeded"));
}

}  // namespace

}  // namespace cudafault::kube
