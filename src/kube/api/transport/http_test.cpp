// SPDX-License-Identifier: Apache-2.0
#include "kube/api/transport/http.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <thread>

#include "kube/api/common/error.hpp"
#include "kube/api/testing/scripted_responder.hpp"
#include "kube/api/testing/test_certificates.hpp"
#include "kube/api/testing/test_files.hpp"

namespace cudafault::kube {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

Answer body(const std::string& text) {
    Answer answer;
    answer.body = text;
    return answer;
}

HttpServer server_at(const std::string& url) {
    Cluster cluster;
    cluster.server = url;
    HttpServer server;
    server.url = parse_server(cluster);
    return server;
}

struct HttpClient {
    explicit HttpClient(HttpServer server) : http(std::move(server)) { request.method = "GET"; }

    HttpResponse send(const HttpSink& sink = {}) { return http.send(request, limits, cancellation, sink); }

    std::string failure() {
        try {
            send();
        } catch (const Error& error) {
            return error.what();
        }
        return "succeeded";
    }

    Http http;
    HttpRequest request;
    HttpLimits limits{after(seconds(20)), seconds(10)};
    Cancellation cancellation;
};

TEST(Http, SendsHeadersBodyAndUnchangedPath) {
    ScriptedResponder responder;
    Answer answer = body("made");
    answer.status = 201;
    answer.headers = {{"X-One", " a b "}, {"x-one", "second"}, {"X-Empty", ""}};
    responder.on("PATCH", "/prefix/a/../b%2F?c=d", {answer});
    HttpClient client(server_at(responder.url() + "/prefix"));
    client.request = {"PATCH", "/a/../b%2F?c=d", {"X-Sent: yes"}, "content", {}, ""};
    const HttpResponse response = client.send();
    EXPECT_EQ(response.status, 201);
    EXPECT_TRUE(response.is_success());
    EXPECT_EQ(response.body, "made");
    EXPECT_EQ(response.header("x-one"), "a b");
    EXPECT_EQ(response.header("x-empty"), "");
    EXPECT_EQ(response.header("x-none"), std::nullopt);
    const SeenRequest seen = responder.requests().at(0);
    EXPECT_EQ(seen.header("x-sent"), "yes");
    EXPECT_EQ(seen.header("expect"), "");
    EXPECT_EQ(seen.body, "content");
}

TEST(Http, SendsEveryMethod) {
    ScriptedResponder responder;
    HttpClient client(server_at(responder.url()));
    for (const char* method : {"GET", "POST", "PUT", "PATCH", "DELETE"}) {
        responder.on(method, "/x", {body(method)});
        client.request = {method, "/x", {}, std::string(method) == "GET" ? "" : "sent", {}, ""};
        EXPECT_EQ(client.send().body, method);
    }
    EXPECT_EQ(responder.requests().at(4).body, "sent");
}

TEST(Http, ReusesConnection) {
    ScriptedResponder responder;
    responder.on("GET", "/x", {body("1")});
    HttpClient client(server_at(responder.url()));
    client.request.target = "/x";
    for (int i = 0; i < 3; ++i) client.send();
    for (const SeenRequest& seen : responder.requests()) EXPECT_EQ(seen.connection, 1);
}

TEST(Http, RedirectsAreNotFollowed) {
    ScriptedResponder responder;
    Answer answer = status_answer(302, "");
    answer.headers = {{"Location", responder.url() + "/elsewhere"}};
    responder.on("GET", "/x", {answer});
    HttpClient client(server_at(responder.url()));
    client.request.target = "/x";
    EXPECT_EQ(client.send().status, 302);
    EXPECT_EQ(responder.requests().size(), 1u);
}

TEST(Http, RequestsCompressionUnlessDisabled) {
    ScriptedResponder responder;
    HttpServer server = server_at(responder.url());
    HttpClient default_client(server);
    default_client.request.target = "/x";
    default_client.send();
    server.compresses = false;
    HttpClient uncompressed_client(server);
    uncompressed_client.request.target = "/x";
    uncompressed_client.send();
    EXPECT_EQ(responder.requests().at(0).header("accept-encoding"), "gzip");
    EXPECT_EQ(responder.requests().at(1).header("accept-encoding"), "");
}

TEST(Http, DecompressesBodies) {
    ScriptedResponder responder;
    // "hello, hello, hello" compressed with gzip.
    constexpr std::array<unsigned char, 29> kCompressed = {0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03,
                                                           0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0xd7, 0x51, 0xc8, 0x40, 0xa2,
                                                           0x00, 0x9f, 0xa1, 0xca, 0x09, 0x13, 0x00, 0x00, 0x00};
    Answer answer = body(std::string(kCompressed.begin(), kCompressed.end()));
    answer.headers = {{"Content-Encoding", "gzip"}};
    responder.on("GET", "/x", {answer});
    HttpClient client(server_at(responder.url()));
    client.request.target = "/x";
    EXPECT_EQ(client.send().body, "hello, hello, hello");
}

TEST(Http, ConnectsToUnixSocket) {
    const TestFolder folder;
    ScriptedResponder responder(folder.file("proxy.sock"));
    responder.on("GET", "/api", {body("through the socket")});
    HttpClient client(server_at(responder.url()));
    client.request.target = "/api";
    EXPECT_EQ(client.send().body, "through the socket");
    EXPECT_EQ(responder.requests().at(0).header("host"), "localhost") << "kubectl proxy accepts this host";
}

TEST(Http, SendsAbsoluteUrlToProxy) {
    ScriptedResponder proxy;
    proxy.on("GET", "http://api.test:8080/x", {body("proxied")});
    HttpServer server = server_at("http://api.test:8080");
    server.proxy = proxy.url();
    HttpClient client(server);
    client.request.target = "/x";
    EXPECT_EQ(client.send().body, "proxied");
}

TEST(Http, TlsThroughProxyUsesTunnel) {
    ScriptedResponder proxy;
    HttpServer server = server_at("https://api.test:6443");
    server.proxy = proxy.url();
    server.tls_server_name = "other.test";
    HttpClient client(server);
    client.request = {"GET", "/x", {"Authorization: Bearer abc"}, "", {}, ""};
    EXPECT_THROW(client.send(), ConnectionError);
    const SeenRequest seen = proxy.requests().at(0);
    EXPECT_EQ(seen.method + " " + seen.target, "CONNECT api.test:6443");
    EXPECT_EQ(seen.header("authorization"), "");
}

TEST(Http, SinkReceivesEachChunk) {
    ScriptedResponder responder;
    Answer answer;
    answer.chunks = {"one", "two", "three"};
    answer.before_chunk = milliseconds(30);
    responder.on("GET", "/x", {answer});
    HttpClient client(server_at(responder.url()));
    client.request.target = "/x";
    std::string seen;
    int chunks = 0;
    const HttpResponse response = client.send([&](std::string_view chunk) {
        seen += chunk;
        ++chunks;
        return true;
    });
    EXPECT_EQ(seen, "onetwothree");
    EXPECT_EQ(chunks, 3);
    EXPECT_EQ(response.body, "");
}

TEST(Http, SinkCanEndRequest) {
    ScriptedResponder responder;
    Answer answer;
    answer.chunks = {"one", "two"};
    answer.before_chunk = milliseconds(50);
    answer.end = Answer::End::kHold;
    responder.on("GET", "/x", {answer});
    responder.on("GET", "/y", {body("next")});
    HttpClient client(server_at(responder.url()));
    client.request.target = "/x";
    std::string seen;
    EXPECT_EQ(client
                  .send([&](std::string_view chunk) {
                      seen += chunk;
                      return false;
                  })
                  .status,
              200);
    EXPECT_EQ(seen, "one");
    client.request.target = "/y";
    EXPECT_EQ(client.send().body, "next") << "the client must open a new connection";
}

TEST(Http, SinkExceptionIsRethrown) {
    ScriptedResponder responder;
    responder.on("GET", "/x", {body("one")});
    HttpClient client(server_at(responder.url()));
    client.request.target = "/x";
    EXPECT_THROW(client.send([](std::string_view) -> bool { throw std::out_of_range("mine"); }), std::out_of_range);
    EXPECT_EQ(client.send().body, "one");
}

TEST(Http, ErrorBodyBypassesSink) {
    ScriptedResponder responder;
    responder.on("GET", "/x", {status_answer(410, "Expired")});
    HttpClient client(server_at(responder.url()));
    client.request.target = "/x";
    bool called = false;
    const HttpResponse response = client.send([&](std::string_view) { return called = true; });
    EXPECT_THAT(response.body, HasSubstr("Expired"));
    EXPECT_FALSE(called);
}

TEST(HttpFaults, CutBodyIsConnectionError) {
    ScriptedResponder responder;
    Answer cut = body("half");
    cut.end = Answer::End::kCut;
    Answer cut_chunks;
    cut_chunks.chunks = {"half"};
    cut_chunks.end = Answer::End::kCut;
    Answer drop;
    drop.end = Answer::End::kDrop;
    responder.on("GET", "/x", {cut, cut_chunks, drop});
    HttpClient client(server_at(responder.url()));
    client.request.target = "/x";
    for (int i = 0; i < 3; ++i) {
        try {
            client.send();
            FAIL() << "expected a ConnectionError for response " << i;
        } catch (const ConnectionError& error) {
            EXPECT_TRUE(error.request_may_have_arrived) << i;
            EXPECT_THAT(error.what(), HasSubstr("no response from the API server at 127.0.0.1:"));
        }
    }
}

TEST(HttpFaults, BodyIsNotSentTwice) {
    ScriptedResponder responder;
    Answer drop;
    drop.end = Answer::End::kDrop;
    responder.on("POST", "/x", {body("1"), drop});
    HttpClient client(server_at(responder.url()));
    client.request = {"POST", "/x", {}, "content", {}, ""};
    client.send();
    try {
        client.send();  // on the reused connection, on which libcurl would otherwise retry
        FAIL();
    } catch (const ConnectionError& error) {
        EXPECT_TRUE(error.request_may_have_arrived);
        EXPECT_THAT(error.what(), HasSubstr("the connection broke before the response"));
    }
    EXPECT_EQ(responder.requests().size(), 2u);
}

TEST(HttpFaults, LongBodyArrivesCompletely) {
    ScriptedResponder responder;
    responder.on("POST", "/x", {body("1")});
    HttpClient client(server_at(responder.url()));
    client.request = {"POST", "/x", {}, std::string(1'000'000, 'b'), {}, ""};
    client.send();
    EXPECT_EQ(responder.requests().at(0).body, client.request.body);
}

TEST(HttpFaults, RefusedConnectionIsMarkedAsNotSent) {
    std::optional<ScriptedResponder> responder(std::in_place);
    HttpClient client(server_at(responder->url()));
    responder.reset();
    try {
        client.send();
        FAIL();
    } catch (const ConnectionError& error) {
        EXPECT_FALSE(error.request_may_have_arrived);
        EXPECT_THAT(error.what(), HasSubstr("check that the cluster is running"));
    }
}

TEST(HttpFaults, UnknownHostNamesKubeconfig) {
    HttpClient client(server_at("http://no-such-name.invalid"));
    EXPECT_THAT(client.failure(), HasSubstr("check the server's name in the kubeconfig"));
}

TEST(HttpFaults, StalledResponseIsConnectionError) {
    ScriptedResponder responder;
    Answer answer = body("slow");
    answer.end = Answer::End::kHold;
    responder.on("GET", "/x", {answer});
    HttpClient client(server_at(responder.url()));
    client.request.target = "/x";
    client.limits.idle_timeout = milliseconds(100);
    EXPECT_THAT(client.failure(), HasSubstr("received no data for 0.1"));
}

TEST(HttpFaults, SlowBodyIsNotAStalledResponse) {
    ScriptedResponder responder;
    Answer answer;
    answer.chunks = {"a", "b", "c", "d", "e", "f"};
    answer.before_chunk = milliseconds(100);
    responder.on("GET", "/x", {answer});
    HttpClient client(server_at(responder.url()));
    client.request.target = "/x";
    client.limits.idle_timeout = milliseconds(400);
    EXPECT_EQ(client.send().body, "abcdef");
}

TEST(HttpFaults, DeadlineEndsRequest) {
    ScriptedResponder responder;
    Answer answer = body("late");
    answer.before_head = seconds(60);
    responder.on("GET", "/x", {answer});
    HttpClient client(server_at(responder.url()));
    client.request.target = "/x";
    client.limits.deadline = after(milliseconds(100));
    EXPECT_THROW(client.send(), DeadlinePassed);
    EXPECT_GE(Clock::now(), client.limits.deadline);
    EXPECT_LT(Clock::now(), client.limits.deadline + seconds(8));
}

TEST(HttpFaults, CancellationEndsRequest) {
    ScriptedResponder responder;
    Answer answer = body("late");
    answer.before_head = seconds(60);
    responder.on("GET", "/x", {answer});
    HttpClient client(server_at(responder.url()));
    client.request.target = "/x";
    std::thread canceller([&] {
        responder.wait_for_requests(1);
        client.cancellation.cancel();
    });
    const Deadline start = Clock::now();
    EXPECT_THROW(client.send(), Cancelled);
    EXPECT_LT(Clock::now() - start, seconds(8));
    canceller.join();
    EXPECT_THROW(client.send(), Cancelled);
    EXPECT_EQ(responder.requests().size(), 1u) << "a cancelled client must not send a request";
}

TEST(HttpFaults, SignalCancelsRequest) {
    ScriptedResponder responder;
    Answer answer = body("late");
    answer.before_head = seconds(60);
    responder.on("GET", "/x", {answer});
    HttpClient client(server_at(responder.url()));
    client.request.target = "/x";
    const CancelOnSignals guard(client.cancellation, {SIGUSR1});
    std::thread canceller([&] {
        responder.wait_for_requests(1);
        kill(getpid(), SIGUSR1);
    });
    EXPECT_THROW(client.send(), Cancelled);
    canceller.join();
}

class Tls : public testing::Test {
protected:
    // Returns a client of a responder whose certificate has the subjectAltName `names`.
    HttpClient& start(const std::string& names) {
        responder.emplace(authority.issue("server", names), clients.pem());
        responder->on("GET", "/x", {body("secure")});
        return connect(server_at(responder->url()));
    }

