// SPDX-License-Identifier: Apache-2.0
#include "kube/inject/injection.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "kube/inject/preload_merge.hpp"
#include "kube/names.hpp"
#include "kube/object/well_known.hpp"
#include "kube/workload/surge.hpp"

namespace cudafault::kube {

namespace {

constexpr const char* kSourceMount = "/source";
constexpr int kNobody = 65534;
constexpr int kMoreHistory = 10;  // so that injected templates do not push the oldest revision out of the history

Json pod_field(const std::string& name, const std::string& field) {
    return {{"name", name}, {"valueFrom", {{"fieldRef", {{"apiVersion", "v1"}, {"fieldPath", field}}}}}};
}

Json mount(const std::string& volume, const std::string& path, bool read_only) {
    Json json = {{"name", volume}, {"mountPath", path}};
    if (read_only) json["readOnly"] = true;
    return json;
}

// The volume is optional, so that a pod still starts, without faults, if the ConfigMap was deleted.
Json config_map_volume(const std::string& volume, const std::string& config_map) {
    return {{"name", volume}, {"configMap", {{"name", config_map}, {"optional", true}}}};
}

class Injector {
public:
    Injector(const Workload& workload, const Injection& injection, const KeyLookup& lookup)
        : workload_(workload), injection_(injection), lookup_(lookup), result_{workload.object, {}, {}} {}

    Injected inject(const std::vector<TemplateSite>& chosen) {
        for (const TemplateSite& site : chosen) inject_template(site);
        editor_.use_phase(Phase::kAfterRollout);
        forbid_surge(editor_, workload_.ref.resource, !injection_.pin_label.empty());
        keep_history();
        editor_.use_phase(Phase::kWithTemplate);
        set_mark();
        result_.edits = editor_.edits();
        return result_;
    }

private:
    void inject_template(const TemplateSite& site) {
        const char* log = has_shared_pid_namespace(site) ? "/dev/stderr" : "/proc/1/fd/2";
        for (const ContainerSite& container : site.containers) inject_container(container, log);
        add_volume(site, config_map_volume(names::kPlanVolume, workload_.own_name(names::kPlanPrefix)));
        add_library_volumes(site);
        if (injection_.delivery == Delivery::kSource) add_compile_container(site);
        if (!injection_.pin_label.empty()) pin(site);
    }

    // True if containers share a PID namespace, in which /proc/1 does not belong to the container.
    bool has_shared_pid_namespace(const TemplateSite& site) const {
        for (const char* field : {"shareProcessNamespace", "hostPID"}) {
            const Json* shares = find(editor_.object(), site.pod_spec / field);
            if (shares && *shares == true) return true;
        }
        return false;
    }

    void inject_container(const ContainerSite& site, const char* log) {
        merge_preload(editor_, site, library_path(injection_), lookup_, result_.notes);
        set_variable(site, variable(names::kPlanFile, fmt::format("{}/{}", names::kPlanMount, names::kPlanKey)));
        set_variable(site, variable(names::kLog, log));
        set_variable(site, pod_field(names::kNode, "spec.nodeName"));
        set_variable(site, pod_field(names::kPod, "metadata.name"));
        set_variable(site, pod_field(names::kPodUid, "metadata.uid"));
        set_variable(site, variable(names::kInjection, injection_.mark.edition_text()));
        if (injection_.contract) {
            set_variable(site, variable(names::kContractEnabled, injection_.contract->enabled ? "1" : "0"));
            set_variable(site, variable(names::kContractXid, std::to_string(injection_.contract->xid)));
        }
        add_mount(site, mount(names::kPlanVolume, names::kPlanMount, true));
        if (injection_.delivery == Delivery::kBinary) {
            add_mount(site, mount(names::kLibraryVolume, names::kLibraryMount, true));
        } else if (injection_.delivery == Delivery::kSource) {
            add_mount(site, mount(names::kCompiledVolume, names::kCompiledMount, true));
        }
    }

    void set_variable(const ContainerSite& site, const Json& item) {
        editor_.set(site.env.item(item.at("name").get<std::string>()), item);
    }

    void add_mount(const ContainerSite& site, const Json& item) {
        editor_.set((site.container / "volumeMounts").item(item.at("mountPath").get<std::string>(), "mountPath"), item);
    }

    void add_volume(const TemplateSite& site, const Json& item) {
        editor_.set((site.pod_spec / "volumes").item(item.at("name").get<std::string>()), item);
    }

    std::string library_config_map(Architecture architecture) const {
        return names::library(workload_.hash(), kubernetes_name(architecture));
    }

    void add_library_volumes(const TemplateSite& site) {
        if (injection_.delivery == Delivery::kBinary) {
            add_volume(site, injection_.architectures.size() == 1
                                 ? config_map_volume(names::kLibraryVolume,
                                                     library_config_map(injection_.architectures.front()))
                                 : library_for_each_platform());
        } else if (injection_.delivery == Delivery::kSource) {
            add_volume(site, config_map_volume(names::kSourceVolume, names::kSourceConfigMap));
            add_volume(site, {{"name", names::kCompiledVolume}, {"emptyDir", Json::object()}});
        }
    }

