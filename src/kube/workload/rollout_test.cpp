// SPDX-License-Identifier: Apache-2.0
#include "kube/workload/rollout.hpp"

#include <gmock/gmock.h>

#include "kube/api/client/client.hpp"
#include "kube/api/client/discovery.hpp"
#include "kube/api/testing/session_testing.hpp"
#include "kube/api/transport/api_error.hpp"
#include "kube/testing/paths_testing.hpp"

namespace cudafault::kube {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

struct TestPod {
    std::string name;
    std::string revision = "new";
    bool ready = true;
    std::string controller = "c-new";
    bool terminating = false;
    int restarts = 0;
    bool running = false;
};

Json json_of(const TestPod& test_pod, int version = 1) {
    Json pod = {
        {"metadata",
         {{"name", test_pod.name},
          {"namespace", "prod"},
          {"uid", "uid-" + test_pod.name + test_pod.revision},
          {"resourceVersion", std::to_string(version)},
          {"labels", {{"revision", test_pod.revision}}},
          {"ownerReferences", {{{"name", test_pod.controller}, {"uid", test_pod.controller}, {"controller", true}}}}}},
        {"status",
         {{"phase", "Running"},
          {"conditions", {{{"type", "Ready"}, {"status", test_pod.ready ? "True" : "False"}}}},
          {"containerStatuses",
           {{{"name", "main"},
             {"restartCount", test_pod.restarts},
             {"state", {{test_pod.running ? "running" : "waiting", Json::object()}}}}}}}}};
    if (test_pod.terminating) pod["metadata"]["deletionTimestamp"] = "2126-11-24T13:00:00Z";
    return pod;
}

std::vector<Json> jsons_of(const std::vector<TestPod>& test_pods) {
    std::vector<Json> pods;
    for (const TestPod& pod : test_pods) pods.push_back(json_of(pod));
    return pods;
}

std::string event(const std::string& type, const Json& pod) {
    return Json{{"type", type}, {"object", pod}}.dump() + "\n";
}

Answer events(const std::vector<std::string>& chunks) {
    Answer answer;
    answer.chunks = chunks;
    return answer;
}

Answer pod_list(const std::vector<TestPod>& pods) {
    return json_answer({{"kind", "PodList"}, {"metadata", {{"resourceVersion", "1"}}}, {"items", jsons_of(pods)}});
}

bool is_new(const Json& pod) { return text_at(pod, {"metadata", "labels", "revision"}) == "new"; }

class RolloutTest : public SessionTest {
protected:
    void use_workload(const std::string& kind, const std::string& plural, Json spec, Json status = Json::object()) {
        if (!status.contains("observedGeneration")) status["observedGeneration"] = 3;
        workload.ref = {{"apps", "v1", plural, "", kind, true, {}, {}, {}}, "prod", "web"};
        workload.update({{"apiVersion", "apps/v1"},
                         {"kind", kind},
                         {"metadata", {{"name", "web"}, {"uid", "w1"}, {"generation", 3}}},
                         {"spec", std::move(spec)},
                         {"status", std::move(status)}});
        path = "/apis/apps/v1/namespaces/prod/" + plural + "/web";
        responder.on("GET", path, {json_answer(workload.object)});
    }

    void use_deployment(int replicas) { use_workload("Deployment", "deployments", {{"replicas", replicas}}); }

    // Uses a kind that does not report the desired number of pods.
    void use_graph() {
        use_deployment(1);
        workload.object["apiVersion"] = "nvidia.com/v1beta1";
        workload.object["kind"] = "DynamoGraphDeployment";
        workload.object["spec"] = Json::object();
        workload.object["status"] = Json::object();
        responder.on("GET", path, {json_answer(workload.object)});
    }

    RolloutResult wait() {
        Client client(session());
        Discovery discovery(session());
        rollout.on_progress = [&](const std::string& line) { progress.push_back(line); };
        rollout.report_delay = std::chrono::milliseconds(0);
        rollout.list_pods = [&] {
            const size_t index = std::min(lists++, listed.size() - 1);
            return jsons_of(listed.at(index));
        };
        return wait_for_rollout(client, discovery, workload, is_new, rollout);
    }

    void give_up_after(milliseconds time) { rollout.deadline = after(time); }

