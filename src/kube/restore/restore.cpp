// SPDX-License-Identifier: Apache-2.0
#include "kube/restore/restore.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <set>
#include <utility>

#include "kube/api/client/client.hpp"
#include "kube/api/client/discovery.hpp"
#include "kube/api/client/parallel.hpp"
#include "kube/api/client/resource.hpp"
#include "kube/api/common/error.hpp"
#include "kube/api/transport/api_error.hpp"
#include "kube/api/transport/retry.hpp"
#include "kube/api/transport/session.hpp"
#include "kube/names.hpp"
#include "kube/object/managed_fields.hpp"
#include "kube/object/owners.hpp"
#include "kube/object/patches.hpp"
#include "kube/plan/arm.hpp"
#include "kube/plan/injected_object.hpp"
#include "kube/plan/plan_object.hpp"
#include "kube/plan/plan_spec.hpp"
#include "kube/record/author.hpp"
#include "kube/record/lease.hpp"
#include "kube/record/own_objects.hpp"
#include "kube/record/record.hpp"
#include "kube/record/strip.hpp"
#include "kube/restore/revisions.hpp"
#include "kube/workload/kinds.hpp"
#include "kube/workload/pods.hpp"
#include "kube/workload/rollout.hpp"
#include "kube/workload/surge.hpp"
#include "kube/workload/survey.hpp"
#include "os/plural.hpp"

namespace cudafault::kube {

namespace {

constexpr const char* kRestoredFromMark =
    "the record of the injection is missing, so everything with a name of cudafault was removed, and the strategy and "
    "revisionHistoryLimit were restored from the workload's annotation";

constexpr const char* kRestoredByName =
    "the record of the injection is missing, so everything with a name of cudafault was removed; the strategy and "
    "revisionHistoryLimit may still have the values that the injection set";

constexpr std::chrono::milliseconds kPoll{200};
constexpr size_t kMaxPodNames = 10;

constexpr const char* kNewerRevision =
    "another client has created a newer revision since the injection, so the revision numbers are not restored";

// Disarms the plan of any author, and reports a plan of another author, whose drill this ends.
void disarm_plan(Client& client, const PlanObject& plan, const Progress& on_progress) {
    const std::string by = author(client);
    nudge(client, pods_with(client, plan), write_plan(client, plan, "", by).revision);
    if (!is_armed(plan.spec) || plan.changed_by == by) return;
    on_progress(fmt::format("{}: ended the plan {}", plan.workload_text(), description_of(plan)));
}

class RestoreOperation {
public:
    RestoreOperation(Client& client, Discovery& discovery, const Workload& workload, const RestoreOptions& options)
        : client_(client), discovery_(discovery), workload_(workload), options_(options) {
        result_.workload = workload.text();
        if (options.is_one_of_several) options_.on_progress = named(options.on_progress, workload.ref.kubectl_name());
    }

    RestoreResult run() {
        HeldLease lease(client_, workload_.ref, options_.on_progress);
        // A previous lease holder may have changed the workload and the record.
        workload_ = reload(client_, workload_);
        anchor_ = find_anchor(client_, workload_.ref);
        disarm_all();
        if (is_immutable(workload_.ref.resource) && is_injected_object()) return immutable_template_result();
        keep_current_edition();
        revert_template();
        if (wait_for_pods()) {
            if (options_.exact) record_revision_numbers();
            remove_injected_revisions(client_, workload_, options_.deadline);
            if (options_.exact) reset_numbers();
            revert_post_rollout_edits();
            restore_field_managers();
            unmark_revisions();
            lease.require_held();
            result_.restored |= remove_injection_objects(client_, workload_.ref);
            lease.release();
            result_.restored |= remove_anchor(client_, workload_.ref);
        } else {
            result_.complete = false;
        }
        if (is_stripped_)
            result_.notes.push_back(has_mark_edits_ && result_.complete ? kRestoredFromMark : kRestoredByName);
        return result_;
    }

private:
    const std::vector<Edit>* edits_for(const std::optional<InjectedMark>& mark) const {
        return anchor_ ? anchor_->record.edits_in_force(mark) : nullptr;
    }

