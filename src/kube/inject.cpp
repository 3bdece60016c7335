// SPDX-License-Identifier: Apache-2.0
#include "kube/inject.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <random>

#include "kube/api/api_error.hpp"
#include "kube/api/retry.hpp"
#include "kube/delivery.hpp"
#include "kube/dry_run.hpp"
#include "kube/lease.hpp"
#include "kube/names.hpp"
#include "kube/own_objects.hpp"
#include "kube/patches.hpp"
#include "kube/plan_object.hpp"
#include "kube/pod_evidence.hpp"
#include "kube/resources.hpp"

namespace cudafault::kube {

namespace {

constexpr const char* kProtected[] = {"kube-system", "kube-public", "kube-node-lease", "gpu-operator", "nvsentinel"};
constexpr std::chrono::milliseconds kLibraryPoll{300};
constexpr std::chrono::seconds kLibraryWait{20};

std::string new_run_id() {
    std::random_device random;
    return fmt::format("{:08x}", random());
}

void refuse_protected(const std::string& in_namespace) {
    if (std::find(std::begin(kProtected), std::end(kProtected), in_namespace) == std::end(kProtected)) return;
    throw Error(fmt::format("namespace {} runs the cluster itself, so nothing is injected there", in_namespace));
}

void refuse_others_injection(const Workload& workload, const std::optional<Anchor>& anchor,
                             const std::optional<PlanObject>& plan) {
    std::string who = "an injection whose record is gone";
    if (anchor)
        who = fmt::format("{} at {} (run {})", anchor->record.by, anchor->record.created_at, anchor->record.run_id);
    const std::string armed = plan && !plan->spec.empty() ? fmt::format(", armed: {}", plan->spec) : ", nothing armed";
    throw Error(fmt::format("{} is injected already, by {}{}: restore it first, or take it over with --replace",
                            workload.text(), who, armed));
}

// What the workload would be without us; strategy and history limit stay as the first injection made them.
Json without_template_edits(const Workload& workload, const std::optional<Anchor>& anchor) {
    const std::optional<InjectedMark> mark = InjectedMark::of(workload.object);
    if (!mark) return workload.object;
    const auto edits =
        anchor ? anchor->record.editions.find(mark->edition) : std::map<int, std::vector<Edit>>::iterator{};
    if (!anchor || edits == anchor->record.editions.end()) {
        throw Error(fmt::format("{} is injected and its record is gone: restore it first", workload.text()));
    }
    return undo(workload.object, edits->second, Phase::kWithTemplate, anchor->record.library).object;
}

std::vector<TemplateSite> choose(const Workload& workload, const InjectOptions& options,
                                 std::vector<std::string>& notes) {
    std::vector<TemplateSite> chosen = choose_containers(workload, options.containers);
    if (!chosen.empty()) return chosen;
    if (!options.containers.empty()) {
        throw Error(
            fmt::format("no container of {} is named {}", workload.text(), fmt::join(options.containers, ", ")));
    }
    if (!options.or_all_containers) {
        throw Error(
            fmt::format("no container of {} asks for a GPU: name those that use one with --container, or take "
                        "all with --or-all-containers",
                        workload.text()));
    }
    notes.push_back("no container asks for a GPU, so all of them are injected");
    return choose_containers(workload, {"*"});
}

std::string hostname_label(Client& client, const std::string& node, std::vector<std::string>& notes) {
    if (node.empty()) return "";
    try {
        const Json found = client.get({nodes(), "", node});
        return text_at(found, {"metadata", "labels", "kubernetes.io/hostname"}, node);
    } catch (const ApiError& error) {
        if (error.code != 403) throw;
        notes.push_back(fmt::format("no permission to get node {}, so its name is taken for its hostname label", node));
        return node;
    }
}

KeyLookup lookup_in(Client& client, const std::string& in_namespace) {
    static const Resource secrets = {"", "v1", "secrets", "secret", "Secret", true, {}, {}, {}};
    return [&client, in_namespace](const std::string& kind, const std::string& name,
                                   const std::string& key) -> std::optional<bool> {
        try {
            const std::optional<Json> object =
                client.find({kind == "Secret" ? secrets : config_maps(), in_namespace, name});
            return object && (find(*object, {"data", key.c_str()}) || find(*object, {"binaryData", key.c_str()}));
        } catch (const ApiError& error) {
            if (error.code != 403) throw;
            return {};
        }
    };
}

Record record_of(const InjectionPlan& plan, const std::optional<Anchor>& anchor, const InjectOptions& options) {
    const Workload& workload = plan.workload;
    Record record;
    if (anchor) record = anchor->record;
    const std::optional<InjectedMark> mark = InjectedMark::of(workload.object);
    if (!mark) {
        record.editions.clear();
        record.managed_fields = workload.object.value("/metadata/managedFields"_json_pointer, Json());
    }
    record.run_id = plan.injection.mark.run_id;
    record.by = this_user();
    record.created_at = utc_now();
    record.api_version = workload.target.resource.api_version();
    record.kind = workload.target.resource.kind;
    record.in_namespace = workload.target.in_namespace;
    record.name = workload.target.name;
    record.uid = workload.uid();
    record.delivery = plan.injection.delivery;
    record.library = library_path(plan.injection);
    record.containers = container_names(plan.chosen);
    record.template_paths = options.choice.template_paths;
    record.editions[plan.injection.mark.edition] = plan.injected.edits;
    return record;
}

// What is taken back after the rollout was changed by the first edition; each that follows takes it over.
void keep_after_rollout_edits(std::vector<Edit>& edits, const std::vector<Edit>& before) {
    std::copy_if(before.begin(), before.end(), std::back_inserter(edits),
                 [](const Edit& edit) { return edit.phase == Phase::kAfterRollout; });
}

class Injecting {
public:
    Injecting(Client& client, Discovery& discovery, const InjectOptions& options)
        : client_(client), discovery_(discovery), options_(options) {}