    size_t count_requests(const std::string& method, const std::string& part) const {
        size_t count = 0;
        for (const SeenRequest& request : responder.requests()) {
            count += request.method == method && request.target.find(part) != std::string::npos;
        }
        return count;
    }

    Workload workload;
    std::string path;
    std::vector<std::vector<TestPod>> listed{{}};  // results of successive calls of list_pods; the last one is repeated
    size_t lists = 0;
    RolloutOptions rollout;
    std::vector<std::string> progress;
};

TEST_F(RolloutTest, CompleteRolloutReturnsWithoutWatch) {
    use_deployment(2);
    listed = {{{"a"}, {"b"}}};
    const auto result = wait();
    EXPECT_TRUE(result.done);
    EXPECT_FALSE(result.nothing_to_wait_for);
    EXPECT_EQ(result.state.wanted.size(), 2u);
    EXPECT_EQ(result.state.ready(), 2u);
    EXPECT_EQ(result.state.desired, 2);
    EXPECT_EQ(count_requests("GET", kPodPath), 0u);
    EXPECT_EQ(requests(), 2u);
}

TEST_F(RolloutTest, EndsIfWorkloadIsNotCurrent) {
    use_deployment(1);
    listed = {{{"a", "old", true, "c-old"}}};
    rollout.is_current = [](const Json&) { return false; };
    const auto result = wait();
    EXPECT_FALSE(result.done);
    EXPECT_FALSE(result.nothing_to_wait_for);
    EXPECT_THAT(result.problems, ElementsAre(HasSubstr("changed by another client")));
}

TEST_F(RolloutTest, WatchesUntilAllPodsAreReplaced) {
    use_deployment(2);
    const TestPod old_a{"a", "old", true, "c-old"}, old_b{"b", "old", true, "c-old"};
    listed = {{old_a, old_b}, {{"c"}, {"d"}, old_b}, {{"c"}, {"d"}}};
    responder.on("GET", kPodPath + "?limit=500", {pod_list({old_a, old_b})});
    const Json c = json_of({"c"}, 10), d = json_of({"d"}, 12);
    responder.on("GET", kPodPath + "?watch=true&allowWatchBookmarks=true&resourceVersion=1&timeoutSeconds=2",
                 {events({event("ADDED", json_of({"c", "new", false}, 9)), event("MODIFIED", c)})});
    responder.on("GET", kPodPath + "?watch=true&allowWatchBookmarks=true&resourceVersion=9&timeoutSeconds=2",
                 {events({event("MODIFIED", c), event("DELETED", json_of(old_a, 11)), event("ADDED", d),
                          event("DELETED", json_of(old_b, 13))})});
    const auto result = wait();
    EXPECT_TRUE(result.done);
    EXPECT_TRUE(result.state.old.empty());
    EXPECT_THAT(progress.front(), "0 of 2 pods replaced");
    EXPECT_THAT(progress.back(), "2 of 2 pods replaced");
    // The new controller is looked up once, and a list confirms the end.
    EXPECT_EQ(lists, 3u);
    EXPECT_EQ(count_requests("GET", "watch=true"), 2u);
}

TEST_F(RolloutTest, WatchesPodsThatMatchSelector) {
    use_workload("Deployment", "deployments",
                 {{"replicas", 1}, {"selector", {{"matchLabels", {{"app", "web"}, {"tier", "x"}, {"odd", 1}}}}}});
    listed = {{{"a", "old"}}, {{"b"}}};
    responder.on("GET", kPodPath, {status_answer(404, "NotFound")});
    give_up_after(milliseconds(300));
    EXPECT_THROW(wait(), ApiError);
    EXPECT_EQ(seen(1).target, kPodPath + "?labelSelector=app%3Dweb%2Ctier%3Dx&limit=500");
}

TEST_F(RolloutTest, WaitsUntilControllerObservesChange) {
    use_workload("Deployment", "deployments", {{"replicas", 1}}, {{"observedGeneration", 2}});
    Json seen_by_controller = workload.object;
    seen_by_controller["status"]["observedGeneration"] = 3;
    responder.on("GET", path,
                 {json_answer(workload.object), json_answer(workload.object), json_answer(seen_by_controller)});
    listed = {{{"a"}}};
    const auto result = wait();
    EXPECT_TRUE(result.done);
    EXPECT_TRUE(result.state.observed);
    EXPECT_EQ(count_requests("GET", path), 3u);
}

TEST_F(RolloutTest, ReportsReasonsAfterDeadline) {
    use_deployment(2);
    Json pending = json_of({"c", "new", false}, 1);
    pending["status"] = Json::parse(R"({"phase":"Pending","conditions":[{"type":"PodScheduled","status":"False",
        "reason":"Unschedulable","message":"0/2 nodes are available: 2 Insufficient nvidia.com/gpu."}]})");
    Client client(session());
    Discovery discovery(session());
    rollout.on_progress = [&](const std::string& line) { progress.push_back(line); };
    rollout.report_delay = std::chrono::milliseconds(0);
    rollout.list_pods = [&] { return std::vector<Json>{pending, json_of({"b", "old"})}; };
    Answer quiet;
    quiet.end = Answer::End::kHold;
    responder.on(
        "GET", kPodPath + "?limit=500",
        {json_answer({{"metadata", {{"resourceVersion", "1"}}}, {"items", {pending, json_of({"b", "old"})}}})});
    responder.on("GET", kPodPath, {quiet});
    give_up_after(milliseconds(300));
    const auto started = Clock::now();
    const auto result = wait_for_rollout(client, discovery, workload, is_new, rollout);
    EXPECT_LT(Clock::now() - started, seconds(3));
    EXPECT_FALSE(result.done);
    EXPECT_EQ(result.state.old.size(), 1u);
    EXPECT_THAT(result.problems, ElementsAre(HasSubstr("c Pending: 0/2 nodes are available: 2 Insufficient nvidia.com/"
                                                       "gpu; all GPUs are in use")));
    EXPECT_THAT(progress, ElementsAre("1 of 2 pods replaced, 0 ready, c Pending: 0/2 nodes are available: 2 "
                                      "Insufficient nvidia.com/gpu"));
}