    void disarm_all() {
        const std::optional<PlanObject> plan = find_plan(client_, workload_.ref.in_namespace, workload_.hash());
        if (!plan || plan->spec.empty()) return;
        result_.restored = true;
        disarm_plan(client_, *plan, options_.on_progress);
        options_.on_progress(fmt::format("{} is disarmed", workload_.text()));
    }

    bool is_injected_object() const {
        return InjectedMark::of(workload_.object) || has_injection(value_at(workload_.object, "spec"));
    }

    // The API server refuses every change of the template, so only the plan was disarmed.
    RestoreResult immutable_template_result() {
        result_.complete = false;
        result_.notes.push_back(fmt::format(
            "the pod templates of a {} are immutable: delete it, or create it again from its original manifest",
            workload_.ref.resource.kind));
        return result_;
    }

    // Keeps only the current edition in the record, because the mark, which names the edition, is removed with the
    // template.
    void keep_current_edition() {
        const std::optional<InjectedMark> mark = InjectedMark::of(workload_.object);
        if (!mark) return;
        if (!anchor_) return rebuild_record(*mark);
        Record record = anchor_->record;
        if (record.keep_only(*mark)) anchor_ = replace_record(client_, *anchor_, record);
    }

    void rebuild_record(const InjectedMark& mark) {
        const Record record = Record::rebuilt(workload_.ref, mark);
        post_rollout_edits_ = *record.edits_in_force(mark);
        try {
            anchor_ = create_anchor(client_, record);
        } catch (const ApiError& error) {
            if (!error.is_forbidden())
                throw;  // continue without a record; if this restore is killed, these edits are lost
        }
    }

    // The numbers can be read only while the injected revisions exist. The record keeps them in case this restore is
    // killed, and for the restore after the next injection.
    void record_revision_numbers() {
        injected_revisions_ = injected_revision_numbers(client_, workload_, options_.deadline);
        if (!anchor_) return;
        Record record = anchor_->record;
        injected_revisions_.add(record.revisions);
        if (injected_revisions_ == record.revisions) return;
        record.revisions = injected_revisions_;
        anchor_ = replace_record(client_, *anchor_, record);
    }

    void reset_numbers() {
        const auto reset = [&] { return reset_revision_number(client_, workload_, injected_revisions_); };
        if (!retry_on_conflict(client_.session(), reset)) result_.notes.push_back(kNewerRevision);
    }

    void revert_template() {
        change("is reverted", [&](const Json& object) {
            const std::optional<InjectedMark> mark = InjectedMark::of(object);
            has_mark_edits_ = mark && mark->post_rollout_edits;
            // Only a record distinguishes the workload's own variables from injected variables of the same name.
            const std::vector<Edit>* edits = edits_for(mark);
            Undone undone = edits && !anchor_->record.is_rebuilt
                                ? undo(object, *edits, Phase::kWithTemplate, anchor_->record.library)
                                : without_record(object, mark);
            if (must_replace_pods(object, undone.object)) forbid_surge_for_revert(undone.object);
            return undone;
        });
    }

    // Returns true if the template has injected values, or if an earlier restore reverted the template but did not
    // replace all pods.
    bool must_replace_pods(const Json& object, const Json& reverted) {
        if (value_at(object, "spec") != value_at(reverted, "spec")) return true;
        if (!anchor_) return false;
        const std::vector<Json> pods = pods_of(client_, discovery_, workload_);
        return std::any_of(pods.begin(), pods.end(),
                           [&](const Json& pod) { return is_injected(pod, workload_.hash()); });
    }