    Json library_for_each_platform() const {
        Json sources = Json::array();
        for (const Architecture architecture : injection_.architectures) {
            Json items = Json::array();
            for (const std::string& platform : platforms(architecture)) {
                items.push_back({{"key", names::kLibraryFile}, {"path", platform + "/" + names::kLibraryFile}});
            }
            sources.push_back(
                {{"configMap", {{"name", library_config_map(architecture)}, {"optional", true}, {"items", items}}}});
        }
        return {{"name", names::kLibraryVolume}, {"projected", {{"sources", sources}}}};
    }

    // The compile container uses the app container's user and group, so that the app container can read the library.
    std::optional<int64_t> user_setting(const TemplateSite& site, const char* field) const {
        std::vector<Path> places;
        for (const ContainerSite& container : site.containers)
            places.push_back(container.container / "securityContext");
        places.push_back(site.pod_spec / "securityContext");
        for (const Path& place : places) {
            const Json* found = find(editor_.object(), place / field);
            if (found && found->is_number_integer()) return found->get<int64_t>();
        }
        return {};
    }

    Json security_context(const TemplateSite& site) const {
        const int64_t user = user_setting(site, "runAsUser").value_or(kNobody);
        return {{"runAsUser", user},
                {"runAsGroup", user_setting(site, "runAsGroup").value_or(user == 0 ? 0 : kNobody)},
                {"runAsNonRoot", user != 0},
                {"allowPrivilegeEscalation", false},
                {"readOnlyRootFilesystem", true},
                {"capabilities", {{"drop", {"ALL"}}}},
                {"seccompProfile", {{"type", "RuntimeDefault"}}}};
    }

    void add_compile_container(const TemplateSite& site) {
        const std::string source = fmt::format("{}/{}", kSourceMount, names::kSourceKey);
        const std::string script = fmt::format(
            "cd {0} || exit 1\n"
            "if [ ! -f {1} ]; then echo 'ConfigMap {2} was deleted, so nothing is compiled and no fault can be "
            "injected'; "
            "exit 0; fi\n"
            "set -e\n{3}",
            names::kCompiledMount, source, names::kSourceConfigMap, compile_commands(source, names::kCompiledLibrary));
        const Json container = {
            {"name", names::kCompileContainer},
            {"image", injection_.compiler_image},
            {"imagePullPolicy", "IfNotPresent"},
            {"command", {"sh", "-c", script}},
            {"env", {variable("TMPDIR", names::kCompiledMount)}},
            {"resources",
             {{"requests", {{"cpu", "100m"}, {"memory", "256Mi"}}}, {"limits", {{"cpu", "2"}, {"memory", "1Gi"}}}}},
            {"securityContext", security_context(site)},
            {"terminationMessagePolicy", "FallbackToLogsOnError"},
            {"volumeMounts",
             {mount(names::kSourceVolume, kSourceMount, true),
              mount(names::kCompiledVolume, names::kCompiledMount, false)}}};
        const Path list = site.pod_spec / "initContainers", at = list.item(names::kCompileContainer);
        const auto sidecar = std::find_if(site.containers.begin(), site.containers.end(),
                                          [&](const ContainerSite& each) { return each.container.parent() == list; });
        if (sidecar == site.containers.end() || find(editor_.object(), at)) {
            editor_.set(at, container);
        } else {
            editor_.add(at, container, sidecar->container);  // before the sidecar: init containers start in order
        }
    }

    // The terms are alternatives, so each term needs the expression.
    void pin(const TemplateSite& site) {
        const Json expression = {
            {"key", well_known::kHostname}, {"operator", "In"}, {"values", {injection_.pin_label}}};
        const Path at = site.pod_spec / "affinity" / "nodeAffinity" / "requiredDuringSchedulingIgnoredDuringExecution";
        const Json* before = find(editor_.object(), at);
        Json required = before && before->is_object() ? *before : Json::object();
        Json& terms = required["nodeSelectorTerms"];
        if (!terms.is_array() || terms.empty()) terms = Json::array({Json::object()});
        for (Json& term : terms) term["matchExpressions"].push_back(expression);
        editor_.set(at, required);
    }

    void keep_history() {
        const Path at = {"spec", "revisionHistoryLimit"};
        const Json* limit = find(editor_.object(), at);
        if (limit && limit->is_number_integer()) editor_.set(at, limit->get<int>() + kMoreHistory);
    }

    void set_mark() {
        InjectedMark mark = injection_.mark;
        mark.post_rollout_edits.emplace();
        std::copy_if(editor_.edits().begin(), editor_.edits().end(), std::back_inserter(*mark.post_rollout_edits),
                     [](const Edit& edit) { return edit.phase == Phase::kAfterRollout; });
        editor_.set(Path{"metadata", "annotations"} / names::kInjected, mark.text());
    }

    const Workload& workload_;
    const Injection& injection_;
    const KeyLookup& lookup_;
    Injected result_;
    Editor editor_{result_.object};
};

}  // namespace

std::string library_path(const Injection& injection) {
    if (injection.delivery == Delivery::kImage) return injection.image_library;
    if (injection.delivery == Delivery::kSource) return names::kCompiledLibrary;
    const std::string folder = injection.architectures.size() == 1 ? "" : "/$PLATFORM";
    return fmt::format("{}{}/{}", names::kLibraryMount, folder, names::kLibraryFile);
}

Injected inject_into(const Workload& workload, const std::vector<TemplateSite>& chosen, const Injection& injection,
                     const KeyLookup& lookup) {
    return Injector(workload, injection, lookup).inject(chosen);
}

}  // namespace cudafault::kube