TEST_F(RolloutTest, ReportsCountsWithoutKnownReason) {
    use_deployment(2);
    listed = {{{"a"}, {"b", "old", true, "c-old", true}}};
    responder.on("GET", kPodPath, {pod_list({{"a"}, {"b", "old", true, "c-old", true}})});
    give_up_after(milliseconds(100));
    const auto result = wait();
    EXPECT_FALSE(result.done);
    EXPECT_THAT(
        result.problems,
        ElementsAre("deployment.apps/web in namespace prod has 1 of 2 new pods, 1 of them ready, and 1 old pods, "
                    "1 of them terminating; use a longer --timeout"));
}

TEST_F(RolloutTest, ExistsAcceptsUnreadyPods) {
    use_deployment(1);
    listed = {{{"a", "new", false}}};
    rollout.need = NewPod::kExists;
    EXPECT_TRUE(wait().done);
}

TEST_F(RolloutTest, HasRunAcceptsRunningAndCrashedPods) {
    use_deployment(1);
    listed = {{{"a", "new", false}}};
    rollout.need = NewPod::kHasRun;
    responder.on("GET", kPodPath, {pod_list(listed[0])});
    give_up_after(milliseconds(100));
    EXPECT_FALSE(wait().done) << "the container has not started";
    TestPod crashed = listed[0][0], not_ready = crashed;
    crashed.restarts = 1;
    not_ready.running = true;
    for (const TestPod& pod : {crashed, not_ready}) {
        listed = {{pod}};
        give_up_after(std::chrono::seconds(10));
        EXPECT_TRUE(wait().done);
    }
}

TEST_F(RolloutTest, DoesNotWaitWithoutReplicas) {
    use_deployment(0);
    const auto result = wait();
    EXPECT_TRUE(result.done);
    EXPECT_TRUE(result.nothing_to_wait_for);
}

TEST_F(RolloutTest, DoesNotWaitForNextRunOfCronJob) {
    use_deployment(1);
    workload.replacement = Replacement::kNextRun;
    EXPECT_TRUE(wait().nothing_to_wait_for);
    EXPECT_EQ(requests(), 0u);
}

TEST_F(RolloutTest, ReportsPausedDeployment) {
    use_workload("Deployment", "deployments", {{"replicas", 1}, {"paused", true}});
    listed = {{{"a"}}};
    EXPECT_TRUE(wait().done) << "all pods already have the new template";
    listed = {{{"a", "old"}}};
    lists = 0;
    const auto result = wait();
    EXPECT_FALSE(result.done);
    EXPECT_TRUE(result.nothing_to_wait_for);
    EXPECT_THAT(result.problems, ElementsAre(HasSubstr("kubectl rollout resume deployment web -n prod")));
}