    InjectionPlan plan(const Workload& workload) {
        InjectionPlan plan{workload, {}, {}, {}, {}, false};
        const std::string& in_namespace = workload.target.in_namespace;
        anchor_ = find_anchor(client_, in_namespace, workload.hash());
        const std::optional<InjectedMark> mark = InjectedMark::of(workload.object);
        if (mark && !options_.replace) {
            refuse_others_injection(workload, anchor_, find_plan(client_, in_namespace, workload.hash()));
        }
        Workload base = workload;
        base.object = without_template_edits(workload, anchor_);
        plan.chosen = choose(base, options_, plan.notes);
        plan.injection = injection_for(base, plan, mark);
        plan.injected = inject_into(base, plan.chosen, plan.injection, lookup_in(client_, in_namespace));
        plan.notes.insert(plan.notes.end(), plan.injected.notes.begin(), plan.injected.notes.end());
        plan.unchanged = mark && is_injected_so(base, plan, *mark);
        if (!plan.unchanged) check_with_server(plan);
        if (mark) keep_after_rollout_edits(plan.injected.edits, anchor_->record.editions.at(mark->edition));
        return plan;
    }

    InjectResult run() {
        refuse_protected(options_.choice.in_namespace);
        const Workload chosen = load_workload(client_, discovery_, options_.choice);
        HeldLease lease(client_, chosen, options_.on_progress);
        Workload workload = chosen;
        bool read = false;
        InjectResult result{recompute_on_lost_race(client_.session(),
                                                   [&] {
                                                       if (std::exchange(read, true))
                                                           workload = reload(client_, workload);
                                                       return change(workload);
                                                   }),
                            {},
                            {}};
        lease.release();
        if (options_.wait) wait(result);
        return result;
    }

private:
    Injection injection_for(const Workload& base, InjectionPlan& plan, const std::optional<InjectedMark>& mark) {
        Injection injection;
        injection.pin_label = hostname_label(client_, options_.node, plan.notes);
        injection.mark = {mark ? mark->run_id : new_run_id(), mark ? mark->edition + 1 : 1, injection.pin_label};
        injection.delivery = options_.delivery;
        injection.image_library = options_.image_library;
        injection.compiler_image = options_.compiler_image;
        injection.contract = options_.contract;
        injection.is_first = !mark;
        if (options_.delivery == Delivery::kBinary) {
            injection.architectures = architectures_for(client_, base, plan.chosen, plan.notes);
        } else if (options_.delivery == Delivery::kSource && !has_source(client_, base.target.in_namespace)) {
            throw Error(
                fmt::format("namespace {} has no ConfigMap {} with the library's source: make it with "
                            "`cudafault k8s library create -n {}`",
                            base.target.in_namespace, names::kSourceConfigMap, base.target.in_namespace));
        }
        return injection;
    }

