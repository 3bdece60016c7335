// SPDX-License-Identifier: Apache-2.0
#include "kube/plan/acknowledgement.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "kube/api/common/cancellation.hpp"
#include "kube/api/testing/session_testing.hpp"

namespace cudafault::kube {

namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

std::string path_of_pod(const std::string& pod) { return "/api/v1/namespaces/prod/pods/" + pod; }

Json pod(const std::string& name, const std::string& state = "running") {
    const Json status = {{"name", "main"}, {"state", {{state, Json::object()}}}};
    return {{"metadata", {{"name", name}, {"namespace", "prod"}, {"uid", "uid-" + name}}},
            {"status", {{"phase", "Running"}, {"containerStatuses", {status}}}}};
}

Answer acknowledges(int plan_revision) {
    Answer answer;
    answer.body = fmt::format(R"({{"cudafault":"acknowledged","sequence":2,"pid":1,"start_time":9,"boot_id":"b",)"
                              R"("revision":3,"plan_revision":{},"faults":1,"fired":0}})"
                              "\n",
                              plan_revision);
    return answer;
}

class AcknowledgementTest : public SessionTest {
protected:
    AcknowledgementTest() {
        wait_options.interval = milliseconds(5);
        wait_options.deadline = after(milliseconds(200));
    }

    void log_of(const std::string& name, std::vector<Answer> answers) {
        responder.on("GET", path_of_pod(name) + "/log", std::move(answers));
    }

    std::vector<AcknowledgingContainer> wait(std::vector<AcknowledgingContainer> containers) {
        Client client(session());
        return wait_for_acknowledgement(client, std::move(containers), 7, wait_options);
    }

    AcknowledgementOptions wait_options;
};

TEST_F(AcknowledgementTest, WaitsForEachContainer) {
    log_of("a", {Answer(), acknowledges(6), acknowledges(7)});
    log_of("b", {acknowledges(8)});
    std::vector<std::string> progress;
    wait_options.deadline = after(std::chrono::seconds(30));
    wait_options.on_progress = [&](const std::vector<AcknowledgingContainer>& containers) {
        std::string states;
        for (const auto& container : containers) states += container.state == Acknowledgement::kYes ? "y" : "n";
        progress.push_back(states);
    };
    const auto containers = wait({{pod("a"), "main"}, {pod("b"), "main"}});
    EXPECT_EQ(containers[0].state, Acknowledgement::kYes);
    EXPECT_EQ(containers[0].processes, 1u);
    EXPECT_EQ(containers[1].state, Acknowledgement::kYes);
    EXPECT_THAT(progress, testing::ElementsAre("nn", "ny", "yy"));
    EXPECT_EQ(requests(), 4u);  // a container that acknowledged is not read again
    EXPECT_EQ(seen(0).target, path_of_pod("a") + "/log?container=main&sinceSeconds=3&limitBytes=4194304");
}

TEST_F(AcknowledgementTest, ReportsContainersWithoutAcknowledgementAtTheDeadline) {
    log_of("a", {acknowledges(6)});
    const auto containers = wait({{pod("a"), "main"}});
    EXPECT_EQ(containers[0].state, Acknowledgement::kNo);
    EXPECT_EQ(containers[0].processes, 0u);
}

TEST_F(AcknowledgementTest, DoesNotWaitForContainersThatDoNotRun) {
    const auto containers = wait({{pod("a", "waiting"), "main"}, {pod("b", "terminated"), "main"}, {pod("c"), "none"}});
    for (const auto& container : containers) {
        EXPECT_EQ(container.state, Acknowledgement::kNotRunning);
        EXPECT_THAT(container.why, HasSubstr("reads the plan when it starts"));
    }
    EXPECT_EQ(requests(), 0u);
}

TEST_F(AcknowledgementTest, AForbiddenLogIsUnknownImmediately) {
    log_of("a", {status_answer(403, "Forbidden")});
    log_of("b", {status_answer(400, "BadRequest", "container main is waiting to start: ContainerCreating")});
    const auto containers = wait({{pod("a"), "main"}, {pod("b"), "main"}});
    EXPECT_EQ(containers[0].state, Acknowledgement::kUnknown);
    EXPECT_THAT(containers[0].why, HasSubstr("log of pod/a"));
    EXPECT_EQ(containers[1].state, Acknowledgement::kNotRunning);
    EXPECT_EQ(requests(), 2u);
}

TEST_F(AcknowledgementTest, RetriesATemporaryFailure) {
    log_of("a", {status_answer(405, "MethodNotAllowed"), acknowledges(7)});
    EXPECT_EQ(wait({{pod("a"), "main"}})[0].state, Acknowledgement::kYes);
}

TEST_F(AcknowledgementTest, ReportsAPersistentFailureAsUnknownAndRetriesInTheNextWait) {
    log_of("a", {status_answer(405, "MethodNotAllowed")});
    auto containers = wait({{pod("a"), "main"}});
    EXPECT_EQ(containers[0].state, Acknowledgement::kUnknown);
    log_of("a", {acknowledges(7)});
    wait_options.deadline = after(milliseconds(200));
    containers = wait(containers);
    EXPECT_EQ(containers[0].state, Acknowledgement::kYes);
    EXPECT_EQ(containers[0].why, "");
}

TEST_F(AcknowledgementTest, DetectsAContainerThatEndsDuringTheWait) {
    log_of("a", {Answer()});
    log_of("b", {Answer()});
    log_of("c", {Answer()});
    Json recreated = pod("b");
    recreated["metadata"]["uid"] = "another";
    responder.on("GET", path_of_pod("a"), {json_answer(pod("a", "waiting"))});
    responder.on("GET", path_of_pod("b"), {json_answer(recreated)});
    wait_options.interval = milliseconds(300);
    wait_options.deadline = after(std::chrono::seconds(30));
    const auto containers = wait({{pod("a"), "main"}, {pod("b"), "main"}, {pod("c"), "main"}});
    for (const auto& container : containers) EXPECT_EQ(container.state, Acknowledgement::kNotRunning);
    EXPECT_THAT(containers[1].why, HasSubstr("pod b was deleted"));
}

TEST_F(AcknowledgementTest, ASlowNodeDoesNotDelayOtherNodes) {
    Answer slow;
    slow.before_head = std::chrono::seconds(10);
    log_of("a", {slow});
    log_of("b", {acknowledges(7)});
    log_of("c", {Answer(), acknowledges(7)});
    wait_options.deadline = after(milliseconds(1400));
    const auto containers = wait({{pod("a"), "main"}, {pod("b"), "main"}, {pod("c"), "main"}});
    EXPECT_EQ(containers[0].state, Acknowledgement::kUnknown);
    EXPECT_THAT(containers[0].why, HasSubstr("check that its node is up"));
    EXPECT_EQ(containers[1].state, Acknowledgement::kYes);
    EXPECT_EQ(containers[2].state, Acknowledgement::kYes);
}

TEST_F(AcknowledgementTest, ReturnsAnEmptyResultWithoutContainers) { EXPECT_TRUE(wait({}).empty()); }

}  // namespace

}  // namespace cudafault::kube