TEST_F(RolloutTest, ReadsDesiredCountOfDaemonSet) {
    use_workload("DaemonSet", "daemonsets", Json::object(), {{"desiredNumberScheduled", 2}});
    listed = {{{"a"}, {"b"}}};
    EXPECT_EQ(wait().state.desired, 2);
}

TEST_F(RolloutTest, KindsWithoutReplicaCountWaitForEarlierNumberOfPods) {
    use_graph();
    responder.on("GET", kPodPath, {pod_list({{"a"}})});
    listed = {{{"a"}}};
    EXPECT_TRUE(wait().done);
    rollout.pods_before = 2;
    give_up_after(milliseconds(100));
    EXPECT_FALSE(wait().done);
}

TEST_F(RolloutTest, CountsPodCreatedBeforeTheWaitOnce) {
    use_graph();
    rollout.need = NewPod::kExists;
    rollout.pods_before = 0;
    const TestPod old_a{"a", "old", true, "c-old"}, old_b{"b", "old", true, "c-old"};
    listed = {{old_a, old_b, {"c"}}, {{"c"}, {"d"}}};
    responder.on("GET", kPodPath, {pod_list({{"c"}, {"d"}})});
    give_up_after(std::chrono::seconds(10));
    EXPECT_TRUE(wait().done);
}

class PinnedRolloutTest : public RolloutTest {
protected:
    PinnedRolloutTest() {
        rollout.pinned = true;
        rollout.report_delay = rollout.controller_pause = std::chrono::milliseconds(0);
        responder.on("GET", kPodPath, {pod_list({})});
    }

    static Json unschedulable(const std::string& name) {
        Json pod = json_of({name, "new", false});
        pod["status"]["conditions"].push_back({{"type", "PodScheduled"}, {"status", "False"}});
        return pod;
    }

    RolloutResult wait_with(const std::vector<Json>& pods, std::chrono::milliseconds limit = std::chrono::seconds(10)) {
        rollout.list_pods = [&] { return pods; };
        give_up_after(limit);
        Client client(session());
        Discovery discovery(session());
        return wait_for_rollout(client, discovery, workload, is_new, rollout);
    }

    static constexpr std::chrono::milliseconds kShort{300};
};

TEST_F(PinnedRolloutTest, UnschedulablePodsEndWait) {
    use_deployment(2);
    const RolloutResult result = wait_with({json_of({"a"}), unschedulable("b")});
    EXPECT_TRUE(result.done);
    EXPECT_EQ(result.state.wanted.size(), 2u);
    EXPECT_FALSE(wait_with({unschedulable("a"), unschedulable("b")}, kShort).done) << "no new pod is Ready";
}

TEST_F(PinnedRolloutTest, CrashingPodIsNotUnschedulable) {
    use_graph();
    TestPod crashed{"a", "new", false};
    crashed.restarts = 1;
    Json crashing = json_of(crashed);
    crashing["status"]["conditions"].push_back({{"type", "PodScheduled"}, {"status", "True"}});
    const std::vector<Json> pods = {crashing, unschedulable("b"), json_of({"c", "old"})};
    EXPECT_FALSE(wait_with(pods, kShort).done);
    rollout.need = NewPod::kHasRun;
    EXPECT_TRUE(wait_with(pods).done);
}

TEST_F(PinnedRolloutTest, EndsIfControllerKeepsOldPods) {
    use_graph();
    const RolloutResult result = wait_with({json_of({"a"}), unschedulable("b"), json_of({"c", "old"})});
    EXPECT_TRUE(result.done);
    EXPECT_EQ(result.state.old.size(), 1u);
}

TEST_F(PinnedRolloutTest, KeptOldPodsEndWaitOnlyIfNoPodChanges) {
    use_graph();
    const Json terminating = json_of({"c", "old", true, "c-old", true});
    EXPECT_FALSE(wait_with({json_of({"a"}), unschedulable("b"), terminating}, kShort).done)
        << "the terminating pod may free its GPU";
    EXPECT_FALSE(wait_with({unschedulable("b"), json_of({"c", "old"})}, kShort).done) << "no new pod is Ready";
    EXPECT_FALSE(wait_with({json_of({"a"}), json_of({"c", "old"})}, kShort).done) << "no pod is unschedulable";
    const Json starting = json_of({"d", "new", false});
    EXPECT_FALSE(wait_with({json_of({"a"}), unschedulable("b"), starting, json_of({"c", "old"})}, kShort).done);
    rollout.controller_pause = std::chrono::seconds(10);
    EXPECT_FALSE(wait_with({json_of({"a"}), unschedulable("b"), json_of({"c", "old"})}, kShort).done)
        << "controller_pause has not elapsed";
}

