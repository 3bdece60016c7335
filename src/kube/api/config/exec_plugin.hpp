// SPDX-License-Identifier: Apache-2.0
// Runs credential plugins: the client.authentication.k8s.io protocol, v1 and v1beta1.
#pragma once

#include <optional>
#include <string>

#include "kube/api/common/cancellation.hpp"
#include "kube/api/common/connection.hpp"
#include "kube/api/common/timestamp.hpp"
#include "kube/api/common/tls_identity.hpp"

namespace cudafault::kube {

struct ExecCredential {
    std::string token;
    TlsIdentity identity;
    std::optional<SystemTime> expires;
};

// Runs the plugin until the deadline at the latest. Throws ConfigError (with the install hint if the program does not
// exist), DeadlinePassed or Cancelled. Messages never contain the plugin's output, because the output contains
// secrets.
ExecCredential run_exec_plugin(const ExecPlugin& plugin, const Cluster& cluster, Deadline deadline,
                               const Cancellation& cancellation);

}  // namespace cudafault::kube
