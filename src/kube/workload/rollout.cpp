// SPDX-License-Identifier: Apache-2.0
#include "kube/workload/rollout.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "kube/api/client/client.hpp"
#include "kube/api/client/discovery.hpp"
#include "kube/api/client/resource.hpp"
#include "kube/api/client/watch.hpp"
#include "kube/api/common/json.hpp"
#include "kube/api/common/numbers.hpp"
#include "kube/api/common/timestamp.hpp"
#include "kube/api/transport/api_error.hpp"
#include "kube/api/transport/deadline_scope.hpp"
#include "kube/api/transport/session.hpp"
#include "kube/object/owners.hpp"
#include "kube/workload/diagnosis.hpp"
#include "kube/workload/kinds.hpp"
#include "kube/workload/pods.hpp"

namespace cudafault::kube {

namespace {

using std::chrono::seconds;

constexpr seconds kWindow{2};  // duration of one watch, after which the workload is read
constexpr seconds kServerPoll{1};
constexpr int kWindowsPerList = 5;    // after this many watches, all pods are listed
constexpr seconds kTimeToExplain{5};  // to find the reasons after the deadline
constexpr seconds kSlowStart{10};     // age of a pod after which its events are read
// How long a Ready old pod is kept while another pod starts, if new pods need not be Ready.
constexpr seconds kMaxStartTime{60};
constexpr size_t kEventsRead = 3;  // number of pods whose events are read after the deadline
constexpr size_t kMaxProblems = 5;

bool is_apps_kind(const Json& object, const char* kind) {
    return text_at(object, "apiVersion").starts_with("apps/") && text_at(object, "kind") == kind;
}

bool is_stateful_set(const Json& object) {
    const Kind* kind = kind_of_object(object);
    return kind && kind->kind == "StatefulSet";
}

int desired_of(const Json& object) {
    if (is_apps_kind(object, "DaemonSet")) {
        return static_cast<int>(number_at(object, {"status", "desiredNumberScheduled"}));
    }
    const Kind* kind = kind_of_object(object);
    if (kind && kind->has_replicas) return static_cast<int>(number_at(object, {"spec", "replicas"}, 1));
    return number_at(object, {"spec", "replicas"}, 1) == 0 ? 0 : -1;
}

// Treats kinds that do not report an observed generation as observed.
bool is_observed(const Json& object) {
    const int64_t fallback = text_at(object, "apiVersion").starts_with("apps/") ? 0 : INT64_MAX;
    return number_at(object, {"status", "observedGeneration"}, fallback) >=
           number_at(object, {"metadata", "generation"});
}

// Returns the ordinal at the end of a StatefulSet pod's name, or -1 if the name has no ordinal.
int64_t ordinal_of(const Json& pod) {
    const std::string name = pod_name(pod);
    const size_t dash = name.rfind('-');
    return dash == std::string::npos ? -1 : parse_integer<int64_t>(name.substr(dash + 1)).value_or(-1);
}

// Returns the pod's own UID if it has no controller.
std::string controller_uid(const Json& pod) {
    const auto controller = controller_of(pod);
    return controller ? controller->uid : pod_uid(pod);
}

bool is_older_than(const Json& pod, seconds age) {
    const auto created = parse_timestamp(text_at(pod, {"metadata", "creationTimestamp"}));
    return created && *created + age < std::chrono::system_clock::now();
}

// Ignores digits, so that a counting timer does not count as a change.
std::string without_digits(std::string text) {
    std::erase_if(text, [](char c) { return c >= '0' && c <= '9'; });
    return text;
}

// Determines which pods of a workload are new or old, and how many new pods are desired.
class Expectation {
public:
    Expectation(const Json& object, const PodTest& is_wanted) : is_wanted_(is_wanted) { update(object); }

    void update(const Json& object) {
        first_ordinal_ = number_at(object, {"spec", "ordinals", "start"});
        const bool is_set = is_stateful_set(object) &&
                            text_at(object, {"spec", "updateStrategy", "type"}, "RollingUpdate") == "RollingUpdate";
        partition_ = is_set ? number_at(object, {"spec", "updateStrategy", "rollingUpdate", "partition"}) : 0;
        const int replicas = desired_of(object);
        desired_ =
            replicas < 0 ? -1 : std::max(0, replicas - static_cast<int>(std::min<int64_t>(partition_, replicas)));
        observed_ = is_observed(object);
    }