TEST_F(RolloutTest, PartitionKeepsLowerOrdinals) {
    use_workload(
        "StatefulSet", "statefulsets",
        {{"replicas", 3}, {"updateStrategy", {{"type", "RollingUpdate"}, {"rollingUpdate", {{"partition", 1}}}}}});
    listed = {{{"web-0", "old"}, {"web-1"}, {"web-2"}}};
    const auto result = wait();
    EXPECT_TRUE(result.done);
    EXPECT_EQ(result.state.desired, 2);
    EXPECT_TRUE(result.state.old.empty());
    EXPECT_THAT(progress, Contains(HasSubstr("has partition 1")));
}

TEST_F(RolloutTest, LooksUpPodsOfOtherWorkloadsOnce) {
    use_deployment(1);
    listed = {{{"a", "old", true, "ray"}}, {{"a", "old", true, "ray"}}, {{"b", "new", true, "ray"}}};
    const TestPod head{"head", "old", true, "ray"}, other{"other", "old", true, "foreign"};
    responder.on("GET", kPodPath + "?limit=500", {pod_list({{"a", "old", true, "ray"}, head, other})});
    responder.on("GET", kPodPath + "?watch=true&allowWatchBookmarks=true&resourceVersion=1&timeoutSeconds=2",
                 {events({event("MODIFIED", json_of(head, 2)), event("MODIFIED", json_of(other, 3)),
                          event("ADDED", json_of({"other-2", "old", true, "foreign"}, 4)),
                          event("DELETED", json_of({"a", "old", true, "ray"}, 5)),
                          event("ADDED", json_of({"b", "new", true, "ray"}, 6))})});
    const auto result = wait();
    EXPECT_TRUE(result.done);
    EXPECT_EQ(lists, 4u);  // at the start; for head and other; for b, whose controller is mixed; and to confirm
    EXPECT_THAT(progress, Not(Contains(HasSubstr("of 1 pods replaced, 1 terminating"))));
}

TEST_F(RolloutTest, ReportsPodsToDeleteWithoutConsent) {
    use_workload("StatefulSet", "statefulsets", {{"replicas", 2}, {"updateStrategy", {{"type", "OnDelete"}}}});
    workload.replacement = Replacement::kOnDelete;
    listed = {{{"web-0", "old"}, {"web-1", "old"}}};
    const auto result = wait();
    EXPECT_FALSE(result.done);
    EXPECT_THAT(result.problems, ElementsAre("statefulset.apps/web in namespace prod replaces only pods that are "
                                             "deleted: delete web-1, web-0, one after another, or use --delete-pods"));
    EXPECT_EQ(count_requests("DELETE", ""), 0u);
}

TEST_F(RolloutTest, DeletesPodsOneAtATimeWithConsent) {
    use_workload("StatefulSet", "statefulsets", {{"replicas", 2}});
    workload.replacement = Replacement::kOnDelete;
    rollout.delete_stuck = true;
    const TestPod old_0{"web-0", "old"}, old_1{"web-1", "old"};
    const TestPod new_0{"web-0"}, new_1{"web-1"};
    listed = {{old_0, old_1}, {new_0, new_1}};
    responder.on("DELETE", kPodPath + "/web-1", {json_answer(json_of(old_1))});
    responder.on("DELETE", kPodPath + "/web-0", {json_answer(json_of(old_0))});
    responder.on("GET", kPodPath + "?limit=500", {pod_list({old_0, old_1})});
    responder.on("GET", kPodPath + "?watch=true&allowWatchBookmarks=true&resourceVersion=1&timeoutSeconds=2",
                 {events({event("DELETED", json_of(old_1, 2)), event("ADDED", json_of({"web-1", "new", false}, 3)),
                          event("MODIFIED", json_of(new_1, 4))})});
    responder.on("GET", kPodPath + "?watch=true&allowWatchBookmarks=true&resourceVersion=4&timeoutSeconds=2",
                 {events({event("DELETED", json_of(old_0, 5)), event("ADDED", json_of(new_0, 6))})});
    for (TestPod& pod : listed[0]) pod.controller = "c-new";
    const auto result = wait();
    EXPECT_TRUE(result.done);
    std::vector<std::string> deleted;
    for (const SeenRequest& request : responder.requests()) {
        if (request.method == "DELETE") deleted.push_back(request.target);
    }
    EXPECT_THAT(deleted, ElementsAre(kPodPath + "/web-1", kPodPath + "/web-0"));
    EXPECT_THAT(progress, Contains("deleted pod web-1 of the old template"));
}

