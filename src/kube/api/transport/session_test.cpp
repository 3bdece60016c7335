// SPDX-License-Identifier: Apache-2.0
#include "kube/api/transport/session.hpp"

#include <gmock/gmock.h>

#include "kube/api/client/client.hpp"
#include "kube/api/testing/session_testing.hpp"
#include "kube/api/testing/test_files.hpp"

namespace cudafault::kube {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

Call get(const std::string& path = "/x") {
    Call call;
    call.path = path;
    call.subject = {"get", "pods", "ns", "web"};
    return call;
}

Call post() {
    Call call = get();
    call.method = "POST";
    call.body = {{"a", 1}};
    return call;
}

const Json kOkBody = {{"ok", true}};

TEST_F(SessionTest, SendsStandardHeaders) {
    options.user_agent = "tool/1";
    connection.user.token = "abc";
    connection.user.impersonation = {"jane", "", {"g"}, {}};
    responder.on("POST", "/x?q=a%20b", {json_answer(kOkBody)});
    Call call = post();
    call.query = {{"q", "a b"}};
    call.content_type = "application/merge-patch+json";
    EXPECT_EQ(session().send_and_parse(call), kOkBody);
    EXPECT_EQ(seen(0).header("authorization"), "Bearer abc");
    EXPECT_EQ(seen(0).header("impersonate-user"), "jane");
    EXPECT_EQ(seen(0).header("impersonate-group"), "g");
    EXPECT_EQ(seen(0).header("user-agent"), "tool/1");
    EXPECT_EQ(seen(0).header("accept"), "application/json");
    EXPECT_EQ(seen(0).header("content-type"), "application/merge-patch+json");
    EXPECT_EQ(seen(0).body, R"({"a":1})");
}

TEST_F(SessionTest, TokenIsNotSentUnencrypted) {
    ScriptedResponder plain;
    plain.on("GET", "/x", {json_answer(kOkBody)});
    connection.cluster = {};
    connection.cluster.server = plain.url();
    connection.user.token = "abc";
    connection.user.impersonation.user = "jane";
    session().send_and_parse(get());
    EXPECT_EQ(plain.requests().at(0).header("authorization"), "");
    EXPECT_EQ(plain.requests().at(0).header("impersonate-user"), "jane");
}

TEST_F(SessionTest, ConnectsToUnixSocket) {
    const TestFolder folder;
    ScriptedResponder proxy(folder.file("s"));
    proxy.on("GET", "/x", {json_answer(kOkBody)});
    connection.cluster = {};
    connection.cluster.server = proxy.url();
    EXPECT_EQ(session().send_and_parse(get()), kOkBody);
}

TEST_F(SessionTest, UsesProxyUrl) {
    ScriptedResponder proxy;
    proxy.on("GET", "http://api.test:80/x", {json_answer(kOkBody)});
    proxy.on("GET", "http://api.test/x", {json_answer(kOkBody)});
    connection.cluster = {};
    connection.cluster.server = "http://api.test";
    connection.cluster.proxy_url = proxy.url();
    EXPECT_EQ(session().send_and_parse(get()), kOkBody);
}

TEST_F(SessionTest, SendsClientCertificateAndServerName) {
    TestAuthority clients;
    ScriptedResponder strict(authority.issue("api", "DNS:api.test"), clients.pem());
    strict.on("GET", "/x", {json_answer(kOkBody)});
    connection.cluster.server = strict.url();
    connection.cluster.tls_server_name = "api.test";
    const TlsIdentity jane = clients.issue("jane");
    connection.user.client_certificate_data = jane.certificate;
    connection.user.client_key_data = jane.key;
    session().send_and_parse(get());
    EXPECT_EQ(strict.requests().at(0).peer, "jane");
}

TEST_F(SessionTest, AuthorityFileIsReadForEachRequest) {
    const TestFolder folder;
    const TestAuthority other;
    connection.cluster.certificate_authority_data.clear();
    connection.cluster.certificate_authority = folder.write("ca.crt", other.pem());
    options.tries = 1;
    responder.on("GET", "/x", {json_answer(kOkBody)});
    EXPECT_THROW(session().send_and_parse(get()), ConnectionError);
    folder.write("ca.crt", authority.pem());
    EXPECT_EQ(session().send_and_parse(get()), kOkBody);
}

TEST_F(SessionTest, VerificationCanBeDisabled) {
    connection.cluster.certificate_authority_data.clear();
    connection.cluster.insecure_skip_tls_verify = true;
    responder.on("GET", "/x", {json_answer(kOkBody)});
    EXPECT_EQ(session().send_and_parse(get()), kOkBody);
}

TEST_F(SessionTest, CompressionCanBeDisabled) {
    connection.cluster.disable_compression = true;
    responder.on("GET", "/x", {json_answer(kOkBody)});
    session().send_and_parse(get());
    EXPECT_EQ(seen(0).header("accept-encoding"), "");
}

// Returns token-1 on the first run, then token-2.
ExecPlugin counting_plugin(const TestFolder& folder) {
    ExecPlugin exec;
    exec.api_version = "client.authentication.k8s.io/v1";
    exec.interactive_mode = InteractiveMode::kNever;
    exec.command = folder.program("plugin", "echo >>" + folder.file("runs") +
                                                "\necho '{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":"
                                                "\"ExecCredential\",\"status\":{\"token\":\"token-'$(wc -l <" +
                                                folder.file("runs") + ")'\"}}'\n");
    return exec;
}

TEST_F(SessionTest, SecondSessionReusesPluginCredential) {
    const TestFolder folder;
    connection.user.exec = counting_plugin(folder);
    responder.on("GET", "/x", {json_answer(kOkBody)});
    session().send_and_parse(get());
    EXPECT_EQ(Session(session(), options).send_and_parse(get()), kOkBody);
    EXPECT_EQ(seen(1).header("authorization"), "Bearer token-1");
}

TEST_F(SessionTest, RetriesWithRenewedTokenAfter401) {
    const TestFolder folder;
    connection.user.exec = counting_plugin(folder);
    responder.on("GET", "/x", {status_answer(401, "Unauthorized"), json_answer(kOkBody)});
    EXPECT_EQ(session().send_and_parse(get()), kOkBody);
    EXPECT_EQ(seen(0).header("authorization"), "Bearer token-1");
    EXPECT_EQ(seen(1).header("authorization"), "Bearer token-2");
}

TEST_F(SessionTest, Status401WithRenewedTokenIsAnError) {
    const TestFolder folder;
    ExecPlugin exec;
    exec.api_version = "client.authentication.k8s.io/v1beta1";
    exec.interactive_mode = InteractiveMode::kNever;
    exec.command =
        folder.program("plugin",
                       "echo '{\"apiVersion\":\"client.authentication.k8s.io/v1beta1\",\"kind\":\"ExecCredential\","
                       "\"status\":{\"token\":\"t-'$$'\"}}'\n");
    connection.user.exec = exec;
    responder.on("GET", "/x", {status_answer(401, "Unauthorized")});
    EXPECT_THROW(session().send_and_parse(get()), ApiError);
    EXPECT_EQ(requests(), 2u);
}

TEST_F(SessionTest, DoesNotRetryUnchangedTokenAfter401) {
    connection.user.token = "abc";
    responder.on("GET", "/x", {status_answer(401, "Unauthorized")});
    EXPECT_THROW(session().send_and_parse(get()), ApiError);
    EXPECT_EQ(requests(), 1u);
}

TEST_F(SessionTest, EveryMethodHonorsRetryAfter) {
    for (const int code : {429, 503}) {
        responder.on("POST", "/x", {with_header(status_answer(code, "x"), "Retry-After", "1"), json_answer(kOkBody)});
        const Deadline start = Clock::now();
        EXPECT_EQ(session().send_and_parse(post()), kOkBody);
        EXPECT_GE(Clock::now() - start, seconds(1)) << code;
    }
}

TEST_F(SessionTest, DoesNotWaitForRetryAfterPastDeadline) {
    options.deadline = after(seconds(10));
    responder.on("GET", "/x", {with_header(status_answer(429, "x"), "Retry-After", "3600")});
    EXPECT_THROW(session().send_and_parse(get()), DeadlinePassed);
    EXPECT_LT(Clock::now(), options.deadline);
}

TEST_F(SessionTest, RetryAfterIsLimitedByTries) {
    options.tries = 3;
    responder.on("GET", "/x", {with_header(status_answer(429, "x"), "Retry-After", "0")});
    EXPECT_THROW(session().send_and_parse(get()), ApiError);
    EXPECT_EQ(requests(), 3u);
}

TEST_F(SessionTest, RetriesReadAfter5xxAndBrokenConnection) {
    Answer cut = json_answer(kOkBody);
    cut.end = Answer::End::kCut;
    responder.on("GET", "/x", {status_answer(500, "x"), status_answer(504, "x"), dropped(), cut, json_answer(kOkBody)});
    EXPECT_EQ(session().send_and_parse(get()), kOkBody);
    EXPECT_EQ(requests(), 5u);
}

TEST_F(SessionTest, DoesNotRetryWriteThatMayHaveArrived) {
    Answer cut = json_answer(kOkBody);
    cut.end = Answer::End::kCut;
    responder.on("POST", "/x", {cut});
    EXPECT_THROW(session().send_and_parse(post()), ConnectionError);
    responder.on("POST", "/x", {status_answer(500, "x")});
    EXPECT_THROW(session().send_and_parse(post()), ApiError);
    EXPECT_EQ(requests(), 2u);
}

TEST_F(SessionTest, DoesNotRetryClientErrors) {
    for (const int code : {400, 403, 404, 409, 410, 422, 429}) {
        responder.on("GET", "/x", {status_answer(code, "x")});
        const size_t before = requests();
        EXPECT_THROW(session().send_and_parse(get()), ApiError);
        EXPECT_EQ(requests(), before + 1) << code;
    }
}

TEST_F(SessionTest, StalledResponseIsConnectionError) {
    options.idle_timeout = milliseconds(200);
    options.tries = 1;
    Answer slow = json_answer(kOkBody);
    slow.before_head = seconds(60);
    responder.on("GET", "/x", {slow});
    EXPECT_THROW(session().send_and_parse(get()), ConnectionError);
}

TEST_F(SessionTest, DeadlineLimitsAllRequests) {
    options.deadline = after(milliseconds(300));
    Answer slow = json_answer(kOkBody);
    slow.before_head = seconds(60);
    responder.on("GET", "/x", {slow});
    EXPECT_THROW(session().send_and_parse(get()), DeadlinePassed);
}

TEST_F(SessionTest, PausePastDeadlineReportsCause) {
    options.deadline = after(seconds(1));
    options.first_pause = seconds(60);
    responder.on("GET", "/x", {dropped()});
    try {
        session().send_and_parse(get());
        ADD_FAILURE() << "expected DeadlinePassed";
    } catch (const DeadlinePassed& passed) {
        EXPECT_THAT(passed.what(), HasSubstr("was not ready before the timeout (no response from the API server"));
    }
}

TEST_F(SessionTest, CancellationEndsPause) {
    auto cancellation = std::make_shared<Cancellation>();
    options.cancellation = cancellation;
    responder.on("GET", "/x", {with_header(status_answer(429, "x"), "Retry-After", "30")});
    std::thread canceller([&] {
        responder.wait_for_requests(1);
        cancellation->cancel();
    });
    EXPECT_THROW(session().send_and_parse(get()), Cancelled);
    canceller.join();
}

TEST_F(SessionTest, RejectsResponseThatIsNotJson) {
    Answer html;
    html.body = "<html>";
    responder.on("GET", "/x", {html});
    EXPECT_THROW(session().send_and_parse(get()), ConnectionError);
    EXPECT_EQ(session().send(get()).body, "<html>");
}

TEST_F(SessionTest, ShortenedResponseContainsNoPartOfSecret) {
    connection.user.token = "s3cret-" + std::string(200, 'x');
    Answer page;
    page.status = 502;
    page.body = "<html>Authorization: Bearer " + connection.user.token;
    responder.on("POST", "/x", {page});
    try {
        session().send_and_parse(post());
        FAIL();
    } catch (const ApiError& error) {
        EXPECT_THAT(error.what(), AllOf(HasSubstr("Bearer [hidden]"), Not(HasSubstr("s3cret"))));
    }
}

TEST_F(SessionTest, WarningContainsNoSecret) {
    connection.user.token = "s3cret";
    std::string warned;
    options.on_warning = [&](const std::string& warning) { warned = warning; };
    responder.on("GET", "/x", {with_header(json_answer(kOkBody), "Warning", "299 - \"s3cret is weak\"")});
    session().send_and_parse(get());
    EXPECT_EQ(warned, "[hidden] is weak");
}

TEST_F(SessionTest, MessagesContainNoSecret) {
    connection.user.token = "s3cret-token";
    responder.on("GET", "/x", {status_answer(403, "Forbidden", "who is Bearer s3cret-token? s3cret-token!")});
    try {
        session().send_and_parse(get());
        FAIL();
    } catch (const ApiError& error) {
        EXPECT_THAT(error.what(), AllOf(HasSubstr("Bearer [hidden]? [hidden]!"), Not(HasSubstr("s3cret"))));
        EXPECT_THAT(error.status.dump(), Not(HasSubstr("s3cret")));
    }
}

TEST_F(SessionTest, MessagesContainNoPassword) {
    connection.user.username = "u";
    connection.user.password = "s3cret-password";
    responder.on("GET", "/x", {status_answer(500, "s3cret-password", "dTpzM2NyZXQtcGFzc3dvcmQ=")});
    options.tries = 1;
    try {
        session().send_and_parse(get());
        FAIL();
    } catch (const ApiError& error) {
        EXPECT_THAT(error.what(), Not(HasSubstr("dTpzM2NyZXQ")));
        EXPECT_EQ(error.reason(), "[hidden]");
    }
}

TEST_F(SessionTest, WarningsAreReported) {
    std::vector<std::string> warnings;
    options.on_warning = [&](const std::string& text) { warnings.push_back(text); };
    Answer answer = json_answer(kOkBody);
    answer.headers = {
        {"Warning", R"(299 - "say \"no\" to C:\\x")"}, {"Warning", "199 - \"other\""}, {"Warning", "299 - bare"}};
    responder.on("GET", "/x", {answer});
    session().send_and_parse(get());
    EXPECT_THAT(warnings, ElementsAre(R"(say "no" to C:\x)"));
}

TEST_F(SessionTest, StreamIsNotRetried) {
    Answer answer;
    answer.chunks = {"a", "b"};
    responder.on("GET", "/x", {answer});
    responder.on("GET", "/y", {status_answer(500, "x")});
    std::string received;
    session().stream(get(), seconds(10), [&](std::string_view chunk) {
        received += chunk;
        return true;
    });
    EXPECT_EQ(received, "ab");
    EXPECT_THROW(session().stream(get("/y"), seconds(10), [](std::string_view) { return true; }), ApiError);
    EXPECT_EQ(requests(), 2u);
}

TEST_F(SessionTest, InvalidServerUrlIsAnError) {
    connection.cluster.server = "ftp://x";
    EXPECT_THROW(session(), ConfigError);
}

}  // namespace

}  // namespace cudafault::kube