    // Forbids surge pods again, because a GitOps tool may have restored the original strategy while it kept the
    // injected template. Adds these edits to the record before the object changes, so that revert_post_rollout_edits()
    // can revert them, even in a later restore.
    void forbid_surge_for_revert(Json& object) {
        Editor editor(object);
        editor.use_phase(Phase::kAfterRollout);
        forbid_surge(editor, workload_.ref.resource, false);
        if (editor.edits().empty()) return;
        if (!anchor_ || anchor_->record.editions.empty()) {
            post_rollout_edits_.insert(post_rollout_edits_.end(), editor.edits().begin(), editor.edits().end());
            return;
        }
        Record record = anchor_->record;
        record.add_to_edits_in_force(InjectedMark::of(workload_.object), editor.edits());
        anchor_ = replace_record(client_, *anchor_, record);
    }

    Undone without_record(const Json& object, const std::optional<InjectedMark>& mark) {
        Undone stripped{object, {}};
        Json spec = object.value("spec", Json::object());
        if (!mark && !has_injection(spec)) return stripped;
        is_stripped_ = true;
        strip(spec, mark ? mark->pin : "");
        stripped.object["spec"] = spec;
        Json* annotations = find(stripped.object, {"metadata", "annotations"});
        if (annotations && annotations->is_object()) annotations->erase(names::kInjected);
        if (annotations && annotations->empty()) stripped.object["metadata"].erase("annotations");
        return stripped;
    }

    void revert_post_rollout_edits() {
        change("has its own rollout settings again", [&](const Json& object) {
            const std::vector<Edit>* edits = edits_for({});
            return undo(object, edits ? *edits : post_rollout_edits_, Phase::kAfterRollout,
                        anchor_ ? anchor_->record.library : "");
        });
    }

    void unmark_revisions() {
        const UnmarkedRevisions unmarked = remove_marks_of_revisions(client_, workload_);
        result_.restored |= unmarked.changed;
        result_.complete &= unmarked.notes.empty();
        result_.notes.insert(result_.notes.end(), unmarked.notes.begin(), unmarked.notes.end());
    }

    // Uses a separate patch, because the API server accepts managedFields only that way.
    void restore_field_managers() {
        // Without a record, the previous managers are unknown, and the fields have no manager afterwards.
        const Json before = anchor_ ? anchor_->record.managed_fields : Json::array();
        retry_on_conflict(client_.session(), [&] {
            workload_ = reload(client_, workload_);
            const Json* managed_fields = find(workload_.object, {"metadata", "managedFields"});
            const std::optional<Json> fields =
                managed_fields ? with_previous_managers(*managed_fields, before) : std::nullopt;
            if (!fields) return;
            JsonPatch patch;
            patch.only_if_unchanged(workload_.object).replace("/metadata/managedFields", *fields);
            client_.patch(workload_.ref, patch);
            result_.restored = true;
        });
    }

    // Computes the patch from the current object, and again after a conflict.
    template <typename Compute>
    void change(const char* what, const Compute& compute) {
        retry_on_conflict(client_.session(), [&] {
            workload_ = reload(client_, workload_);
            const Undone undone = compute(workload_.object);
            if (undone.object != workload_.object) {
                workload_.update(client_.patch(workload_.ref, patch_between(workload_.object, undone.object)));
                result_.restored = true;
                options_.on_progress(fmt::format("{} {}", workload_.text(), what));
            }
            result_.kept.insert(result_.kept.end(), undone.kept.begin(), undone.kept.end());
        });
    }

    // Returns true if no injected pod runs. Existing Jobs of a CronJob keep the template that they were created with.
    bool check_running_jobs() {
        std::vector<Json> running = pods_of(client_, discovery_, workload_);
        std::erase_if(running, [&](const Json& pod) { return !is_injected(pod, workload_.hash()); });
        note_injected_pods(running);
        if (!running.empty()) result_.notes.push_back("these pods run until their Jobs end or are deleted");
        return running.empty();
    }

    bool wait_for_pods() {
        if (workload_.replacement == Replacement::kNextRun) return check_running_jobs();
        RolloutOptions options;
        options.deadline = options_.deadline;
        options.need = NewPod::kExists;
        options.pods_before = 0;  // unknown: an operator may create new pods before it deletes the old pods
        options.delete_stuck = options_.delete_pods;
        options.on_progress = options_.on_progress;
        const std::string hash = workload_.hash();
        const RolloutResult rollout = wait_for_rollout(
            client_, discovery_, workload_, [&](const Json& pod) { return !is_injected(pod, hash); }, options);
        result_.notes.insert(result_.notes.end(), rollout.problems.begin(), rollout.problems.end());
        if (!rollout.done) note_injected_pods(rollout.state.old);
        return rollout.done && wait_for_terminating_pods();
    }