    bool is_kept(const Json& pod) const {
        return partition_ > 0 && ordinal_of(pod) >= 0 && ordinal_of(pod) - first_ordinal_ < partition_;
    }
    bool is_wanted(const Json& pod) const { return !is_kept(pod) && !is_terminating(pod) && is_wanted_(pod); }
    bool is_old(const Json& pod) const { return !is_kept(pod) && !is_wanted_(pod); }

    int desired() const { return desired_; }
    bool is_change_observed() const { return observed_; }
    int64_t partition() const { return partition_; }

    RolloutState state(const std::vector<Json>& pods) const {
        RolloutState state;
        state.desired = desired_;
        state.observed = observed_;
        for (const Json& pod : pods) {
            if (is_finished(pod)) continue;
            if (is_wanted(pod)) state.wanted.push_back(pod);
            if (is_old(pod)) state.old.push_back(pod);
        }
        return state;
    }

private:
    const PodTest& is_wanted_;
    int desired_ = 0;
    bool observed_ = false;
    int64_t partition_ = 0;
    int64_t first_ordinal_ = 0;
};

// Tracks the workload's pods among all pods of the namespace between two lists: a pod with the same controller as a
// listed pod belongs to the workload. A pod that cannot be assigned requires a new list.
class PodSet {
public:
    using Pods = std::map<std::string, Json>;  // by UID

    void replace(std::vector<Json> listed) {
        pods_.clear();
        for (Json& pod : listed) {
            if (is_finished(pod)) continue;
            own_controllers_.insert(controller_uid(pod));
            std::string uid = pod_uid(pod);
            pods_.insert_or_assign(std::move(uid), std::move(pod));
        }
        for (const auto& [uid, controller] : unknown_) {
            if (!pods_.contains(uid)) mark_foreign(uid, controller);
        }
        unknown_.clear();
    }

    void update_pod(Json pod) {
        const std::string uid = pod_uid(pod);
        const std::string controller = controller_uid(pod);
        if (is_finished(pod)) {
            remove(pod);
        } else if (pods_.contains(uid) ||
                   (own_controllers_.contains(controller) && !mixed_controllers_.contains(controller))) {
            pods_.insert_or_assign(uid, std::move(pod));
        } else {
            mark_unknown(uid, controller);
        }
    }

    void remove(const Json& pod) {
        pods_.erase(pod_uid(pod));
        unknown_.erase(pod_uid(pod));
    }

    // Updates the set from the list at the start of a watch. Marks each new pod as unknown even if its controller is
    // known, because the controller may also create pods that do not belong to the workload.
    void update_all(std::vector<Json> listed) {
        std::set<std::string> listed_uids;
        for (Json& pod : listed) {
            const std::string uid = pod_uid(pod);
            listed_uids.insert(uid);
            if (pods_.contains(uid)) {
                update_pod(std::move(pod));
            } else if (!is_finished(pod)) {
                mark_unknown(uid, controller_uid(pod));
            }
        }
        std::erase_if(pods_, [&](const auto& entry) { return !listed_uids.contains(entry.first); });
    }

    bool has_unknown_pods() const { return !unknown_.empty(); }
    const Pods& pods() const { return pods_; }

private:
    void mark_unknown(const std::string& uid, const std::string& controller) {
        const bool is_known = foreign_pods_.contains(uid) ||
                              (foreign_controllers_.contains(controller) && !own_controllers_.contains(controller));
        if (!is_known) unknown_.emplace(uid, controller);
    }

    // The controller may also create pods that belong to the workload. For example, a RayCluster creates heads and
    // workers, but only the workers may belong to the workload.
    void mark_foreign(const std::string& uid, const std::string& controller) {
        foreign_pods_.insert(uid);
        (own_controllers_.contains(controller) ? mixed_controllers_ : foreign_controllers_).insert(controller);
    }

