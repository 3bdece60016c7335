// SPDX-License-Identifier: Apache-2.0
#include "kube/plan/pod_evidence.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "kube/api/common/cancellation.hpp"
#include "kube/api/testing/session_testing.hpp"

namespace cudafault::kube {

namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::string kBoot = "4b1d1c2e-8a3f-4a55-9a52-5d6c1c7a0001";
const std::string kLog = "/api/v1/namespaces/prod/pods/web-1/log";

// Formats a line as src/preload/evidence/evidence.cpp does; `more_fields` begins with a comma.
std::string line(const std::string& event, int sequence, const std::string& more_fields = "", int pid = 1) {
    return fmt::format(R"({{"cudafault":"{}","time_ns":{},"sequence":{},"pid":{},"start_time":{},"boot_id":"{}"{}}})"
                       "\n",
                       event, 1'764'000'000'000'000'000 + sequence, sequence, pid, 1000 + pid, kBoot, more_fields);
}

std::string acknowledged(int sequence, int revision, int plan_revision, int fired = 0, int pid = 1) {
    return line(
        "acknowledged", sequence,
        fmt::format(R"(,"revision":{},"plan_revision":{},"faults":2,"fired":{})", revision, plan_revision, fired), pid);
}

std::string fired(int sequence, int revision, int count, int pid = 1) {
    return line("fired", sequence,
                fmt::format(R"(,"revision":{},"plan_revision":{},"fault":0,"function":"cudaMalloc","effect":"error",)"
                            R"("code":46,"matched":{},"fired":{})",
                            revision, revision + 10, count, count),
                pid);
}

std::vector<ProcessEvidence> read(const std::string& log) {
    EvidenceReader reader;
    reader.read(log);
    return reader.processes();
}

TEST(EvidenceReader, SummarizesTheLinesOfAProcess) {
    const auto processes = read("starting\n" + line("library seen", 1) + acknowledged(2, 1, 11) + "working\n" +
                                fired(3, 1, 1) + fired(4, 1, 2));
    ASSERT_EQ(processes.size(), 1u);
    const ProcessEvidence& process = processes[0];
    EXPECT_TRUE(process.library_seen);
    EXPECT_EQ(process.boot_id, kBoot);
    EXPECT_EQ(process.acknowledged, 11u);
    EXPECT_EQ(process.faults, 2u);
    EXPECT_EQ(process.fired, 2u);
    EXPECT_EQ(process.fired_in_all, 2u);
    EXPECT_FALSE(process.fired_is_lower_bound);
    EXPECT_EQ(process.last_function, "cudaMalloc");
    EXPECT_EQ(process.last_sequence, 4u);
    EXPECT_EQ(process.first_fired_ns, 1'764'000'000'000'000'003u);
    EXPECT_EQ(process.last_time_ns, 1'764'000'000'000'000'004u);
}

TEST(EvidenceReader, CountsOnlyUnderTheLastPlan) {
    const auto process =
        read(acknowledged(1, 1, 11) + fired(2, 1, 7) + acknowledged(3, 2, 12, 9) + fired(4, 2, 30)).at(0);
    EXPECT_EQ(process.acknowledged, 12u);
    EXPECT_EQ(process.fired, 21u);
    EXPECT_EQ(process.fired_in_all, 30u);
    EXPECT_FALSE(process.fired_is_lower_bound);
}

TEST(EvidenceReader, CountsNoCallsUnderADisarmedPlan) {
    const auto process = read(acknowledged(1, 1, 11) + fired(2, 1, 7) + acknowledged(3, 2, 12, 7)).at(0);
    EXPECT_EQ(process.acknowledged, 12u);
    EXPECT_EQ(process.fired, 0u);
    EXPECT_EQ(process.fired_in_all, 7u);
}

TEST(EvidenceReader, CountsACallThatFailsBeforeTheAcknowledgement) {
    const auto processes = read(acknowledged(1, 2, 11, 8) + fired(2, 2, 8) + fired(3, 2, 9) + fired(4, 2, 10));
    EXPECT_EQ(processes.at(0).fired, 3u);
}

TEST(EvidenceReader, ADeletedPlanFileHasNoRevision) {
    const auto process = read(acknowledged(1, 1, 11) + line("acknowledged", 2, R"(,"revision":2,"faults":0)")).at(0);
    EXPECT_EQ(process.acknowledged, std::nullopt);
    EXPECT_EQ(process.faults, 0u);
}

TEST(EvidenceReader, CountsADuplicateLineOnceInAnyOrder) {
    const std::string log = acknowledged(1, 1, 11) + fired(2, 1, 1) + fired(3, 1, 2);
    EvidenceReader reader;
    reader.read(log);
    reader.read(fired(3, 1, 2) + fired(2, 1, 1));
    reader.read(log);
    ASSERT_EQ(reader.processes().size(), 1u);
    EXPECT_EQ(reader.processes()[0].fired, 2u);
}

TEST(EvidenceReader, DistinguishesProcesses) {
    const auto processes = read(acknowledged(1, 1, 12, 0, 7) + line("library seen", 1) + acknowledged(2, 1, 11));
    ASSERT_EQ(processes.size(), 2u);
    EXPECT_EQ(processes[0].pid + processes[1].pid, 8u);
    // After a container restarts, its process has PID 1 again.
    std::string restarted = line("library seen", 1);
    restarted.replace(restarted.find("1001"), 4, "2001");
    EXPECT_EQ(read(line("library seen", 1) + restarted).size(), 2u);
}

TEST(EvidenceReader, MissingLinesYieldALowerBound) {
    const auto lost_acknowledgement = read(fired(5, 1, 20) + fired(6, 1, 25)).at(0);
    EXPECT_EQ(lost_acknowledgement.acknowledged, 11u);
    EXPECT_EQ(lost_acknowledgement.fired, 6u);
    EXPECT_TRUE(lost_acknowledgement.fired_is_lower_bound);
    const auto lost_later = read(acknowledged(1, 1, 11) + fired(3, 1, 2)).at(0);
    EXPECT_EQ(lost_later.fired, 2u);
    EXPECT_TRUE(lost_later.fired_is_lower_bound);
    const auto lost_before = read(acknowledged(7, 3, 13, 5) + fired(8, 3, 6)).at(0);
    EXPECT_EQ(lost_before.fired, 1u);
    EXPECT_FALSE(lost_before.fired_is_lower_bound);
}

TEST(EvidenceReader, CountIsALowerBoundAfterTheLastEagerLine) {
    std::string log = acknowledged(1, 1, 11);
    for (int i = 1; i < 32; ++i) log += fired(i + 1, 1, i);
    EXPECT_EQ(read(log).at(0).fired, 31u);
    EXPECT_FALSE(read(log).at(0).fired_is_lower_bound);
    log += fired(33, 1, 32);
    EXPECT_EQ(read(log).at(0).fired, 32u);
    EXPECT_TRUE(read(log).at(0).fired_is_lower_bound)
        << "after the first 32 lines, the library logs at most one line per second";
    EXPECT_FALSE(read(log + acknowledged(34, 2, 12, 40)).at(0).fired_is_lower_bound)
        << "the limit on fired lines applies to each plan separately";
    const std::string disarmed = line("acknowledged", 34, R"(,"revision":2,"plan_revision":12,"faults":0,"fired":40)");
    EXPECT_EQ(read(log + disarmed).at(0).fired, 0u);
    EXPECT_FALSE(read(log + disarmed).at(0).fired_is_lower_bound) << "a disarmed plan cannot make calls fail";
}

TEST(EvidenceReader, UsesTheExactNumberOfACountLine) {
    std::string log = acknowledged(1, 1, 11, 5);
    for (int i = 1; i <= 32; ++i) log += fired(i + 1, 1, i + 5);
    log += line("count", 34, R"(,"revision":1,"plan_revision":11,"fired":505)");
    EXPECT_EQ(read(log).at(0).fired, 500u);
    EXPECT_FALSE(read(log).at(0).fired_is_lower_bound);
    EXPECT_EQ(read(log).at(0).last_function, "cudaMalloc");
    EXPECT_TRUE(read(log + fired(35, 1, 900)).at(0).fired_is_lower_bound) << "calls failed after the count line";
}

TEST(EvidenceReader, DoesNotCountAFaultOfTheOldPlanForTheNewPlan) {
    const auto process = read(acknowledged(1, 1, 11) + acknowledged(2, 2, 12, 3) + fired(3, 1, 4)).at(0);
    EXPECT_EQ(process.acknowledged, 12u);
    EXPECT_EQ(process.fired, 0u);
}

TEST(EvidenceReader, ReadsLinesAfterTextWithoutANewline) {
    EvidenceReader reader;
    reader.read("progress 10%..." + line("library seen", 1) + "\r\n" + R"({"level":"info"})" + acknowledged(2, 1, 11));
    ASSERT_EQ(reader.processes().size(), 1u);
    EXPECT_TRUE(reader.processes()[0].library_seen);
    EXPECT_EQ(reader.processes()[0].acknowledged, 11u);
    EXPECT_EQ(reader.broken(), 0u);
}

TEST(EvidenceReader, CountsAndIgnoresBrokenLines) {
    const std::string complete_line = fired(2, 1, 1);
    for (const std::string& broken :
         {complete_line.substr(0, complete_line.size() / 2), std::string(R"({"cudafault":1})"),
          std::string(R"({"cudafault":"fired","pid":"x","start_time":1,"sequence":1})"),
          std::string(R"({"cudafault":"fired","pid":-1,"start_time":1,"sequence":1})"), std::string(R"({"cudafault":)"),
          std::string("{\"cudafault\":\"\xff\"}")}) {
        EvidenceReader reader;
        reader.read(broken + acknowledged(1, 1, 11));
        EXPECT_EQ(reader.broken(), 1u) << broken;
        EXPECT_EQ(reader.processes().size(), 1u) << broken;
    }
    EXPECT_THAT(read(R"(he said {\"cudafault\":\"fired\"})"), IsEmpty());
}

Json pod(int restarts = 0) {
    return {
        {"metadata", {{"name", "web-1"}, {"namespace", "prod"}, {"uid", "u1"}}},
        {"status", {{"phase", "Running"}, {"containerStatuses", {{{"name", "main"}, {"restartCount", restarts}}}}}}};
}

Answer log(const std::string& text) {
    Answer answer;
    answer.body = text;
    return answer;
}

const std::string kFiller(16 << 20, '.');

class PodEvidenceTest : public SessionTest {
protected:
    ContainerEvidence read_pod(const Json& pod) {
        Client client(session());
        return evidence_of(client, pod, "main");
    }

