// SPDX-License-Identifier: Apache-2.0
// Defines a fixture with a session and a scripted responder, with short retry pauses.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "kube/api/testing/scripted_responder.hpp"
#include "kube/api/testing/test_certificates.hpp"
#include "kube/api/transport/session.hpp"

namespace cudafault::kube {

inline Answer json_answer(const Json& body) {
    Answer answer;
    answer.body = body.dump();
    return answer;
}

inline Answer with_header(Answer answer, const std::string& name, const std::string& value) {
    answer.headers.emplace_back(name, value);
    return answer;
}

inline Answer dropped() {
    Answer answer;
    answer.end = Answer::End::kDrop;
    return answer;
}

inline SessionOptions options_for_tests() {
    SessionOptions options;
    options.first_pause = std::chrono::milliseconds(1);
    options.deadline = after(std::chrono::seconds(60));
    return options;
}

// Uses TLS, because Session does not send credentials over plain HTTP.
class SessionTest : public testing::Test {
protected:
    SessionTest() : responder(authority.issue("api", "IP:127.0.0.1")) {
        connection.context = "test";
        connection.cluster.server = responder.url();
        connection.cluster.certificate_authority_data = authority.pem();
    }

    Session& session() {
        if (!session_) session_.emplace(connection, options);
        return *session_;
    }

    SeenRequest seen(size_t index) const { return responder.requests().at(index); }
    size_t requests() const { return responder.requests().size(); }

    TestAuthority authority;
    ScriptedResponder responder;
    Connection connection;
    SessionOptions options = options_for_tests();

private:
    std::optional<Session> session_;
};

}  // namespace cudafault::kube
