// SPDX-License-Identifier: Apache-2.0
#include "kube/inject/inject.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>

#include "kube/api/client/client.hpp"
#include "kube/api/client/discovery.hpp"
#include "kube/api/client/parallel.hpp"
#include "kube/api/client/resource.hpp"
#include "kube/api/common/error.hpp"
#include "kube/api/common/timestamp.hpp"
#include "kube/api/transport/api_error.hpp"
#include "kube/api/transport/deadline_scope.hpp"
#include "kube/api/transport/retry.hpp"
#include "kube/api/transport/session.hpp"
#include "kube/inject/architectures.hpp"
#include "kube/inject/dry_run.hpp"
#include "kube/inject/library_objects.hpp"
#include "kube/inject/server_fields.hpp"
#include "kube/names.hpp"
#include "kube/object/patches.hpp"
#include "kube/object/well_known.hpp"
#include "kube/plan/arm.hpp"
#include "kube/plan/plan_object.hpp"
#include "kube/plan/plan_spec.hpp"
#include "kube/plan/pod_evidence.hpp"
#include "kube/record/author.hpp"
#include "kube/record/lease.hpp"
#include "kube/record/random_id.hpp"
#include "kube/workload/diagnosis.hpp"
#include "kube/workload/pods.hpp"

namespace cudafault::kube {

namespace {

constexpr const char* kProtected[] = {"kube-system", "kube-public", "kube-node-lease", "gpu-operator", "nvsentinel"};
constexpr std::chrono::milliseconds kLibraryPoll{300};
constexpr std::chrono::seconds kLibraryWait{20};
constexpr std::chrono::seconds kFinalReadTime{5};  // for reading the final state after the deadline

void refuse_protected(const std::string& in_namespace) {
    if (std::find(std::begin(kProtected), std::end(kProtected), in_namespace) == std::end(kProtected)) return;
    throw Error(fmt::format(
        "namespace {} contains components of the cluster, so cudafault does not inject workloads in it", in_namespace));
}

[[noreturn]] void refuse_existing_injection(const Workload& workload, const Record& record,
                                            const std::optional<PlanObject>& plan) {
    const std::string armed = plan && is_armed(plan->spec) ? fmt::format(", armed: {}", plan->spec) : ", nothing armed";
    throw Error(fmt::format(
        "{} is already injected, by {} at {} (run {}){}: restore it first, or use --replace to take it over",
        workload.text(), record.by, record.created_at, record.run_id, armed));
}

// Returns the workload as it would be without the injection.
Json state_without_injection(const Workload& workload, const std::optional<Anchor>& anchor) {
    const std::optional<InjectedMark> mark = InjectedMark::of(workload.object);
    if (mark && (!anchor || !anchor->record.has(*mark) || anchor->record.is_rebuilt)) {
        throw Error(fmt::format("{} is injected but its record was lost: restore it first", workload.text()));
    }
    const std::vector<Edit>* edits = anchor ? anchor->record.edits_in_force(mark) : nullptr;
    if (!edits) return workload.object;
    const std::string& library = anchor->record.library;
    const Json object = undo(workload.object, *edits, Phase::kWithTemplate, library).object;
    return undo(object, *edits, Phase::kAfterRollout, library).object;
}

bool has_own_fields(const Json& object) {
    const Json& managers = items_at(object, {"metadata", "managedFields"});
    return std::any_of(managers.begin(), managers.end(),
                       [](const Json& entry) { return text_at(entry, {"manager"}) == names::kManager; });
}

std::vector<std::string> init_container_names(const Workload& workload) {
    std::vector<std::string> names;
    for (const TemplateSite& site : workload.templates) {
        for (const ContainerSite& container : site.init_containers) names.push_back(container.name);
    }
    return names;
}

// Lists the containers that can be injected, and the reasons why other containers cannot.
std::string choices_text(const Workload& workload) {
    std::vector<std::string> parts;
    const auto names = container_names(workload.templates);
    parts.push_back(names.empty() ? "it has no container that can be injected"
                                  : fmt::format("it has {}", fmt::join(names, ", ")));
    const auto init = init_container_names(workload);
    if (!init.empty()) parts.push_back(fmt::format("init containers ({}) are not injected", fmt::join(init, ", ")));
    parts.insert(parts.end(), workload.skipped.begin(), workload.skipped.end());
    return fmt::format("{}", fmt::join(parts, "; "));
}

bool has_matching_container(const Workload& workload, const std::string& glob) {
    return std::any_of(workload.templates.begin(), workload.templates.end(), [&](const TemplateSite& site) {
        return std::any_of(site.containers.begin(), site.containers.end(),
                           [&](const ContainerSite& container) { return is_container_match(glob, site, container); });
    });
}

std::string no_container_text(const Workload& workload, const InjectOptions& options) {
    const std::string choices = choices_text(workload);
    if (!options.containers.empty()) {
        return fmt::format("no container of {} matches --container \"{}\": {}", workload.text(),
                           fmt::join(options.containers, "\", \""), choices);
    }
    if (options.or_all_containers) return fmt::format("nothing to inject in {}: {}", workload.text(), choices);
    return fmt::format(
        "no container of {} requests a GPU: select containers with --container, or select all of them with "
        "--or-all-containers ({})",
        workload.text(), choices);
}

// Adds notes about containers that were chosen because of an assumption, and about omitted containers that the user may
// have intended.
void note_choice(const Workload& workload, const std::vector<TemplateSite>& chosen, const InjectOptions& options,
                 std::vector<std::string>& notes) {
    for (const TemplateSite& site : chosen) {
        if (!site.note.empty()) notes.push_back(site.note);
        for (const ContainerSite& container : site.containers) {
            if (!options.containers.empty() || container.gpu_note.empty()) continue;
            notes.push_back(fmt::format(
                "container {} {}, so it is treated as a container with a GPU; use --container to select others",
                container.name, container.gpu_note));
        }
    }
    for (const std::string& glob : options.containers) {
        if (!has_matching_container(workload, glob))
            notes.push_back(fmt::format("no container matches --container {}", glob));
    }
    for (const TemplateSite& site : workload.templates) {
        for (const ContainerSite& container : site.init_containers) {
            if (!container.has_gpu) continue;
            notes.push_back(fmt::format("init container {} requests a GPU but is not injected", container.name));
        }
    }
}

// Returns the templates to inject. Returns an empty list only with `allow_empty`; otherwise throws Error.
std::vector<TemplateSite> choose_templates(const Workload& workload, const InjectOptions& options,
                                           std::vector<std::string>& notes) {
    std::vector<TemplateSite> chosen = choose_containers(workload, options.containers);
    if (chosen.empty() && options.containers.empty() && options.or_all_containers) {
        chosen = choose_containers(workload, {"*"});
        if (!chosen.empty()) notes.push_back("no container requests a GPU, so all containers are injected");
    }
    if (chosen.empty()) {
        const std::string why = no_container_text(workload, options);
        if (!options.allow_empty) throw Error(why);
        notes.push_back(why);
    }
    note_choice(workload, chosen, options, notes);
    return chosen;
}

std::string hostname_label(Client& client, const std::string& node, std::vector<std::string>& notes) {
    if (node.empty()) return "";
    try {
        const Json found = client.get({nodes(), "", node});
        return text_at(found, {"metadata", "labels", well_known::kHostname}, node);
    } catch (const ApiError& error) {
        if (!error.is_forbidden()) throw;
        notes.push_back(
            fmt::format("no permission to get node {}, so its name is used as the value of its hostname label", node));
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
            if (!error.is_forbidden()) throw;
            return {};
        }
    };
}

Record record_of(const InjectionPlan& plan, const std::optional<Anchor>& anchor, const InjectOptions& options,
                 const std::string& by) {
    const Workload& workload = plan.workload;
    Record record;
    if (anchor) record = anchor->record;
    if (!InjectedMark::of(workload.object)) record.editions.clear();
    if (!anchor || !has_own_fields(workload.object)) {
        record.managed_fields = workload.object.value("/metadata/managedFields"_json_pointer, Json());
    }
    record.run_id = plan.injection.mark.run_id;
    record.by = by;
    record.created_at = utc_now();
    record.workload = workload.ref;
    record.delivery = plan.injection.delivery;
    record.library = library_path(plan.injection);
    record.containers = container_names(plan.chosen);
    record.template_paths = options.choice.template_paths;
    record.editions[plan.injection.mark.edition] = plan.injected.edits;
    record.is_rebuilt = false;
    return record;
}

// True if the API server may have executed the request despite the error.
bool is_uncertain(const Error& error) {
    const auto* api_error = dynamic_cast<const ApiError*>(&error);
    return api_error ? api_error->code >= 500
                     : dynamic_cast<const ConnectionError*>(&error) || dynamic_cast<const Cancelled*>(&error) ||
                           dynamic_cast<const DeadlinePassed*>(&error);
}

class InjectOperation {
public:
    InjectOperation(Client& client, Discovery& discovery, const InjectOptions& options)
        : client_(client), discovery_(discovery), options_(options), on_progress_(options.on_progress) {}

