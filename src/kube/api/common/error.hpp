// SPDX-License-Identifier: Apache-2.0
// Defines errors other than error responses of the API server (see ApiError). Each message is one sentence without
// secrets: what failed, where, and what to do.
#pragma once

#include <stdexcept>
#include <string>

namespace cudafault::kube {

class Error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

// The kubeconfig or a file that it names is invalid, or an exec plugin failed.
class ConfigError : public Error {
public:
    using Error::Error;
};

// The API server did not send a complete response.
class ConnectionError : public Error {
public:
    ConnectionError(const std::string& message, bool may_have_arrived)
        : Error(message), request_may_have_arrived(may_have_arrived) {}

    bool request_may_have_arrived;  // if true, a write may have taken effect
};

class DeadlinePassed : public Error {
public:
    using Error::Error;
};

class Cancelled : public Error {
public:
    using Error::Error;
};

// Returns true if the error also stops work on other objects.
inline bool ends_command(const Error& error) {
    return dynamic_cast<const Cancelled*>(&error) || dynamic_cast<const DeadlinePassed*>(&error) ||
           dynamic_cast<const ConnectionError*>(&error);
}

}  // namespace cudafault::kube
