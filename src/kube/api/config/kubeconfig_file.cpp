// SPDX-License-Identifier: Apache-2.0
#include "kube/api/config/kubeconfig_file.hpp"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <utility>

#include "kube/api/common/encoding.hpp"
#include "kube/api/common/error.hpp"
#include "kube/api/common/json.hpp"

namespace cudafault::kube {

namespace {

// A mapping in the file. Every error names the file, line and field.
class Fields {
public:
    Fields(const YAML::Node& node, const std::filesystem::path& file) : node_(node), file_(file) {
        if (!node.IsMap()) fail(node, "expected fields with values");
    }

    std::string text(const char* name) const { return scalar(name, std::string()); }
    bool flag(const char* name) const { return scalar(name, false); }

    std::vector<std::string> texts(const char* name) const {
        std::vector<std::string> values;
        for (const Item& item : items(name)) values.push_back(as<std::string>(item.node, name));
        return values;
    }

    // Returns a value that the kubeconfig stores as base64.
    std::string decoded(const char* name) const {
        const auto bytes = base64_decode(text(name));
        if (!bytes) fail(node_[name], fmt::format("invalid {}: expected base64", name));
        return *bytes;
    }

    std::string path(const char* name) const { return resolved(text(name)); }

    std::string resolved(const std::string& path) const {
        return path.empty() ? path : (file_.parent_path() / path).lexically_normal().string();
    }

    bool has(const char* name) const { return node_[name] && !node_[name].IsNull(); }
    Fields fields(const char* name) const { return Fields(node_[name], file_); }
    YAML::Node node(const char* name) const { return node_[name]; }

    std::vector<Fields> list(const char* name) const {
        std::vector<Fields> values;
        for (const Item& item : items(name)) values.emplace_back(item.node, file_);
        return values;
    }

    [[noreturn]] void fail(const std::string& what) const { fail(node_, what); }

private:
    // In a range-based loop over a YAML::Node, each element is both a node and a pair.
    struct Item {
        YAML::Node node;
    };

    std::vector<Item> items(const char* name) const {
        std::vector<Item> values;
        if (!has(name)) return values;
        if (!node_[name].IsSequence()) fail(node_[name], fmt::format("invalid {}: expected a list", name));
        for (const YAML::Node& item : node_[name]) values.push_back({item});
        return values;
    }

    template <typename Value>
    Value scalar(const char* name, Value default_value) const {
        return has(name) ? as<Value>(node_[name], name) : std::move(default_value);
    }

    template <typename Value>
    Value as(const YAML::Node& node, const char* name) const {
        try {
            return node.as<Value>();
        } catch (const YAML::Exception&) {
            fail(node, fmt::format("invalid {}: the value has the wrong type", name));
        }
    }

    [[noreturn]] void fail(const YAML::Node& node, const std::string& what) const {
        throw ConfigError(fmt::format("kubeconfig {}, line {}: {}", file_.string(), node.Mark().line + 1, what));
    }