    InjectionPlan plan(const Workload& read) {
        const std::string& in_namespace = read.ref.in_namespace;
        anchor_ = find_anchor(client_, read.ref);
        // A previous lease holder may have changed the workload and the record since the first read.
        const bool may_have_changed = anchor_ || InjectedMark::of(read.object);
        const Workload workload = may_have_changed ? reload(client_, read) : read;
        InjectionPlan plan{workload, {}, {}, {}, {}, false};
        const std::optional<InjectedMark> mark = InjectedMark::of(workload.object);
        Workload base = workload;
        base.object = state_without_injection(workload, anchor_);
        note_kind(plan);
        plan.chosen = choose_templates(base, options_, plan.notes);
        if (plan.chosen.empty()) return plan;
        plan.injection = injection_for(base, plan, mark);
        plan.injected = inject_into(base, plan.chosen, plan.injection, lookup_in(client_, in_namespace));
        plan.notes.insert(plan.notes.end(), plan.injected.notes.begin(), plan.injected.notes.end());
        plan.unchanged = mark && has_same_edits(base, plan, *mark);
        if (mark && !options_.replace) refuse_unless_identical(plan);
        if (!plan.unchanged) check_with_server(plan);
        return plan;
    }

    InjectionPlan plan_manifest(const Workload& read) {
        if (InjectedMark::of(read.object)) {
            throw Error(fmt::format("{} is already injected: restore it, or create it again from its original manifest",
                                    read.text()));
        }
        InjectionPlan plan{read, {}, {}, {}, {}, false};
        Workload& workload = plan.workload;
        workload.object = without_server_fields(read.object);
        note_kind(plan);
        plan.chosen = choose_templates(workload, options_, plan.notes);
        if (plan.chosen.empty()) return plan;
        plan.injection = injection_for(workload, plan, {});
        plan.injected =
            inject_into(workload, plan.chosen, plan.injection, lookup_in(client_, workload.ref.in_namespace));
        plan.notes.insert(plan.notes.end(), plan.injected.notes.begin(), plan.injected.notes.end());
        dry_run_pods(client_, workload, plan.injected.object, plan.chosen, plan.notes);
        return plan;
    }

