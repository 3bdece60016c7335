// SPDX-License-Identifier: Apache-2.0
// What can go wrong besides an answer of the API server that says no (that is ApiError). Each message is one sentence
// without secrets: what failed, where, what to do.
#pragma once

#include <stdexcept>
#include <string>

namespace cudafault::kube {

class Error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

// The kubeconfig, a file it names or an exec plugin has to be repaired by the user.
class ConfigError : public Error {
public:
    using Error::Error;
};

// No whole answer came back from the API server.
class ConnectionError : public Error {
public:
    ConnectionError(const std::string& message, bool may_have_arrived)
        : Error(message), request_may_have_arrived(may_have_arrived) {}

    bool request_may_have_arrived;  // if so, a write may have been done
};

class DeadlinePassed : public Error {
public:
    using Error::Error;
};

class Cancelled : public Error {
public:
    using Error::Error;
};

}  // namespace cudafault::kube