    Pods pods_;
    std::map<std::string, std::string> unknown_;  // pod UIDs with the UIDs of their controllers
    std::set<std::string> foreign_pods_;
    std::set<std::string> own_controllers_;  // UIDs of controllers, or of pods without a controller
    std::set<std::string> foreign_controllers_;
    std::set<std::string> mixed_controllers_;  // controllers in `own_controllers_` that also create other pods
};

class Rollout {
public:
    Rollout(Client& client, Discovery& discovery, const Workload& workload, const PodTest& is_wanted,
            const RolloutOptions& options)
        : client_(client),
          discovery_(discovery),
          workload_(workload),
          options_(options),
          expected_(workload.object, is_wanted),
          may_delete_(options.delete_stuck) {}

    RolloutResult run() {
        try {
            const DeadlineScope scope = DeadlineScope::at_most(client_.session(), options_.deadline);
            return wait();
        } catch (const DeadlinePassed&) {
            return unfinished_result();
        }
    }

private:
    struct Counts {
        int wanted = 0, satisfied = 0, ready = 0, starting = 0, old = 0, terminating = 0;

        bool operator==(const Counts&) const = default;
    };

    RolloutResult wait() {
        if (workload_.replacement == Replacement::kNextRun) return immediate_result(true);
        read_workload();
        list_pods();
        if (is_paused()) return count().old == 0 ? finished_result() : paused_result();
        pods_before_ = options_.pods_before >= 0 ? options_.pods_before : count().wanted + count().old;
        if (desired() == 0 && expected_.is_change_observed() && pods_.pods().empty()) return immediate_result(true);
        report_partition();
        for (;;) {
            try {
                if (auto result = step()) return *std::move(result);
                server_lost_ = false;
            } catch (const ApiError& error) {
                if (error.code < 500 && !error.is_overload()) throw;
                wait_for_server();
            } catch (const ConnectionError&) {
                wait_for_server();
            }
        }
    }

    // Returns the result if the wait is over.
    std::optional<RolloutResult> step() {
        if (server_lost_) list_pods();
        if (is_complete()) {
            if (confirm()) return finished_result();
            if (is_complete()) client_.session().pause(++unconfirmed_);
            return {};
        }
        unconfirmed_ = 0;
        report();
        if (update_scheduling_stall()) return finished_result();
        if (is_superseded()) return superseded_result();
        if (is_missing_deletion_consent()) return unfinished_result();
        if (!delete_next()) watch_pods();
        return {};
    }

    // A stall is final in two cases: all old pods have been deleted, or their controller deletes them only after new
    // pods are Ready and creates no more new pods.
    bool update_scheduling_stall() {
        const Counts counts = count();
        const bool is_final = counts.old == 0
                                  ? counts.wanted >= desired()
                                  : counts.satisfied < counts.wanted && counts.terminating == 0 && !next_to_delete();
        if (!options_.pinned || !expected_.is_change_observed() || counts.satisfied == 0 || !is_final ||
            !all_new_pods_unschedulable()) {
            scheduling_stall_.reset();
            return false;
        }
        if (!scheduling_stall_ || scheduling_stall_->first != counts) scheduling_stall_.emplace(counts, Clock::now());
        const auto required_time = counts.old == 0 ? options_.report_delay : options_.controller_pause;
        return Clock::now() - scheduling_stall_->second >= required_time;
    }

    bool all_new_pods_unschedulable() const {
        const auto& all = pods_.pods();
        return std::all_of(all.begin(), all.end(), [&](const auto& entry) {
            const Json& pod = entry.second;
            return !expected_.is_wanted(pod) || has_needed_state(pod) ||
                   condition_status(pod, "PodScheduled") == "False";
        });
    }

    bool has_needed_state(const Json& pod) const {
        switch (options_.need) {
            case NewPod::kExists: return true;
            case NewPod::kHasRun: return has_run(pod);
            case NewPod::kReady: return is_ready(pod);
        }
        return true;
    }

    // Returns true if the pod may become Ready soon.
    bool is_starting(const Json& pod) const {
        if (is_ready(pod) || options_.need == NewPod::kReady) return !is_ready(pod);
        return !has_crashed(pod) && condition_status(pod, "PodScheduled") != "False";
    }

    // Waits instead of failing, because the server has already responded during this rollout.
    void wait_for_server() {
        if (!std::exchange(server_lost_, true) && options_.on_progress) {
            options_.on_progress("the API server does not respond; waiting for it");
        }
        version_.clear();
        client_.session().wait_until(after(kServerPoll));
    }

    // Reads the workload and the pods again, because the watch does not show what the controller has observed.
    bool confirm() {
        read_workload();
        list_pods();
        return expected_.is_change_observed() && is_complete();
    }