    void note_injected_pods(const std::vector<Json>& pods) {
        std::string named;
        for (size_t i = 0; i < std::min(pods.size(), kMaxPodNames); ++i) {
            const std::string node = text_at(pods[i], {"spec", "nodeName"});
            named += fmt::format("{}{}{}{}", i == 0 ? "" : ", ", pod_name(pods[i]), node.empty() ? "" : " on " + node,
                                 is_terminating(pods[i]) ? " (terminating)" : "");
        }
        if (pods.size() > kMaxPodNames) named += fmt::format(" and {} more", pods.size() - kMaxPodNames);
        if (!pods.empty()) result_.notes.push_back("pods that still have the library: " + named);
    }

    // Waits until terminating injected pods are deleted. Returns false at the deadline.
    bool wait_for_terminating_pods() {
        for (;;) {
            bool all_deleted = true;
            client_.list({pods(), workload_.ref.in_namespace}, {pod_selector(workload_)}, [&](Page page) {
                for (const Json& pod : page.items)
                    all_deleted &= !(is_terminating(pod) && is_injected(pod, workload_.hash()));
            });
            if (all_deleted || Clock::now() >= options_.deadline) return all_deleted;
            client_.session().wait_until(std::min(options_.deadline, after(kPoll)));
        }
    }

