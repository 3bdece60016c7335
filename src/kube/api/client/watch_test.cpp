// SPDX-License-Identifier: Apache-2.0
#include "kube/api/client/watch.hpp"

#include <gmock/gmock.h>

#include "kube/api/common/cancellation.hpp"
#include "kube/api/testing/session_testing.hpp"
#include "kube/api/transport/api_error.hpp"
#include "kube/api/transport/session.hpp"

namespace cudafault::kube {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;

const Resource kPods{"", "v1", "pods", "pod", "Pod", true, {}, {}, {}};
const std::string kPath = "/api/v1/namespaces/ns/pods";

std::string watch_from(const std::string& version) {
    return kPath + "?watch=true&allowWatchBookmarks=true&resourceVersion=" + version + "&timeoutSeconds=300";
}

std::string event(const std::string& type, const std::string& name, const std::string& version) {
    return Json{{"type", type}, {"object", {{"metadata", {{"name", name}, {"resourceVersion", version}}}}}}.dump() +
           "\n";
}

std::string error_event(int code) {
    return Json{{"type", "ERROR"}, {"object", Json::parse(status_answer(code, "x").body)}}.dump() + "\n";
}

Answer events(const std::vector<std::string>& chunks, Answer::End end = Answer::End::kComplete) {
    Answer answer;
    answer.chunks = chunks;
    answer.end = end;
    return answer;
}

class WatchTest : public SessionTest {
protected:
    WatchTest() { responder.on("GET", kPath + "?limit=500", {list({"a", "b"}, "10")}); }

    static Answer list(const std::vector<std::string>& names, const std::string& version) {
        Json items = Json::array();
        for (const std::string& name : names) items.push_back({{"metadata", {{"name", name}}}});
        return json_answer({{"kind", "PodList"}, {"metadata", {{"resourceVersion", version}}}, {"items", items}});
    }

    // Returns what the handler received, up to an object named "end".
    std::vector<std::string> run(const WatchOptions& watch_options = {}) {
        Client client(session());
        watch(client, {kPods, "ns"}, watch_options,
              {[&](const std::vector<Json>& objects) { return on_list(objects); },
               [&](Change change, const Json& object) { return on_change(change, object); }});
        return received;
    }

    bool on_list(const std::vector<Json>& objects) {
        std::string line = "list";
        for (const Json& object : objects) line += " " + object["metadata"]["name"].get<std::string>();
        received.push_back(line);
        return line != "list end";
    }

    bool on_change(Change change, const Json& object) {
        const std::string name = object["metadata"]["name"];
        received.push_back((change == Change::kAdded ? "+" : change == Change::kDeleted ? "-" : "~") + name);
        return name != "end";
    }