    void read_workload() {
        workload_.update(client_.get(workload_.ref));
        expected_.update(workload_.object);
    }

    void list_pods() {
        pods_.replace(options_.list_pods ? options_.list_pods() : pods_of(client_, discovery_, workload_));
        windows_ = 0;
    }

    bool is_superseded() const { return options_.is_current && !options_.is_current(workload_.object); }

    bool is_paused() const {
        const Json* paused = find(workload_.object, {"spec", "paused"});
        return is_apps_kind(workload_.object, "Deployment") && paused && *paused == true;
    }

    int desired() const { return expected_.desired() >= 0 ? expected_.desired() : pods_before_; }

    Counts count() const {
        Counts counts;
        for (const auto& [uid, pod] : pods_.pods()) {
            const bool is_wanted = expected_.is_wanted(pod);
            const bool is_old = expected_.is_old(pod);
            counts.wanted += is_wanted;
            counts.satisfied += is_wanted && has_needed_state(pod);
            counts.ready += is_wanted && is_ready(pod);
            counts.starting += is_wanted && is_starting(pod);
            counts.old += is_old;
            counts.terminating += is_old && is_being_deleted(pod);
        }
        return counts;
    }

    bool is_being_deleted(const Json& pod) const { return is_terminating(pod) || deleted_.contains(pod_uid(pod)); }

    bool is_complete() const {
        const Counts counts = count();
        return counts.old == 0 && counts.satisfied >= desired();
    }

    // Watches the pods until the window ends or another step is needed.
    void watch_pods() {
        const WatchHandler handler{[&](std::vector<Json> objects) {
                                       pods_.update_all(std::move(objects));
                                       version_.clear();
                                       report();
                                       return is_watch_needed();
                                   },
                                   [&](Change change, Json pod) {
                                       version_ = text_at(pod, {"metadata", "resourceVersion"});
                                       if (change == Change::kDeleted) {
                                           pods_.remove(pod);
                                       } else {
                                           pods_.update_pod(std::move(pod));
                                       }
                                       report();
                                       return is_watch_needed();
                                   },
                                   [&](const std::string& version) {
                                       version_ = version;
                                       window_over_ = true;
                                       return false;
                                   }};
        window_over_ = false;
        WatchOptions watch_options;
        watch_options.list.label_selector = pod_selector(workload_);
        watch_options.from = version_;
        watch_options.window = kWindow;
        watch(client_, {kube::pods(), workload_.ref.in_namespace}, watch_options, handler);
        if (pods_.has_unknown_pods() || (window_over_ && ++windows_ >= kWindowsPerList)) list_pods();
        if (window_over_) refresh();
    }

    bool is_watch_needed() const { return !is_complete() && !pods_.has_unknown_pods() && !next_to_delete(); }

    void refresh() {
        read_workload();
        read_events_of_one();
    }

    // Only events contain the reason why a container is not created. Reads the events of one pod per call.
    void read_events_of_one() {
        for (const auto& [uid, pod] : pods_.pods()) {
            if (!expected_.is_wanted(pod) || events_.contains(uid)) continue;
            if (is_ready(pod) || !is_older_than(pod, kSlowStart)) continue;
            events_[uid] = warnings_on(client_, pod_namespace(pod), uid);
            return;
        }
    }

    std::vector<Json> pods() const {
        std::vector<Json> all;
        for (const auto& [uid, pod] : pods_.pods()) all.push_back(pod);
        return all;
    }

    Diagnosis diagnosis_of(const Json& pod) const {
        const auto events = events_.find(pod_uid(pod));
        return diagnose(pod, events == events_.end() ? std::vector<Json>{} : events->second);
    }

    // Returns the first diagnosis found. New pods are checked before old pods.
    Diagnosis first_diagnosis() const {
        for (const bool wanted : {true, false}) {
            for (const auto& [uid, pod] : pods_.pods()) {
                if (wanted ? !expected_.is_wanted(pod) : !expected_.is_old(pod)) continue;
                Diagnosis found = diagnosis_of(pod);
                if (!found.empty()) return found;
            }
        }
        return {};
    }

    std::string lasting_problem() const {
        const std::vector<std::string> deletions = deletions_needed();
        return deletions.empty() ? first_diagnosis().what : deletions.front();
    }

