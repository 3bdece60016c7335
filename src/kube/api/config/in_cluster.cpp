// SPDX-License-Identifier: Apache-2.0
#include "kube/api/config/in_cluster.hpp"

#include <fmt/format.h>

#include "kube/api/common/server_url.hpp"
#include "kube/api/config/files.hpp"

namespace cudafault::kube {

std::optional<Connection> in_cluster_connection(const Getenv& getenv, const std::filesystem::path& service_account) {
    const char* host = getenv("KUBERNETES_SERVICE_HOST");
    const char* port = getenv("KUBERNETES_SERVICE_PORT");
    const std::string token = service_account / "token";
    if (!host || !*host || !port || !*port || !std::filesystem::exists(token)) return std::nullopt;
    Connection connection;
    connection.context = "in-cluster";
    connection.cluster.server = fmt::format("https://{}:{}", bracketed(host), port);
    connection.cluster.certificate_authority = service_account / "ca.crt";
    connection.user.token_file = token;
    const auto own_namespace = read_if_exists(service_account / "namespace", "the pod's namespace in");
    if (own_namespace && !own_namespace->empty()) connection.default_namespace = *own_namespace;
    return connection;
}

}  // namespace cudafault::kube
