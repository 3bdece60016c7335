// SPDX-License-Identifier: Apache-2.0
// Programs that give credentials: the client.authentication.k8s.io protocol, v1 and v1beta1.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "kube/api/common/cancellation.hpp"
#include "kube/api/common/connection.hpp"

namespace cudafault::kube {

// A certificate chain and its key, PEM, only ever in memory.
struct TlsIdentity {
    std::string certificate;
    std::string key;

    bool operator==(const TlsIdentity&) const = default;
};

struct ExecCredential {
    std::string token;
    TlsIdentity identity;
    std::optional<std::chrono::system_clock::time_point> expires;
};

// Runs the plugin, which may take until the deadline. Throws ConfigError (with the install hint if the program is
// not there), DeadlinePassed or Cancelled; what the plugin printed is in no message, since it holds secrets.
ExecCredential run_exec_plugin(const ExecPlugin& plugin, const Cluster& cluster, Deadline deadline,
                               const Cancellation& cancellation);

}  // namespace cudafault::kube