    void report() {
        if (!options_.on_progress) return;
        const Counts counts = count();
        const int total = desired() > 0 ? desired() : counts.wanted + counts.old;
        std::string line = fmt::format("{} of {} pods replaced", std::min(counts.wanted, total), total);
        if (options_.need != NewPod::kExists && counts.ready < std::min(counts.wanted, total)) {
            line += fmt::format(", {} ready", counts.ready);
        }
        if (line != counts_line_) changed_at_ = Clock::now();
        counts_line_ = line;
        const bool is_lasting = Clock::now() - changed_at_ >= options_.report_delay;
        const std::string found = is_lasting ? lasting_problem() : "";
        std::string report_key = line + without_digits(found);
        if (report_key == reported_) return;
        reported_ = std::move(report_key);
        options_.on_progress(found.empty() ? line : line + ", " + found);
    }

    void report_partition() const {
        if (!options_.on_progress || expected_.partition() == 0) return;
        options_.on_progress(fmt::format("{} has partition {}: pods with lower ordinals are not replaced",
                                         workload_.text(), expected_.partition()));
    }

    bool is_replaced_by_deletion(const Json& pod) const {
        if (!expected_.is_old(pod) || is_being_deleted(pod)) return false;
        return workload_.replacement == Replacement::kOnDelete ||
               (workload_.replacement == Replacement::kOrderedReady && !is_ready(pod));
    }

    // Returns pods that are not Ready first, then by descending ordinal.
    std::vector<const Json*> to_delete() const {
        std::vector<const Json*> found;
        for (const auto& [uid, pod] : pods_.pods()) {
            if (is_replaced_by_deletion(pod)) found.push_back(&pod);
        }
        const auto rank = [](const Json* pod) { return std::tuple(is_ready(*pod), -ordinal_of(*pod), pod_name(*pod)); };
        std::sort(found.begin(), found.end(), [&](const Json* a, const Json* b) { return rank(a) < rank(b); });
        return found;
    }

    bool is_missing_deletion_consent() const {
        return !may_delete_ && expected_.is_change_observed() && workload_.replacement == Replacement::kOnDelete &&
               !to_delete().empty();
    }

    // Pods are deleted one at a time: each deleted pod must be replaced before the next deletion.
    const Json* next_to_delete() const {
        if (!may_delete_ || !expected_.is_change_observed()) return nullptr;
        const Counts counts = count();
        if (counts.terminating > 0 || counts.wanted + counts.old < desired()) return nullptr;
        const auto candidates = to_delete();
        if (candidates.empty() || must_keep(*candidates.front(), counts)) return nullptr;
        return candidates.front();
    }

    // Returns true while the pod must be kept because the previous replacement is still starting.
    bool must_keep(const Json& pod, const Counts& counts) const {
        if (counts.starting == 0) return false;
        return options_.need == NewPod::kReady || (is_ready(pod) && Clock::now() - deleted_at_ < kMaxStartTime);
    }

    bool delete_next() {
        const Json* pod = next_to_delete();
        if (!pod) return false;
        const std::string name = pod_name(*pod);
        DeleteOptions delete_options;
        delete_options.uid = pod_uid(*pod);
        try {
            client_.remove({kube::pods(), pod_namespace(*pod), name}, delete_options);
            if (options_.on_progress) options_.on_progress(fmt::format("deleted pod {} of the old template", name));
        } catch (const ApiError& error) {
            if (error.code >= 500 || error.is_overload()) throw;
            if (!error.is_not_found() && !error.is_conflict()) {
                may_delete_ = false;
                deletion_error_ = error.what();
                return true;
            }
        }
        deleted_.insert(delete_options.uid);
        deleted_at_ = Clock::now();
        return true;
    }

    RolloutResult immediate_result(bool done) {
        RolloutResult result;
        result.done = done;
        result.nothing_to_wait_for = true;
        result.state = expected_.state(pods());
        return result;
    }

    RolloutResult superseded_result() {
        RolloutResult result;
        result.state = expected_.state(pods());
        result.problems.push_back(fmt::format("{} was changed by another client during the rollout", workload_.text()));
        return result;
    }