    InjectResult run() {
        refuse_protected(options_.choice.in_namespace);
        const Workload chosen = load_workload(client_, discovery_, options_.choice);
        if (options_.is_one_of_several) on_progress_ = named(on_progress_, chosen.ref.kubectl_name());
        HeldLease lease(client_, chosen.ref, on_progress_);
        Workload workload = chosen;
        bool read = false;
        const auto attempt = [&] {
            if (std::exchange(read, true)) workload = reload(client_, workload);
            return change(workload);
        };
        try {
            InjectResult result{retry_on_conflict(client_.session(), attempt), {}, {}};
            release(lease);
            if (options_.wait && !result.plan.chosen.empty()) wait(result);
            return result;
        } catch (const Error& error) {
            if (created_record_ && !is_changed_ && !is_uncertain(error)) remove_created_objects(workload);
            throw;
        }
    }

private:
    Injection injection_for(const Workload& base, InjectionPlan& plan, const std::optional<InjectedMark>& mark) {
        Injection injection;
        injection.pin_label = hostname_label(client_, options_.node, plan.notes);
        injection.mark = {mark ? mark->run_id : random_id(), mark ? mark->edition + 1 : 1, injection.pin_label};
        injection.delivery = options_.delivery;
        injection.image_library = options_.image_library;
        injection.compiler_image = options_.compiler_image;
        injection.contract = options_.contract;
        if (options_.delivery == Delivery::kBinary) {
            injection.architectures = architectures_for(client_, discovery_, base, plan.chosen, plan.notes);
        } else if (options_.delivery == Delivery::kSource && !has_source(client_, base.ref.in_namespace)) {
            throw Error(
                fmt::format("namespace {} has no ConfigMap {} with the library's source: create it with `cudafault k8s "
                            "library create -n {}`",
                            base.ref.in_namespace, names::kSourceConfigMap, base.ref.in_namespace));
        }
        return injection;
    }

