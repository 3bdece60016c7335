// SPDX-License-Identifier: Apache-2.0
#include "kube/api/testing/scripted_responder.hpp"

#include <gtest/gtest.h>

#include "kube/api/common/cancellation.hpp"
#include "kube/api/common/error.hpp"
#include "kube/api/transport/http.hpp"

namespace cudafault::kube {

namespace {

class Responder : public testing::Test {
protected:
    Responder() {
        server.url = {"http", "127.0.0.1", responder.port(), ""};
        http.emplace(server);
    }

    HttpResponse get(const std::string& target) {
        HttpRequest request;
        request.method = "GET";
        request.target = target;
        return http->send(request, {after(std::chrono::seconds(20)), std::chrono::seconds(10)}, cancellation);
    }

    static Answer text(const std::string& body) {
        Answer answer;
        answer.body = body;
        return answer;
    }

    ScriptedResponder responder;
    HttpServer server;
    std::optional<Http> http;
    Cancellation cancellation;
};

TEST_F(Responder, SendsResponsesInOrderAndRepeatsLast) {
    responder.on("GET", "/a", {text("1"), text("2")});
    EXPECT_EQ(get("/a").body, "1");
    EXPECT_EQ(get("/a").body, "2");
    EXPECT_EQ(get("/a?x=1").body, "2");
}

TEST_F(Responder, ScriptOfQueryOverridesScriptOfPath) {
    responder.on("GET", "/a", {text("any")});
    responder.on("GET", "/a?x=1", {text("one")});
    EXPECT_EQ(get("/a?x=1").body, "one");
    EXPECT_EQ(get("/a?x=2").body, "any");
}

TEST_F(Responder, UnscriptedRequestGets404) {
    responder.on("POST", "/a", {text("")});
    EXPECT_EQ(get("/a").status, 404);
}

TEST_F(Responder, RecordsRequests) {
    HttpRequest request;
    request.method = "POST";
    request.target = "/a?b";
    request.headers = {"X-Test: value"};
    request.body = "content";
    http->send(request, {}, cancellation);
    const auto seen = responder.requests();
    ASSERT_EQ(seen.size(), 1u);
    EXPECT_EQ(seen[0].method, "POST");
    EXPECT_EQ(seen[0].target, "/a?b");
    EXPECT_EQ(seen[0].header("x-test"), "value");
    EXPECT_EQ(seen[0].body, "content");
    EXPECT_TRUE(responder.wait_for_requests(1));
    EXPECT_FALSE(responder.wait_for_requests(2, std::chrono::milliseconds(10)));
}

TEST_F(Responder, CutOrDroppedResponseIsConnectionError) {
    Answer cut = text("half");
    cut.end = Answer::End::kCut;
    Answer cut_chunks;
    cut_chunks.chunks = {"ha", "lf"};
    cut_chunks.end = Answer::End::kCut;
    Answer drop;
    drop.end = Answer::End::kDrop;
    responder.on("GET", "/a", {cut, cut_chunks, drop});
    for (int i = 0; i < 3; ++i) EXPECT_THROW(get("/a"), ConnectionError) << i;
}

TEST_F(Responder, DestructorDisconnectsWaitingClient) {
    std::optional<ScriptedResponder> other(std::in_place);
    Answer hold = text("half");
    hold.end = Answer::End::kHold;
    other->on("GET", "/a", {hold});
    server.url.port = other->port();
    http.emplace(server);
    std::thread stopper([&] {
        other->wait_for_requests(1);
        other.reset();
    });
    EXPECT_THROW(get("/a"), ConnectionError);
    stopper.join();
}

TEST(StatusAnswer, IsStatusObject) {
    const Answer answer = status_answer(410, "Expired", "too old");
    EXPECT_EQ(answer.status, 410);
    EXPECT_NE(answer.body.find("\"reason\":\"Expired\""), std::string::npos);
}

}  // namespace

}  // namespace cudafault::kube