    RolloutResult paused_result() {
        RolloutResult result = immediate_result(false);
        result.problems.push_back(
            fmt::format("{} is paused, so its pods are not replaced; run kubectl rollout resume deployment {} -n {}",
                        workload_.text(), workload_.ref.name, workload_.ref.in_namespace));
        return result;
    }

    RolloutResult finished_result() {
        report();
        RolloutResult result;
        result.done = true;
        result.state = expected_.state(pods());
        return result;
    }

    RolloutResult unfinished_result() {
        RolloutResult result;
        result.state = expected_.state(pods());
        result.problems = deletions_needed();
        try {
            const DeadlineScope scope(client_.session(), after(kTimeToExplain));
            read_last_events();
            const auto reasons = diagnose_workload(client_, workload_);
            result.problems.insert(result.problems.end(), reasons.begin(), reasons.end());
        } catch (const DeadlinePassed&) {
            // The status of the pods is still reported below.
        } catch (const ConnectionError&) {
        }
        add_pod_problems(result.problems);
        if (result.problems.empty()) result.problems.push_back(missing_pods_text());
        return result;
    }

    std::vector<std::string> deletions_needed() const {
        if (!deletion_error_.empty()) return {deletion_error_};
        std::vector<std::string> names;
        for (const Json* pod : to_delete()) names.push_back(pod_name(*pod));
        if (names.empty() || may_delete_) return {};
        const char* why = workload_.replacement == Replacement::kOnDelete
                              ? "replaces only pods that are deleted"
                              : "never replaces pods of the old template that are not Ready";
        return {fmt::format("{} {}: delete {}, one after another, or use --delete-pods", workload_.text(), why,
                            fmt::join(names, ", "))};
    }

    void read_last_events() {
        size_t read = 0;
        for (const auto& [uid, pod] : pods_.pods()) {
            if (!expected_.is_wanted(pod) || is_ready(pod) || read == kEventsRead) continue;
            events_[uid] = warnings_on(client_, pod_namespace(pod), uid);
            ++read;
        }
    }

    void add_pod_problems(std::vector<std::string>& problems) const {
        size_t found = 0;
        for (const auto& [uid, pod] : pods_.pods()) {
            const std::string text = expected_.is_kept(pod) ? "" : diagnosis_of(pod).text();
            if (text.empty()) continue;
            if (++found <= kMaxProblems) problems.push_back(text);
        }
        if (found > kMaxProblems) problems.push_back(fmt::format("and {} more pods", found - kMaxProblems));
    }

    std::string missing_pods_text() const {
        const Counts counts = count();
        if (!expected_.is_change_observed()) {
            return fmt::format("the controller of {} has not observed the change; check that the controller is running",
                               workload_.text());
        }
        return fmt::format(
            "{} has {} of {} new pods, {} of them ready, and {} old pods, {} of them terminating; use "
            "a longer --timeout",
            workload_.text(), counts.wanted, desired(), counts.ready, counts.old, counts.terminating);
    }

    Client& client_;
    Discovery& discovery_;
    Workload workload_;
    const RolloutOptions& options_;
    Expectation expected_;
    PodSet pods_;
    int pods_before_ = 0;
    std::string version_;  // resourceVersion at which the watch resumes; empty: list first
    int unconfirmed_ = 0;  // number of consecutive reads that did not confirm completion
    bool server_lost_ = false;
    bool window_over_ = false;
    int windows_ = 0;  // number of watches since all pods were listed
    bool may_delete_;
    std::set<std::string> deleted_;       // UIDs
    Deadline deleted_at_ = Clock::now();  // time of the last deletion, initially the start of the wait
    std::string deletion_error_;
    std::map<std::string, std::vector<Json>> events_;  // by pod UID
    std::string reported_, counts_line_;
    Deadline changed_at_ = Clock::now();  // time of the last change of the counts
    // The counts, and the time of their last change.
    std::optional<std::pair<Counts, Deadline>> scheduling_stall_;
};

}  // namespace

size_t RolloutState::ready() const {
    return static_cast<size_t>(std::count_if(wanted.begin(), wanted.end(), is_ready));
}

RolloutResult wait_for_rollout(Client& client, Discovery& discovery, const Workload& workload, const PodTest& is_wanted,
                               const RolloutOptions& options) {
    return Rollout(client, discovery, workload, is_wanted, options).run();
}

}  // namespace cudafault::kube