    // Adds notes about the kind, and a note if the injected object is not the one that the command names.
    void note_kind(InjectionPlan& plan) const {
        const Workload& workload = plan.workload;
        if (workload.ref.name != options_.choice.name) {
            plan.notes.push_back(fmt::format("{} belongs to {}, so that workload is changed instead",
                                             options_.choice.name, workload.text()));
        }
        if (!workload.note.empty()) plan.notes.push_back(workload.note);
    }

    // Re-running an identical inject resumes waiting, unless a plan was armed since.
    void refuse_unless_identical(const InjectionPlan& plan) {
        const Workload& workload = plan.workload;
        const auto armed = find_plan(client_, workload.ref.in_namespace, workload.hash());
        if (plan.unchanged && (!armed || !is_armed(armed->spec))) return;
        refuse_existing_injection(workload, anchor_->record, armed);
    }

    // True if regenerating the edits with the current edition yields exactly what the object already has.
    bool has_same_edits(const Workload& base, const InjectionPlan& plan, const InjectedMark& mark) {
        Injection same = plan.injection;
        same.mark.edition = mark.edition;
        const Injected regenerated = inject_into(base, plan.chosen, same, lookup_in(client_, base.ref.in_namespace));
        return has_edited_values(plan.workload.object, regenerated.edits) &&
               regenerated.edits.size() == anchor_->record.editions.at(mark.edition).size();
    }

    void check_with_server(InjectionPlan& plan) {
        const JsonPatch patch = patch_between(plan.workload.object, plan.injected.object);
        const Json checked = client_.patch(plan.workload.ref, patch, dry_run());
        update_from_server(plan.injected.edits, checked);
        dry_run_pods(client_, plan.workload, checked, plan.chosen, plan.notes);
    }

    InjectionPlan change(const Workload& workload) {
        InjectionPlan injection = plan(workload);
        if (injection.chosen.empty()) return injection;
        if (injection.unchanged) {
            const std::string by = author(client_);
            const Record& record = anchor_->record;
            if (record.by != by) {
                injection.notes.push_back(
                    fmt::format("the injection was made by {} at {}, and restore ends it for all users", record.by,
                                record.created_at));
            }
            create_missing_libraries(client_, injection.workload, injection.injection.architectures);
            disarm(injection.workload, by);
            return injection;
        }
        write(injection);
        on_progress_(fmt::format("{} is changed; waiting for its pods", workload.text()));
        return injection;
    }

    void write(const InjectionPlan& injection) {
        const Workload& workload = injection.workload;
        const std::string by = author(client_);
        const Record record = record_of(injection, anchor_, options_, by);
        if (anchor_) {
            anchor_ = replace_record(client_, *anchor_, record);
        } else {
            anchor_ = create_anchor(client_, record);
            created_record_ = true;
        }
        create_libraries(client_, workload, injection.injection.architectures);
        disarm(workload, by);
        pods_before_ = count_pods(workload);
        client_.patch(workload.ref, patch_between(workload.object, injection.injected.object));
        is_changed_ = true;
    }