    YAML::Node node_;
    std::filesystem::path file_;
};

Json scalar_json(const YAML::Node& node) {
    constexpr const char* kQuoted = "!";
    if (node.Tag() != kQuoted) {
        int64_t integer;
        if (YAML::convert<int64_t>::decode(node, integer)) return integer;
        double number;
        if (YAML::convert<double>::decode(node, number)) return number;
        bool flag;
        if (YAML::convert<bool>::decode(node, flag)) return flag;
    }
    return node.Scalar();
}

Json to_json(const YAML::Node& node) {
    if (node.IsScalar()) return scalar_json(node);
    Json value;
    if (node.IsSequence()) {
        value = Json::array();
        for (const YAML::Node& item : node) value.push_back(to_json(item));
    } else if (node.IsMap()) {
        value = Json::object();
        for (const auto& item : node) value[item.first.Scalar()] = to_json(item.second);
    }
    return value;
}

Cluster cluster_of(const Fields& fields) {
    Cluster cluster;
    cluster.server = fields.text("server");
    cluster.tls_server_name = fields.text("tls-server-name");
    cluster.certificate_authority = fields.path("certificate-authority");
    cluster.certificate_authority_data = fields.decoded("certificate-authority-data");
    cluster.proxy_url = fields.text("proxy-url");
    cluster.insecure_skip_tls_verify = fields.flag("insecure-skip-tls-verify");
    cluster.disable_compression = fields.flag("disable-compression");
    for (const Fields& extension : fields.list("extensions")) {
        if (extension.text("name") != "client.authentication.k8s.io/exec") continue;
        cluster.exec_extension = to_json(extension.node("extension")).dump();
    }
    return cluster;
}

Context context_of(const Fields& fields) {
    return {fields.text("cluster"), fields.text("user"), fields.text("namespace")};
}

InteractiveMode interactive_mode(const Fields& exec, const std::string& api_version) {
    const std::string mode = exec.text("interactiveMode");
    if (mode == "Never") return InteractiveMode::kNever;
    if (mode == "IfAvailable") return InteractiveMode::kIfAvailable;
    if (mode == "Always") return InteractiveMode::kAlways;
    if (!mode.empty())
        exec.fail(fmt::format("invalid interactiveMode \"{}\": expected Never, IfAvailable or Always", mode));
    if (api_version.ends_with("/v1")) exec.fail("an exec plugin of version v1 requires interactiveMode");
    return InteractiveMode::kIfAvailable;
}

ExecPlugin exec_of(const Fields& fields) {
    ExecPlugin plugin;
    plugin.api_version = fields.text("apiVersion");
    if (plugin.api_version != "client.authentication.k8s.io/v1" &&
        plugin.api_version != "client.authentication.k8s.io/v1beta1") {
        fields.fail(
            fmt::format("invalid exec apiVersion \"{}\": expected client.authentication.k8s.io/v1 or v1beta1; {}",
                        plugin.api_version, "update the plugin and the tool that wrote this file"));
    }
    plugin.command = fields.text("command");
    if (plugin.command.empty()) fields.fail("the exec plugin has no command");
    if (plugin.command.find('/') != std::string::npos) plugin.command = fields.path("command");
    plugin.args = fields.texts("args");
    for (const Fields& variable : fields.list("env")) {
        plugin.env.emplace_back(variable.text("name"), variable.text("value"));
    }
    plugin.install_hint = fields.text("installHint");
    plugin.provide_cluster_info = fields.flag("provideClusterInfo");
    plugin.interactive_mode = interactive_mode(fields, plugin.api_version);
    return plugin;
}

Impersonation impersonation_of(const Fields& fields) {
    Impersonation impersonation;
    impersonation.user = fields.text("as");
    impersonation.uid = fields.text("as-uid");
    impersonation.groups = fields.texts("as-groups");
    if (fields.has("as-user-extra")) {
        const Fields extra = fields.fields("as-user-extra");
        for (const auto& item : fields.node("as-user-extra")) {
            const std::string key = item.first.Scalar();
            impersonation.extra[key] = extra.texts(key.c_str());
        }
    }
    return impersonation;
}

void check_user(const Fields& fields, const User& user) {
    if (fields.has("auth-provider")) {
        fields.fail("auth-provider is not supported; use your cloud provider's tool to set up an exec plugin instead");
    }
    const bool bearer = !user.token.empty() || !user.token_file.empty();
    if (bearer && !user.username.empty()) fields.fail("the user has both a token and a username; remove one of them");
    if (user.username.empty() && !user.password.empty()) fields.fail("the user has a password without a username");
}

User user_of(const Fields& fields) {
    User user;
    user.token = fields.text("token");
    user.token_file = fields.path("tokenFile");
    user.username = fields.text("username");
    user.password = fields.text("password");
    user.client_certificate = fields.path("client-certificate");
    user.client_key = fields.path("client-key");
    user.client_certificate_data = fields.decoded("client-certificate-data");
    user.client_key_data = fields.decoded("client-key-data");
    if (fields.has("exec")) user.exec = exec_of(fields.fields("exec"));
    user.impersonation = impersonation_of(fields);
    check_user(fields, user);
    return user;
}

// An invalid user entry must not cause an error unless the user is selected.
User user_or_unusable(const Fields& fields) {
    try {
        return user_of(fields);
    } catch (const ConfigError& error) {
        User user;
        user.unusable_reason = error.what();
        return user;
    }
}

template <typename Entry>
std::map<std::string, Entry> entries(const Fields& root, const char* list, const char* field,
                                     Entry (*read)(const Fields&)) {
    std::map<std::string, Entry> found;
    for (const Fields& item : root.list(list)) {
        const std::string name = item.text("name");
        if (name.empty()) item.fail(fmt::format("an entry of {} has no name", list));
        if (found.contains(name)) item.fail(fmt::format("{} has two entries named \"{}\"", list, name));
        found[name] = item.has(field) ? read(item.fields(field)) : Entry();
    }
    return found;
}

YAML::Node load(const std::string& text, const std::filesystem::path& file) {
    try {
        return YAML::Load(text);
    } catch (const YAML::Exception& error) {
        throw ConfigError(fmt::format("kubeconfig {}, line {}: invalid YAML or JSON: {}", file.string(),
                                      error.mark.line + 1, error.msg));
    }
}

}  // namespace

KubeconfigFile parse_kubeconfig(const std::string& text, const std::filesystem::path& file) {
    const YAML::Node node = load(text, file);
    if (!node || node.IsNull()) return {};
    const Fields root(node, file);
    KubeconfigFile config;
    config.current_context = root.text("current-context");
    config.clusters = entries(root, "clusters", "cluster", cluster_of);
    config.contexts = entries(root, "contexts", "context", context_of);
    config.users = entries(root, "users", "user", user_or_unusable);
    return config;
}

}  // namespace cudafault::kube