    HttpClient& connect(const HttpServer& server) {
        client.emplace(server);
        client->request.target = "/x";
        client->request.authorities = authority.pem();
        return *client;
    }

    TestAuthority authority;
    TestAuthority clients;
    std::optional<ScriptedResponder> responder;
    std::optional<HttpClient> client;
};

TEST_F(Tls, VerifiesWithGivenAuthority) {
    EXPECT_EQ(start("IP:127.0.0.1").send().body, "secure");
    EXPECT_EQ(responder->requests().at(0).peer, "");
}

TEST_F(Tls, RejectsUnknownAuthority) {
    start("IP:127.0.0.1").request.authorities = clients.pem();
    EXPECT_THAT(client->failure(), HasSubstr("certificate-authority-data"));
    client->request.authorities.clear();
    EXPECT_THAT(client->failure(), HasSubstr("certificate-authority-data")) << "expected only the system's authorities";
    EXPECT_TRUE(responder->requests().empty());
}

TEST_F(Tls, RejectsMismatchedName) {
    EXPECT_THAT(start("DNS:api.test").failure(), HasSubstr("check certificate-authority-data"));
}

TEST_F(Tls, ServerNameIsSentAndVerified) {
    start("DNS:api.test");
    HttpServer server = server_at(responder->url());
    server.tls_server_name = "api.test";
    EXPECT_EQ(connect(server).send().body, "secure");
    EXPECT_EQ(responder->requests().at(0).server_name, "api.test");
    EXPECT_EQ(responder->requests().at(0).header("host"), "127.0.0.1:" + std::to_string(responder->port()));
    server.tls_server_name = "other.test";
    EXPECT_THAT(connect(server).failure(), HasSubstr("tls-server-name"));
}

TEST_F(Tls, VerificationCanBeDisabled) {
    start("DNS:mismatch.test");
    HttpServer server = server_at(responder->url());
    server.verifies = false;
    connect(server).request.authorities.clear();
    EXPECT_EQ(client->send().body, "secure");
}

TEST_F(Tls, SendsClientCertificate) {
    start("IP:127.0.0.1").request.identity = clients.issue("jane");
    client->send();
    EXPECT_EQ(responder->requests().at(0).peer, "jane");
}

TEST_F(Tls, DifferentCertificateUsesNewConnection) {
    start("IP:127.0.0.1").request.identity = clients.issue("jane");
    client->send();
    client->request.identity = clients.issue("joe");
    client->send();
    client->send();
    const auto seen = responder->requests();
    EXPECT_EQ(seen.at(1).peer, "joe");
    EXPECT_NE(seen.at(1).connection, seen.at(0).connection);
    EXPECT_EQ(seen.at(2).connection, seen.at(1).connection);
}

TEST_F(Tls, InvalidKeyIsConfigError) {
    start("IP:127.0.0.1").request.identity = {clients.issue("jane").certificate, "secret-key"};
    EXPECT_THROW(client->send(), ConfigError);
    EXPECT_THAT(client->failure(), AllOf(HasSubstr("check the kubeconfig's PEM data"), Not(HasSubstr("secret-key"))));
}

TEST_F(Tls, InvalidAuthorityIsConfigError) {
    start("IP:127.0.0.1").request.authorities = "not PEM";
    EXPECT_THROW(client->send(), ConfigError);
}

TEST_F(Tls, ServerWithoutTlsIsAnError) {
    ScriptedResponder plain;
    EXPECT_THAT(connect(server_at("https://127.0.0.1:" + std::to_string(plain.port()))).failure(),
                HasSubstr("uses TLS"));
}

}  // namespace

}  // namespace cudafault::kube