    // Counts the pods before the change, for kinds whose desired number of pods is unknown. After the change, the
    // operator may already have created new pods.
    int count_pods(const Workload& workload) {
        const bool has_desired_count = workload.ref.resource.group == "apps";
        if (has_desired_count || workload.replacement == Replacement::kNextRun || !options_.wait) return -1;
        const std::vector<Json> found = pods_of(client_, discovery_, workload);
        return static_cast<int>(
            std::count_if(found.begin(), found.end(), [](const Json& pod) { return !is_terminating(pod); }));
    }

    // Called after the API server rejected the change of the workload. Deletes the record last.
    void remove_created_objects(const Workload& workload) {
        try {
            remove_injection(client_, workload.ref);
        } catch (const Error&) {  // report the original error; `restore` removes these objects
            on_progress_("the objects created for the injection could not be removed: run `cudafault k8s restore`");
        }
    }

    // The change is complete, so failing to release the lease is not an error.
    void release(HeldLease& lease) {
        try {
            lease.release();
        } catch (const Error& error) {
            on_progress_(fmt::format("the lease could not be released and expires in a minute: {}", error.what()));
        }
    }

    // Makes sure that the plan object exists and is empty.
    void disarm(const Workload& workload, const std::string& by) {
        const PlanObject plan = create_plan(client_, workload, pod_selector(workload), by);
        if (InjectedMark::of(workload.object)) nudge(client_, pods_with(client_, plan), plan.revision);
    }

    // Waits until the pods are replaced and each pod's log shows the library.
    void wait(InjectResult& result) {
        const Workload workload = reload(client_, result.plan.workload);
        const std::optional<InjectedMark> mark = InjectedMark::of(workload.object);
        if (!mark) throw Error(reverted_text(workload));
        const auto is_edited = [&](const Json& object) { return is_in_force(object, *mark); };
        const std::string injection = mark->edition_text();
        const auto is_wanted = [&](const Json& pod) { return is_injected(pod, workload.hash(), injection); };
        RolloutOptions options;
        options.deadline = options_.deadline;
        options.delete_stuck = options_.delete_pods;
        options.pods_before = pods_before_;
        // When inject is repeated, pods in restart back-off may already be injected.
        options.need = result.plan.unchanged ? NewPod::kHasRun : NewPod::kReady;
        options.pinned = !mark->pin.empty();
        options.is_current = is_edited;
        options.on_progress = on_progress_;
        result.rollout = wait_for_rollout(client_, discovery_, workload, is_wanted, options);
        const DeadlineScope final_read(client_.session(),
                                       std::max(client_.session().options().deadline, after(kFinalReadTime)));
        const Workload current = reload(client_, workload);
        if (!is_edited(current.object)) throw Error(reverted_text(current));
        check_library(result);
    }

    // Also checks the edits, because a tool that reverts a workload may keep its annotations.
    bool is_in_force(const Json& object, const InjectedMark& mark) const {
        const std::optional<InjectedMark> current = InjectedMark::of(object);
        if (!current || current->text() != mark.text()) return false;
        if (!anchor_->record.has(mark)) return true;
        const std::vector<Edit>& edits = *anchor_->record.edits_in_force(mark);
        return std::all_of(edits.begin(), edits.end(), [&](const Edit& edit) {
            return edit.phase != Phase::kWithTemplate || has_edited_values(object, {edit});
        });
    }

    // Returns the field manager of the last change. Ignores cudafault and changes of the status.
    static std::string last_manager(const Workload& workload) {
        std::string name = "a client that is not in its managedFields", latest;
        for (const Json& entry : items_at(workload.object, {"metadata", "managedFields"})) {
            const std::string manager = text_at(entry, {"manager"}), time = text_at(entry, {"time"});
            if (manager == names::kManager || !text_at(entry, {"subresource"}).empty() || time < latest) continue;
            name = manager;
            latest = time;
        }
        return name;
    }