TEST_F(RolloutTest, OrderedSetDeletesOnlyUnreadyPods) {
    use_workload("StatefulSet", "statefulsets", {{"replicas", 2}});
    workload.replacement = Replacement::kOrderedReady;
    rollout.report_delay = milliseconds(0);
    listed = {{{"web-0", "old"}, {"web-1", "old", false}}};
    responder.on("GET", kPodPath, {pod_list(listed[0])});
    give_up_after(milliseconds(500));
    const auto needed = AllOf(HasSubstr("never replaces pods"), HasSubstr("delete web-1, one"));
    EXPECT_THAT(wait().problems, ElementsAre(needed));
    EXPECT_THAT(progress, ElementsAre(AllOf(StartsWith("0 of 2 pods replaced, "), needed)));
    rollout.delete_stuck = true;
    responder.on("DELETE", kPodPath + "/web-1", {json_answer(json_of({"web-1", "old"}))});
    give_up_after(milliseconds(1000));
    wait();
    EXPECT_EQ(count_requests("DELETE", ""), 1u);
    EXPECT_EQ(count_requests("DELETE", "/web-1"), 1u);
}

TEST_F(RolloutTest, DeletesNoPodWhileReplacementStarts) {
    use_workload("StatefulSet", "statefulsets", {{"replicas", 2}});
    workload.replacement = Replacement::kOnDelete;
    rollout.delete_stuck = true;
    constexpr milliseconds kShortLimit{100}, kLongLimit{500};
    TestPod old_0{"web-0", "old"};
    // Uses a short limit where no deletion is expected, and a long limit where a deletion is expected, because the
    // machine may be busy.
    const auto deletions_with_replacement = [&](const TestPod& pod, NewPod need, milliseconds limit) {
        rollout.need = need;
        listed = {{old_0, pod}};
        lists = 0;
        responder.on("GET", kPodPath, {pod_list(listed[0])});
        responder.on("DELETE", kPodPath + "/web-0", {json_answer(json_of(old_0))});
        const size_t before = count_requests("DELETE", "/web-0");
        give_up_after(limit);
        wait();
        return count_requests("DELETE", "/web-0") - before;
    };
    const TestPod starting{"web-1", "new", false};
    TestPod crashed = starting;
    crashed.restarts = 1;
    for (const NewPod need : {NewPod::kExists, NewPod::kHasRun, NewPod::kReady}) {
        EXPECT_EQ(deletions_with_replacement(starting, need, kShortLimit), 0u);
        EXPECT_EQ(deletions_with_replacement({"web-1"}, need, kLongLimit), 1u);
        const bool is_deletion_expected = need != NewPod::kReady;
        EXPECT_EQ(deletions_with_replacement(crashed, need, is_deletion_expected ? kLongLimit : kShortLimit),
                  is_deletion_expected ? 1u : 0u);
    }
    old_0.ready = false;
    EXPECT_EQ(deletions_with_replacement(starting, NewPod::kExists, kLongLimit), 1u)
        << "an unready old pod may be deleted";
}

TEST_F(RolloutTest, ReportsRejectedDeletion) {
    use_workload("StatefulSet", "statefulsets", {{"replicas", 1}});
    workload.replacement = Replacement::kOnDelete;
    rollout.delete_stuck = true;
    listed = {{{"web-0", "old"}}};
    responder.on("DELETE", kPodPath + "/web-0",
                 {status_answer(403, "Forbidden", R"(User "ada" cannot delete resource "pods")")});
    const auto result = wait();
    EXPECT_FALSE(result.done);
    EXPECT_THAT(result.problems.at(0), HasSubstr("verb delete on pods"));
}

}  // namespace

}  // namespace cudafault::kube