    // Made again with the edition in force, it is what is there.
    bool is_injected_so(const Workload& base, const InjectionPlan& plan, const InjectedMark& mark) {
        Injection same = plan.injection;
        same.mark.edition = mark.edition;
        const Injected again = inject_into(base, plan.chosen, same, lookup_in(client_, base.target.in_namespace));
        const std::vector<Edit>& before = anchor_->record.editions.at(mark.edition);
        return are_in_place(plan.workload.object, again.edits) &&
               again.edits.size() == static_cast<size_t>(std::count_if(before.begin(), before.end(), is_with_template));
    }
    static bool is_with_template(const Edit& edit) { return edit.phase == Phase::kWithTemplate; }

    void check_with_server(InjectionPlan& plan) {
        const JsonPatch patch = patch_between(plan.workload.object, plan.injected.object);
        const Json checked = client_.patch(plan.workload.target, patch, dry_run());
        take_server_values(plan.injected.edits, checked);
        dry_run_pods(client_, plan.workload, checked, plan.chosen, plan.notes);
    }

    InjectionPlan change(const Workload& workload) {
        InjectionPlan injection = plan(workload);
        if (injection.unchanged) {
            disarm(workload);
            return injection;
        }
        try {
            write(workload, injection);
        } catch (const ApiError& error) {
            if (made_record_ && !error.is_lost_race() && error.code < 500) take_back_all_but_workload(workload);
            throw;
        }
        options_.on_progress(fmt::format("{} is changed; waiting for its pods", workload.text()));
        return injection;
    }

    void write(const Workload& workload, const InjectionPlan& injection) {
        const Record record = record_of(injection, anchor_, options_);
        if (anchor_) {
            anchor_ = replace_record(client_, *anchor_, record);
        } else {
            anchor_ = create_anchor(client_, workload, record);
            made_record_ = true;
        }
        if (options_.delivery == Delivery::kBinary) {
            create_libraries(client_, workload, injection.injection.architectures);
        }
        disarm(workload);
        pods_before_ = count_pods(workload);
        client_.patch(workload.target, patch_between(workload.object, injection.injected.object));
    }

    // For kinds that do not say how many they want. After the change their operators may have made new ones already.
    int count_pods(const Workload& workload) {
        if (workload.target.resource.group == "apps" || !options_.wait) return -1;
        const std::vector<Json> found = pods_of(client_, discovery_, workload);
        return static_cast<int>(
            std::count_if(found.begin(), found.end(), [](const Json& pod) { return !is_terminating(pod); }));
    }

    // The server has refused a write, so the workload is as it was. The record goes last.
    void take_back_all_but_workload(const Workload& workload) {
        const std::string& in_namespace = workload.target.in_namespace;
        try {
            remove_config_map(client_, in_namespace, workload.by_name(names::kPlanPrefix));
            remove_libraries(client_, in_namespace, workload.hash());
            remove_config_map(client_, in_namespace, workload.by_name(names::kAnchorPrefix));
        } catch (const Error&) {  // what it was refused for is what the user has to know; `restore` finds the rest
            options_.on_progress("what was made for it could not be removed: `cudafault k8s restore` does that");
        }
    }

    // There is a plan, and it is empty.
    void disarm(const Workload& workload) {
        const PlanObject plan = create_plan(client_, workload, pod_selector(workload));
        if (InjectedMark::of(workload.object)) nudge(client_, pods_with(client_, plan), plan.revision);
    }