    std::string reverted_text(const Workload& workload) const {
        if (!InjectedMark::of(workload.object) && !find_anchor(client_, workload.ref)) {
            return fmt::format("{} was restored by another cudafault command while its pods were being replaced",
                               workload.text());
        }
        return fmt::format(
            "{} was reverted by {} while its pods were being replaced: pause that tool or operator for this workload "
            "(Argo CD: auto-sync, Flux: suspend), or inject the object from which that tool or operator creates the "
            "workload",
            workload.text(), last_manager(workload));
    }

    void check_library(InjectResult& result) {
        const Deadline end = std::min(options_.deadline, after(kLibraryWait));
        for (const Json& pod : result.rollout.state.wanted) {
            InjectResult::Pod seen{text_at(pod, {"metadata", "name"}), text_at(pod, {"spec", "nodeName"}),
                                   is_ready(pod), false, diagnosis_text(pod)};
            seen.library_seen = wait_for_library(pod, end);
            result.pods.push_back(seen);
        }
    }

    // Waits until every injected container shows the library in its log. Returns false if the pod is not running
    // or if `end` passes first.
    bool wait_for_library(const Json& pod, Deadline end) {
        if (text_at(pod, {"status", "phase"}) != "Running") return false;
        const std::vector<std::string> containers = injected_containers(pod);
        for (;;) {
            const bool seen = std::all_of(containers.begin(), containers.end(), [&](const std::string& container) {
                return evidence_of(client_, pod, container).is_library_seen();
            });
            if (seen || Clock::now() >= end) return seen;
            client_.session().wait_until(std::min(end, after(kLibraryPoll)));
        }
    }

    Client& client_;
    Discovery& discovery_;
    const InjectOptions& options_;
    Progress on_progress_;
    std::optional<Anchor> anchor_;
    int pods_before_ = -1;
    bool created_record_ = false;  // this command created the record: the workload was not injected before
    bool is_changed_ = false;      // this command changed the workload
};

}  // namespace

InjectionPlan plan_injection(Client& client, Discovery& discovery, const InjectOptions& options) {
    refuse_protected(options.choice.in_namespace);
    return InjectOperation(client, discovery, options).plan(load_workload(client, discovery, options.choice));
}

InjectionPlan plan_manifest(Client& client, Discovery& discovery, const InjectOptions& options) {
    refuse_protected(options.choice.in_namespace);
    WorkloadChoice choice = options.choice;
    choice.accept_immutable = true;
    return InjectOperation(client, discovery, options).plan_manifest(load_workload(client, discovery, choice));
}

std::vector<std::string> config_maps_of(const InjectionPlan& plan) {
    if (plan.chosen.empty()) return {};
    std::vector<std::string> found = {plan.workload.own_name(names::kPlanPrefix)};
    for (const Architecture architecture : plan.injection.architectures) {
        found.push_back(names::library(plan.workload.hash(), kubernetes_name(architecture)));
    }
    return found;
}

void create_config_maps_of(Client& client, const InjectionPlan& plan) {
    if (plan.chosen.empty()) return;
    Workload unowned = plan.workload;
    unowned.ref.uid.clear();
    create_libraries(client, unowned, plan.injection.architectures);
    create_plan(client, unowned, "", author(client));  // the selector of the new object may differ
}

InjectResult inject(Client& client, Discovery& discovery, const InjectOptions& options) {
    return InjectOperation(client, discovery, options).run();
}

std::vector<InjectAttempt> inject_each(Client& client, std::vector<InjectOptions> all) {
    std::vector<InjectAttempt> attempts(all.size());
    if (all.empty()) return attempts;
    const Progress on_progress = serialized(all.front().on_progress);
    in_parallel(client, all.size(), [&](Client& own, Discovery& discovery, size_t index) {
        all[index].on_progress = on_progress;
        all[index].is_one_of_several = true;
        try {
            attempts[index].result = inject(own, discovery, all[index]);
        } catch (const ApiError& error) {
            attempts[index].error = std::make_shared<ApiError>(error);
        } catch (const Error& error) {
            if (ends_command(error)) throw;
            attempts[index].error = std::make_shared<Error>(error);
        }
    });
    return attempts;
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