    Client& client_;
    Discovery& discovery_;
    Workload workload_;
    std::optional<Anchor> anchor_;
    RestoreOptions options_;
    RestoreResult result_;
    RevisionNumbers injected_revisions_;
    std::vector<Edit> post_rollout_edits_;  // from the mark; used if the record is missing
    bool is_stripped_ = false, has_mark_edits_ = false;
};

// Removes the objects that cudafault created for a workload that was deleted.
RestoreResult remove_leftovers(Client& client, const ObjectRef& deleted) {
    RestoreResult result;
    result.workload = deleted.text();
    result.restored = remove_injection(client, deleted);
    result.notes.push_back(fmt::format("{} was deleted", deleted.text()));
    return result;
}

// Orders the workloads of one namespace. Neither the version nor the UID distinguishes workloads, and records name no
// plural.
struct ByKindAndName {
    bool operator()(const ObjectRef& left, const ObjectRef& right) const {
        return std::pair(left.resource.qualified_kind(), left.name) <
               std::pair(right.resource.qualified_kind(), right.name);
    }
};

using WorkloadSet = std::set<ObjectRef, ByKindAndName>;

// The Deployment controller copies the mark to its ReplicaSets. The Role for restoring Deployments does not allow
// reading ReplicaSets, so its Deployment is returned instead of a marked ReplicaSet.
ObjectRef marked_workload(const Resource& kind, const Json& object) {
    const auto controller = controller_of(object);
    return controller && controller->resource.qualified_kind() == "Deployment.apps" ? *controller
                                                                                    : ref_of(kind, object);
}

bool is_not_found(const RestoreResult& result) {
    const auto* api_error = dynamic_cast<const ApiError*>(result.error.get());
    return api_error && api_error->is_not_found();
}

std::string text_of(Discovery& discovery, const WorkloadChoice& choice) {
    try {
        const std::vector<ObjectRef> refs = possible_refs(discovery, choice);
        if (!refs.empty()) return refs.back().text();
    } catch (const Error&) {  // an unknown kind is named as it was given
    }
    return fmt::format("{}{}{} in namespace {}", choice.kind, choice.kind.empty() ? "" : "/", choice.name,
                       choice.in_namespace);
}

RestoreResult failed(Discovery& discovery, const WorkloadChoice& choice, const std::shared_ptr<const Error>& error) {
    RestoreResult result;
    result.workload = text_of(discovery, choice);
    result.complete = false;
    result.notes = {error->what()};
    result.error = error;
    return result;
}

// A workload that cannot be restored does not prevent the others from being restored.
RestoreResult try_to_restore(Client& client, Discovery& discovery, const WorkloadChoice& choice,
                             const RestoreOptions& options) {
    try {
        return restore(client, discovery, choice, options);
    } catch (const ApiError& error) {
        return failed(discovery, choice, std::make_shared<ApiError>(error));
    } catch (const Error& error) {
        if (ends_command(error)) throw;
        return failed(discovery, choice, std::make_shared<Error>(error));
    }
}

// Returns the workloads that have a record, a plan or a library.
WorkloadSet recorded_workloads(Client& client, const std::string& in_namespace) {
    WorkloadSet found;
    ListOptions own_objects{
        fmt::format("{} in ({},{},{})", names::kRole, names::kAnchorRole, names::kPlanRole, names::kLibraryRole)};
    own_objects.metadata_only = true;
    client.list({config_maps(), in_namespace}, own_objects, [&](Page page) {
        for (const Json& item : page.items) {
            if (const auto workload = workload_of_config_map(item)) found.insert(*workload);
        }
    });
    return found;
}

WorkloadSet marked_workloads(Client& client, Discovery& discovery, const std::string& in_namespace,
                             const RestoreOptions& options) {
    WorkloadSet found;
    const auto take_marked = [&](const Resource& kind, const Json& object) {
        if (InjectedMark::of(object)) found.insert(marked_workload(kind, object));
    };
    for (const SkippedKind& kind : for_each_workload(client, discovery, in_namespace, take_marked)) {
        options.on_progress(
            fmt::format("cannot search {} for injected workloads without a record: {}", kind.resource, kind.why));
    }
    return found;
}

void report_disarmed(const RestoreOptions& options, size_t count) {
    if (count > 0) options.on_progress("disarmed " + plural(count, "workload"));
}

// Disarms all workloads before the first one is restored, because each restore can take minutes. Restoring a workload
// that could not be disarmed disarms it again and reports the failure.
void disarm_all(Client& client, const std::string& in_namespace, const RestoreOptions& options) {
    std::vector<PlanObject> armed;
    for (PlanObject& plan : all_plans(client, in_namespace)) {
        if (!plan.spec.empty()) armed.push_back(std::move(plan));
    }
    in_parallel(client, armed.size(), [&](Client& thread_client, Discovery&, size_t index) {
        try {
            disarm_plan(thread_client, armed[index], options.on_progress);
        } catch (const ApiError&) {
        }
    });
    report_disarmed(options, armed.size());
}

// Removes each choice that resolves to the same top-level workload as an earlier choice, such as a second pod of one
// StatefulSet, because two restores of one workload must not run at the same time. Returns the remaining choices.
std::vector<WorkloadChoice> distinct_workloads(Client& client, const std::vector<WorkloadChoice>& choices) {
    std::vector<std::string> workloads(choices.size());
    in_parallel(client, choices.size(), [&](Client& thread_client, Discovery& discovery, size_t index) {
        try {
            workloads[index] = load_workload(thread_client, discovery, choices[index]).text();
        } catch (const Error& error) {  // objects created by cudafault may outlive the workload
            if (ends_command(error)) throw;
            workloads[index] = choices[index].kind + "/" + choices[index].name;
        }
    });
    std::vector<WorkloadChoice> distinct;
    for (size_t i = 0; i < choices.size(); ++i) {
        const auto earlier = workloads.begin() + static_cast<ptrdiff_t>(i);
        if (std::find(workloads.begin(), earlier, workloads[i]) == earlier) distinct.push_back(choices[i]);
    }
    return distinct;
}

// Disarms the plans of the chosen workloads, like disarm_all().
void disarm_each(Client& client, const std::vector<WorkloadChoice>& choices, const RestoreOptions& options) {
    std::atomic<size_t> count = 0;
    in_parallel(client, choices.size(), [&](Client& thread_client, Discovery& discovery, size_t index) {
        ArmChoice choice;
        choice.workloads = {choices[index]};
        choice.in_namespace = choices[index].in_namespace;
        try {
            for (const PlanObject& plan : find_plans(thread_client, discovery, choice)) {
                if (plan.spec.empty()) continue;
                disarm_plan(thread_client, plan, options.on_progress);
                ++count;
            }
        } catch (const Error& error) {
            if (ends_command(error)) throw;
        }
    });
    report_disarmed(options, count);
}

RestoreOptions for_several(const RestoreOptions& options) {
    RestoreOptions several = options;
    several.on_progress = serialized(options.on_progress);
    several.is_one_of_several = true;
    return several;
}

std::vector<RestoreResult> restore_in_parallel(Client& client, const std::vector<WorkloadChoice>& choices,
                                               const RestoreOptions& options) {
    std::vector<RestoreResult> results(choices.size());
    in_parallel(client, choices.size(), [&](Client& thread_client, Discovery& discovery, size_t index) {
        results[index] = try_to_restore(thread_client, discovery, choices[index], options);
    });
    return results;
}

// Adds the result unless `results` has a result for the same workload.
void add_unless_present(std::vector<RestoreResult>& results, const RestoreResult& result) {
    const auto is_same = [&](const RestoreResult& other) { return other.workload == result.workload; };
    if (std::none_of(results.begin(), results.end(), is_same)) results.push_back(result);
}

}  // namespace

RestoreResult restore(Client& client, Discovery& discovery, const WorkloadChoice& choice,
                      const RestoreOptions& options) {
    WorkloadChoice complete = resolve_injected_workload(client, discovery, choice);
    complete.accept_refused = true;
    std::optional<Workload> workload;
    try {
        workload = load_workload(client, discovery, complete);
    } catch (const ApiError& error) {
        if (!error.is_not_found() || complete.use_top_level_controller) throw;
        // The object itself was injected, not its owner.
        return remove_leftovers(client, {discovery.resolve(complete.kind), complete.in_namespace, complete.name});
    }
    try {
        return RestoreOperation(client, discovery, *workload, options).run();
    } catch (const ApiError& error) {
        if (!error.is_not_found()) throw;
        if (!client.find(workload->ref)) return remove_leftovers(client, workload->ref);
        throw Error(
            fmt::format("{}: the object was deleted during restore; run the command again to finish", error.what()));
    }
}

std::vector<RestoreResult> restore_each(Client& client, const std::vector<WorkloadChoice>& chosen,
                                        const RestoreOptions& options) {
    const RestoreOptions shared = for_several(options);
    const std::vector<WorkloadChoice> choices = distinct_workloads(client, chosen);
    disarm_each(client, choices, shared);
    std::vector<RestoreResult> results;
    for (const RestoreResult& result : restore_in_parallel(client, choices, shared))
        add_unless_present(results, result);
    return results;
}

std::vector<RestoreResult> restore_all(Client& client, Discovery& discovery, const std::string& in_namespace,
                                       const RestoreOptions& options) {
    require_namespace(client, in_namespace);
    const WorkloadSet recorded = recorded_workloads(client, in_namespace);
    std::vector<WorkloadChoice> choices;
    for (const ObjectRef& workload : recorded) choices.push_back(choice_of(workload));
    const RestoreOptions shared = for_several(options);
    disarm_all(client, in_namespace, shared);
    std::vector<RestoreResult> results;
    // An object that does not exist was deleted together with its owner.
    const auto keep_found = [&](const RestoreResult& result) {
        if (!is_not_found(result)) add_unless_present(results, result);
    };
    for (const RestoreResult& result : restore_in_parallel(client, choices, shared)) keep_found(result);
    // Restores these one after another: an operator may have copied the mark of a workload to the objects it created,
    // and restoring one of these objects restores the workload.
    for (const ObjectRef& marked : marked_workloads(client, discovery, in_namespace, options)) {
        if (recorded.contains(marked)) continue;
        keep_found(try_to_restore(client, discovery, choice_of(marked), shared));
    }
    return results;
}

}  // namespace cudafault::kube
