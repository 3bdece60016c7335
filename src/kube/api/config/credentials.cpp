// SPDX-License-Identifier: Apache-2.0
#include "kube/api/config/credentials.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "kube/api/common/encoding.hpp"
#include "kube/api/common/error.hpp"
#include "kube/api/config/files.hpp"

namespace cudafault::kube {

namespace {

// Credentials are renewed early, so that they do not expire while a request is in progress.
constexpr std::chrono::seconds kLeeway{10};

std::string trimmed(const std::string& text) {
    constexpr const char* kWhiteSpace = " \t\r\n";
    const size_t start = text.find_first_not_of(kWhiteSpace);
    if (start == std::string::npos) return "";
    return text.substr(start, text.find_last_not_of(kWhiteSpace) - start + 1);
}

// A line break would allow the value to add more headers.
std::string require_one_line(const std::string& value, const std::string& what) {
    const bool broken = std::any_of(value.begin(), value.end(), [](unsigned char c) { return c < ' ' || c == 127; });
    if (broken) throw ConfigError(fmt::format("{} contains a line break or a control character", what));
    return value;
}

}  // namespace

Identification Credentials::current(Deadline deadline, const Cancellation& cancellation) {
    run_plugin_if_due(deadline, cancellation);
    return {authorization(), identity()};
}

void Credentials::run_plugin_if_due(Deadline deadline, const Cancellation& cancellation) {
    if (!user_.exec) return;
    const bool valid = exec_credential_ && (!exec_credential_->expires ||
                                            std::chrono::system_clock::now() + kLeeway < *exec_credential_->expires);
    if (!valid) exec_credential_ = run_exec_plugin(*user_.exec, cluster_, deadline, cancellation);
}

std::string Credentials::bearer_token() {
    if (!user_.token_file.empty()) {
        const auto content = read_if_exists(user_.token_file, "tokenFile");
        const std::string token = trimmed(content.value_or(""));
        if (!token.empty()) last_token_ = token;
        if (!last_token_.empty()) return last_token_;
        if (user_.token.empty()) {
            throw ConfigError(fmt::format("no token in tokenFile {}: the file {}", user_.token_file,
                                          content ? "is empty" : "does not exist"));
        }
    }
    if (!user_.token.empty()) return user_.token;
    return exec_credential_ ? exec_credential_->token : "";
}

std::string Credentials::authorization() {
    if (!user_.username.empty()) {
        const std::string pair = base64_encode(user_.username + ":" + user_.password);
        add_secret(user_.password);
        add_secret(pair);
        return "Basic " + pair;
    }
    const std::string token = bearer_token();
    if (token.empty()) return "";
    add_secret(token);
    return "Bearer " + require_one_line(token, "the token");
}

TlsIdentity Credentials::identity() const {
    if (exec_credential_ && !exec_credential_->identity.certificate.empty()) return exec_credential_->identity;
    TlsIdentity identity;
    identity.certificate = data_or_file(user_.client_certificate_data, user_.client_certificate, "client-certificate");
    identity.key = data_or_file(user_.client_key_data, user_.client_key, "client-key");
    if (identity.certificate.empty() != identity.key.empty()) {
        throw ConfigError("the kubeconfig's user has only one of client-certificate and client-key; set both");
    }
    return identity;
}

void Credentials::add_secret(const std::string& secret) {
    if (secret.empty() || std::find(secrets_.begin(), secrets_.end(), secret) != secrets_.end()) return;
    secrets_.push_back(secret);
}

std::vector<std::string> impersonation_headers(const Impersonation& impersonation) {
    std::vector<std::string> headers;
    const auto add = [&](const std::string& name, const std::string& value) {
        headers.push_back(name + ": " + require_one_line(value, "an impersonated name"));
    };
    if (!impersonation.user.empty()) add("Impersonate-User", impersonation.user);
    if (!impersonation.uid.empty()) add("Impersonate-Uid", impersonation.uid);
    for (const std::string& group : impersonation.groups) add("Impersonate-Group", group);
    for (const auto& [key, values] : impersonation.extra) {
        for (const std::string& value : values) add("Impersonate-Extra-" + percent_encode(key), value);
    }
    return headers;
}

}  // namespace cudafault::kube