    std::vector<std::string> received;
};

TEST_F(WatchTest, EndOfWindowReportsVersion) {
    responder.on("GET", watch_from("10"), {events({event("ADDED", "c", "11"), event("BOOKMARK", "", "12")})});
    Client client(session());
    std::string from;
    const auto any = [](const auto&...) { return true; };
    watch(client, {kPods, "ns"}, {}, {any, any, [&](const std::string& version) {
                                          from = version;
                                          return false;
                                      }});
    EXPECT_EQ(from, "12");
    EXPECT_EQ(requests(), 2u);
}

TEST_F(WatchTest, ReportsListThenChanges) {
    responder.on("GET", watch_from("10"),
                 {events({event("ADDED", "c", "11") + event("MODIFIED", "a", "12") + event("DELETED", "b", "13") +
                          event("ADDED", "end", "14")})});
    EXPECT_THAT(run(), ElementsAre("list a b", "+c", "~a", "-b", "+end"));
}

TEST_F(WatchTest, JoinsLinesAcrossChunks) {
    const std::string text = event("ADDED", "c", "11") + event("ADDED", "end", "12");
    std::vector<std::string> bytes;
    for (char c : text) bytes.emplace_back(1, c);
    responder.on("GET", watch_from("10"), {events(bytes)});
    EXPECT_THAT(run(), ElementsAre("list a b", "+c", "+end"));
}

TEST_F(WatchTest, ListCallbackCanEndWatch) {
    responder.on("GET", kPath + "?limit=500", {list({"end"}, "10")});
    EXPECT_THAT(run(), ElementsAre("list end"));
    EXPECT_EQ(requests(), 1u);
}

TEST_F(WatchTest, ReportsPagesOfListTogether) {
    Answer first = list({"a"}, "10");
    Json page = Json::parse(first.body);
    page["metadata"]["continue"] = "n";
    first.body = page.dump();
    responder.on("GET", kPath + "?limit=500", {first, first});
    responder.on("GET", kPath + "?limit=500&continue=n", {status_answer(410, "Expired"), list({"b"}, "10")});
    responder.on("GET", watch_from("10"), {events({event("ADDED", "end", "11")})});
    EXPECT_THAT(run(), ElementsAre("list a b", "+end"));
}

TEST_F(WatchTest, SendsSelectorsWithEveryRequest) {
    WatchOptions watch_options;
    watch_options.list = {"app=web", "spec.nodeName=n1", 500};
    watch_options.from = "5";
    watch_options.window = seconds(7);
    responder.on("GET", kPath, {events({event("ADDED", "end", "11")})});
    run(watch_options);
    EXPECT_EQ(seen(0).target, kPath +
                                  "?labelSelector=app%3Dweb&fieldSelector=spec.nodeName%3Dn1&watch=true&"
                                  "allowWatchBookmarks=true&resourceVersion=5&timeoutSeconds=7");
}

TEST_F(WatchTest, StartsFromVersionWithoutList) {
    WatchOptions watch_options;
    watch_options.from = "10";
    responder.on("GET", watch_from("10"), {events({event("ADDED", "end", "11")})});
    EXPECT_THAT(run(watch_options), ElementsAre("+end"));
    EXPECT_EQ(requests(), 1u);
}

TEST_F(WatchTest, ResumesAfterLastEvent) {
    for (const Answer::End end : {Answer::End::kComplete, Answer::End::kCut}) {
        received.clear();
        responder.on("GET", watch_from("10"), {events({event("ADDED", "c", "11")}, end)});
        responder.on("GET", watch_from("11"), {events({event("ADDED", "end", "12")})});
        EXPECT_THAT(run(), ElementsAre("list a b", "+c", "+end"));
    }
}

TEST_F(WatchTest, DiscardsIncompleteLineOfDroppedConnection) {
    const std::string incomplete_line = event("ADDED", "lost", "12").substr(0, 30);
    responder.on("GET", watch_from("10"), {events({event("ADDED", "c", "11"), incomplete_line}, Answer::End::kCut)});
    responder.on("GET", watch_from("11"), {events({event("ADDED", "end", "12")})});
    EXPECT_THAT(run(), ElementsAre("list a b", "+c", "+end"));
}

TEST_F(WatchTest, BookmarkAdvancesVersionWithoutEvent) {
    responder.on("GET", watch_from("10"), {events({event("BOOKMARK", "", "20")})});
    responder.on("GET", watch_from("20"), {events({event("ADDED", "end", "21")})});
    EXPECT_THAT(run(), ElementsAre("list a b", "+end"));
}

TEST_F(WatchTest, ExpiredVersionRestartsWithList) {
    for (const Answer& expired : {status_answer(410, "Expired"), events({error_event(410)})}) {
        received.clear();
        responder.on("GET", kPath + "?limit=500", {list({"a", "b"}, "10"), list({"a"}, "30")});
        responder.on("GET", watch_from("10"), {expired});
        responder.on("GET", watch_from("30"), {events({event("ADDED", "end", "31")})});
        EXPECT_THAT(run(), ElementsAre("list a b", "list a", "+end"));
    }
}

TEST_F(WatchTest, ExpiredStartVersionRestartsWithList) {
    WatchOptions watch_options;
    watch_options.from = "1";
    responder.on("GET", watch_from("1"), {status_answer(410, "Expired")});
    responder.on("GET", watch_from("10"), {events({event("ADDED", "end", "11")})});
    EXPECT_THAT(run(watch_options), ElementsAre("list a b", "+end"));
}

TEST_F(WatchTest, RetriesTransientErrors) {
    responder.on("GET", watch_from("10"),
                 {status_answer(500, "x"), dropped(), with_header(status_answer(429, "x"), "Retry-After", "1"),
                  events({error_event(500)}), events({event("ADDED", "end", "11")})});
    const Deadline start = Clock::now();
    EXPECT_THAT(run(), ElementsAre("list a b", "+end"));
    EXPECT_GE(Clock::now() - start, seconds(1)) << "the watch must wait for Retry-After";
}

TEST_F(WatchTest, ResumesAfterInvalidEvent) {
    responder.on("GET", watch_from("10"), {events({event("ADDED", "c", "11") + "<html>\n"}), events({"{}\n"})});
    responder.on("GET", watch_from("11"), {events({event("ADDED", "end", "12")})});
    EXPECT_THAT(run(), ElementsAre("list a b", "+c", "+end"));
}

TEST_F(WatchTest, GivesUpAfterConsecutiveFailures) {
    responder.on("GET", watch_from("10"), {dropped()});
    EXPECT_THROW(run(), ConnectionError);
    // One list and five watches. libcurl itself retries the first watch, which reuses the list's connection.
    EXPECT_GE(requests(), 6u);
    EXPECT_LE(requests(), 7u);
}

TEST_F(WatchTest, ProgressResetsFailureCount) {
    std::vector<Answer> answers(4, dropped());
    answers.push_back(events({event("ADDED", "c", "10")}, Answer::End::kCut));
    answers.insert(answers.end(), 3, dropped());
    answers.push_back(events({event("ADDED", "end", "11")}));
    responder.on("GET", watch_from("10"), answers);
    EXPECT_THAT(run(), ElementsAre("list a b", "+c", "+end"));
}

TEST_F(WatchTest, ThrowsPermanentErrors) {
    for (const int code : {400, 403, 404}) {
        responder.on("GET", watch_from("10"), {status_answer(code, "x")});
        try {
            run();
            FAIL();
        } catch (const ApiError& error) {
            EXPECT_EQ(error.code, code);
            EXPECT_THAT(error.what(), HasSubstr("cannot watch pods in namespace ns"));
        }
    }
}

TEST_F(WatchTest, ResumesAfterSilence) {
    WatchOptions watch_options;
    watch_options.idle_timeout = milliseconds(200);
    responder.on("GET", watch_from("10"), {events({event("ADDED", "c", "11")}, Answer::End::kHold)});
    responder.on("GET", watch_from("11"), {events({event("ADDED", "end", "12")})});
    EXPECT_THAT(run(watch_options), ElementsAre("list a b", "+c", "+end"));
}

TEST_F(WatchTest, ThrowsDeadlinePassedAtDeadline) {
    session().set_deadline(after(milliseconds(400)));
    responder.on("GET", watch_from("10"), {events({event("ADDED", "c", "11")}, Answer::End::kHold)});
    EXPECT_THROW(run(), DeadlinePassed);
    EXPECT_THAT(received, ElementsAre("list a b", "+c"));
}

TEST_F(WatchTest, ThrowsCancelledOnCancellation) {
    auto cancellation = std::make_shared<Cancellation>();
    options.cancellation = cancellation;
    responder.on("GET", watch_from("10"), {events({event("ADDED", "c", "11")}, Answer::End::kHold)});
    std::thread canceller([&] {
        responder.wait_for_requests(2);
        cancellation->cancel();
    });
    EXPECT_THROW(run(), Cancelled);
    canceller.join();
}

TEST_F(WatchTest, EventsPreserveUnknownFields) {
    const Json object = {{"metadata", {{"name", "end"}}}, {"brandNew", {{"deep", {1, nullptr}}}}};
    responder.on("GET", watch_from("10"), {events({Json{{"type", "ADDED"}, {"object", object}}.dump() + "\n"})});
    Client client(session());
    Json received_object;
    watch(client, {kPods, "ns"}, {},
          {[](const std::vector<Json>&) { return true; },
           [&](Change, const Json& changed) {
               received_object = changed;
               return false;
           }});
    EXPECT_EQ(received_object, object);
}

}  // namespace

}  // namespace cudafault::kube