    const std::string current = kLog + "?container=main&limitBytes=16777216";
    const std::string previous = kLog + "?container=main&previous=true&limitBytes=16777216";
};

TEST_F(PodEvidenceTest, ReadsOneLogWithoutARestart) {
    responder.on("GET", current, {log(line("library seen", 1) + acknowledged(2, 1, 11) + fired(3, 1, 1))});
    const auto evidence = read_pod(pod());
    EXPECT_TRUE(evidence.log_read);
    EXPECT_TRUE(evidence.is_library_seen());
    EXPECT_EQ(evidence.acknowledged(), 11u);
    EXPECT_EQ(evidence.fired(), 1u);
    EXPECT_FALSE(evidence.fired_is_lower_bound());
    EXPECT_EQ(requests(), 1u);
}

TEST_F(PodEvidenceTest, CountsAProcessInBothLogsOnce) {
    const std::string text = line("library seen", 1) + acknowledged(2, 1, 11) + fired(3, 1, 1);
    responder.on("GET", current, {log(text)});
    responder.on("GET", previous, {log(text)});
    const auto evidence = read_pod(pod(3));
    EXPECT_EQ(evidence.processes.size(), 1u);
    EXPECT_EQ(evidence.fired(), 1u);
    EXPECT_TRUE(evidence.fired_is_lower_bound());
}

TEST_F(PodEvidenceTest, MissingPreviousLogYieldsALowerBound) {
    responder.on("GET", current, {log(line("library seen", 1))});
    responder.on("GET", previous, {log("unable to retrieve container logs for containerd://0123\n")});
    const auto evidence = read_pod(pod(1));
    EXPECT_TRUE(evidence.log_read);
    EXPECT_THAT(evidence.why_unknown, HasSubstr("was deleted from its node"));
    EXPECT_TRUE(evidence.is_library_seen());
    EXPECT_TRUE(evidence.fired_is_lower_bound());
}

TEST_F(PodEvidenceTest, MoreThanOneRestartYieldsALowerBound) {
    responder.on("GET", current, {log(line("library seen", 1))});
    responder.on("GET", previous, {log(line("library seen", 1, "", 2))});
    EXPECT_FALSE(read_pod(pod(1)).fired_is_lower_bound());
    EXPECT_TRUE(read_pod(pod(2)).fired_is_lower_bound());
}

TEST_F(PodEvidenceTest, CountsOnlyUnderTheNewestRevisionAfterACrash) {
    responder.on("GET", previous, {log(line("library seen", 1) + acknowledged(2, 1, 11) + fired(3, 1, 1))});
    responder.on("GET", current, {log(line("library seen", 1, "", 2) + acknowledged(2, 2, 12, 0, 2))});
    const auto evidence = read_pod(pod(1));
    EXPECT_EQ(evidence.acknowledged(), 12u) << "the process that has ended cannot acknowledge";
    EXPECT_EQ(evidence.fired(), 0u);
    EXPECT_FALSE(evidence.fired_is_lower_bound());
}

TEST_F(PodEvidenceTest, EarlierInstancesThanOneWithAnOlderRevisionDoNotCount) {
    responder.on("GET", previous, {log(line("library seen", 1) + acknowledged(2, 1, 11))});
    responder.on(
        "GET", current,
        {log(line("library seen", 1, "", 2) + acknowledged(2, 2, 12, 0, 2) + fired(3, 2, 1, 2) + fired(4, 2, 2, 2))});
    EXPECT_FALSE(read_pod(pod(7)).fired_is_lower_bound());
    responder.on("GET", previous, {log(line("library seen", 1) + acknowledged(2, 2, 12))});
    EXPECT_TRUE(read_pod(pod(7)).fired_is_lower_bound()) << "an earlier instance may have used revision 12";
}

TEST_F(PodEvidenceTest, ProcessesThatEndedUnderAnOlderRevisionDoNotCount) {
    responder.on("GET", current,
                 {log(line("library seen", 1) + acknowledged(2, 1, 11) + fired(3, 1, 1) + acknowledged(1, 2, 12, 0, 7) +
                      fired(2, 2, 1, 7))});
    const auto evidence = read_pod(pod());
    EXPECT_EQ(evidence.acknowledged(), 12u);
    EXPECT_EQ(evidence.fired(), 1u);
}

TEST_F(PodEvidenceTest, ReportsWhyALogCannotBeRead) {
    responder.on("GET", current,
                 {log("unable to retrieve container logs for containerd://0123\n"),
                  status_answer(400, "BadRequest", "container \"main\" in pod \"web-1\" is waiting to start"),
                  status_answer(403, "Forbidden", R"(User "ada" cannot get resource "pods/log")"),
                  status_answer(404, "NotFound")});
    for (const char* why : {"was deleted from its node", "is waiting to start", "with verb get on pods/log", "404"}) {
        const auto evidence = read_pod(pod());
        EXPECT_FALSE(evidence.log_read);
        EXPECT_THAT(evidence.why_unknown, HasSubstr(why));
        EXPECT_FALSE(evidence.is_library_seen());
        EXPECT_EQ(evidence.acknowledged(), std::nullopt);
        EXPECT_EQ(evidence.fired(), 0u);
    }
}

TEST_F(PodEvidenceTest, ReportsUnknownIfTheLogNeverBecomesReadable) {
    responder.on("GET", current, {dropped()});
    EXPECT_FALSE(read_pod(pod()).log_read);
}

TEST_F(PodEvidenceTest, ThrowsAtTheSessionDeadline) {
    options.deadline = after(std::chrono::milliseconds(100));
    Answer late = log("");
    late.before_head = std::chrono::seconds(5);
    responder.on("GET", current, {late});
    EXPECT_THROW(read_pod(pod()), DeadlinePassed);
}

TEST_F(PodEvidenceTest, CancellationStopsTheRead) {
    const auto cancellation = std::make_shared<Cancellation>();
    options.cancellation = cancellation;
    cancellation->cancel();
    EXPECT_THROW(read_pod(pod()), Cancelled);
}

TEST_F(PodEvidenceTest, BrokenLinesYieldALowerBound) {
    responder.on("GET", current, {log(acknowledged(1, 1, 11) + fired(2, 1, 1).substr(0, 60))});
    EXPECT_TRUE(read_pod(pod()).fired_is_lower_bound());
}

TEST_F(PodEvidenceTest, ReadsTheEndOfALongLog) {
    responder.on("GET", current, {log((acknowledged(1, 1, 11) + kFiller).substr(0, 16 << 20))});
    responder.on("GET", kLog, {log(fired(2, 1, 1))});
    const auto evidence = read_pod(pod());
    EXPECT_THAT(seen(1).target, HasSubstr("tailLines="));
    EXPECT_EQ(evidence.fired(), 1u);
    EXPECT_FALSE(evidence.fired_is_lower_bound());
}

TEST_F(PodEvidenceTest, ATruncatedLogYieldsALowerBound) {
    responder.on("GET", kLog, {log(acknowledged(1, 1, 11) + kFiller)});
    const auto evidence = read_pod(pod());
    EXPECT_TRUE(evidence.is_cut);
    EXPECT_TRUE(evidence.fired_is_lower_bound());
}

TEST_F(PodEvidenceTest, ToleratesInvalidPods) {
    responder.on("GET", kLog, {log("")});
    for (const char* status : {"null", "1", R"({"containerStatuses":{"name":"main"}})",
                               R"({"containerStatuses":[1,{"name":"main","restartCount":"x"}]})"}) {
        Json invalid_pod = pod();
        invalid_pod["status"] = Json::parse(status);
        EXPECT_TRUE(read_pod(invalid_pod).log_read) << status;
    }
}

}  // namespace

}  // namespace cudafault::kube
