// SPDX-License-Identifier: Apache-2.0
// What a request carries to say who asks, fresh for each request: files are read again, plugins run again when what
// they gave runs out.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kube/api/common/cancellation.hpp"
#include "kube/api/common/connection.hpp"
#include "kube/api/config/exec_plugin.hpp"

namespace cudafault::kube {

struct Identification {
    std::string authorization;  // value of the header, or empty
    TlsIdentity identity;       // or both empty

    bool operator==(const Identification&) const = default;
};

class Credentials {
public:
    explicit Credentials(const Connection& connection) : user_(connection.user), cluster_(connection.cluster) {}

    // Throws ConfigError; DeadlinePassed and Cancelled if a plugin was waited for.
    Identification current(Deadline deadline, const Cancellation& cancellation);

    // After a 401: forgets what a plugin gave, so that `current` runs it again.
    void refused() { exec_credential_.reset(); }

    // All that no message may show, as used so far.
    const std::vector<std::string>& secrets() const { return secrets_; }

private:
    void run_plugin_if_due(Deadline deadline, const Cancellation& cancellation);
    std::string bearer_token();
    std::string authorization();
    TlsIdentity identity() const;
    void keep_secret(const std::string& secret);

    User user_;
    Cluster cluster_;
    std::optional<ExecCredential> exec_credential_;
    std::string last_token_;  // what the token file had when it could last be read
    std::vector<std::string> secrets_;
};

// The headers of an impersonation; none if nobody is impersonated.
std::vector<std::string> impersonation_headers(const Impersonation& impersonation);

}  // namespace cudafault::kube