    // Until the pods are replaced and the library has shown itself in each.
    void wait(InjectResult& result) {
        const Workload workload = reload(client_, result.plan.workload);
        const std::optional<InjectedMark> mark = InjectedMark::of(workload.object);
        if (!mark) throw Error(reverted(workload));
        const std::string injection = fmt::format("{}.{}", mark->run_id, mark->edition);
        const auto is_wanted = [&](const Json& pod) { return is_injected(pod, workload.hash(), injection); };
        RolloutOptions options;
        options.deadline = options_.deadline;
        options.delete_stuck = options_.delete_pods;
        options.pods_before = pods_before_;
        options.is_current = [](const Json& object) { return InjectedMark::of(object).has_value(); };
        options.on_progress = options_.on_progress;
        result.rollout = wait_for_rollout(client_, discovery_, workload, is_wanted, options);
        const Workload now = reload(client_, workload);
        if (!InjectedMark::of(now.object)) throw Error(reverted(now));
        look_for_library(result);
    }

    // Who changed it last, besides us and those who write its status.
    static std::string last_manager(const Workload& workload) {
        std::string name = "somebody whom its managedFields do not name", latest;
        const Json* managers = find(workload.object, {"metadata", "managedFields"});
        for (const Json& entry : managers && managers->is_array() ? *managers : Json::array()) {
            const std::string manager = text_at(entry, {"manager"}), time = text_at(entry, {"time"});
            if (manager == names::kManager || !text_at(entry, {"subresource"}).empty() || time < latest) continue;
            name = manager;
            latest = time;
        }
        return name;
    }

    std::string reverted(const Workload& workload) const {
        return fmt::format(
            "{} was put back while its pods were being replaced, by {}: pause that tool or operator for this workload "
            "(Argo CD: auto-sync, Flux: suspend), or inject what it makes the workload from",
            workload.text(), last_manager(workload));
    }

    void look_for_library(InjectResult& result) {
        const Deadline end = std::min(options_.deadline, after(kLibraryWait));
        for (const Json& pod : result.rollout.state.wanted) {
            InjectResult::Pod seen{text_at(pod, {"metadata", "name"}), text_at(pod, {"spec", "nodeName"}),
                                   is_ready(pod), false, trouble_of(pod)};
            seen.library_seen = sees_library(pod, result.plan.chosen, end);
            result.pods.push_back(seen);
        }
    }

    bool sees_library(const Json& pod, const std::vector<TemplateSite>& chosen, Deadline end) {
        if (text_at(pod, {"status", "phase"}) != "Running") return false;
        for (;;) {
            const auto seen = [&](const ContainerSite& site) {
                const Json* there = find(pod, (Path{"spec", "containers"}).item(site.name));
                return there && evidence_of(client_, pod, site.name).library_seen();
            };
            for (const TemplateSite& site : chosen) {
                if (std::any_of(site.containers.begin(), site.containers.end(), seen)) return true;
            }
            if (Clock::now() >= end) return false;
            client_.session().wait_until(std::min(end, after(kLibraryPoll)));
        }
    }

    Client& client_;
    Discovery& discovery_;
    const InjectOptions& options_;
    std::optional<Anchor> anchor_;
    int pods_before_ = -1;
    bool made_record_ = false;  // in this run: there was no injection before
};

}  // namespace

InjectionPlan plan_injection(Client& client, Discovery& discovery, const InjectOptions& options) {
    refuse_protected(options.choice.in_namespace);
    return Injecting(client, discovery, options).plan(load_workload(client, discovery, options.choice));
}

InjectResult inject(Client& client, Discovery& discovery, const InjectOptions& options) {
    return Injecting(client, discovery, options).run();
}

std::vector<std::string> container_names(const std::vector<TemplateSite>& chosen) {
    std::vector<std::string> names;
    for (const TemplateSite& site : chosen) {
        for (const ContainerSite& container : site.containers) {
            names.push_back(site.name.empty() ? container.name : site.name + "/" + container.name);
        }
    }
    return names;
}

}  // namespace cudafault::kube
