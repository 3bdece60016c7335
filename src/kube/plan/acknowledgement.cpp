// SPDX-License-Identifier: Apache-2.0
#include "kube/plan/acknowledgement.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "kube/api/client/resource.hpp"
#include "kube/api/common/cancellation.hpp"
#include "kube/api/transport/api_error.hpp"
#include "kube/api/transport/session.hpp"
#include "kube/plan/pod_evidence.hpp"
#include "kube/plan/pod_log.hpp"
#include "kube/workload/pod_state.hpp"

namespace cudafault::kube {

namespace {

using std::chrono::seconds;

constexpr seconds kTimeForLog{1};
constexpr seconds kClockTolerance{2};  // for clock differences and delayed log lines
constexpr std::chrono::milliseconds kPodInterval{1500};
constexpr int kLogLimitBytes = 4 << 20;

bool is_pending(const AcknowledgingContainer& container) { return container.state == Acknowledgement::kNo; }

class Poll {
public:
    Poll(Client& client, std::vector<AcknowledgingContainer> containers, uint64_t revision,
         const AcknowledgementOptions& options)
        : client_(client), containers_(std::move(containers)), revision_(revision), options_(options) {}

    std::vector<AcknowledgingContainer> run() {
        for (AcknowledgingContainer& container : containers_) begin(container);
        report();
        for (Deadline pods_due = after(kPodInterval); !is_over();) {
            read_logs();
            if (Clock::now() >= pods_due && !is_over()) {
                read_pods();
                pods_due = after(kPodInterval);
            }
            report();
            if (!is_over()) sleep();
        }
        for (AcknowledgingContainer& container : containers_) {
            if (is_pending(container) && !container.why.empty()) container.state = Acknowledgement::kUnknown;
        }
        return std::move(containers_);
    }

private:
    // A state that was unknown in an earlier wait is read again.
    static void begin(AcknowledgingContainer& container) {
        if (container.state == Acknowledgement::kUnknown) container.state = Acknowledgement::kNo;
        if (is_pending(container)) settle_if_not_running(container);
    }

    bool is_over() const {
        return Clock::now() >= options_.deadline || std::none_of(containers_.begin(), containers_.end(), is_pending);
    }

    void sleep() {
        const Deadline end = std::min(after(options_.interval), options_.deadline);
        client_.session().options().cancellation->sleep_until(end);
    }

    // Containers whose logs failed before are read last, because their nodes may be slow.
    void read_logs() {
        std::vector<AcknowledgingContainer*> pending;
        for (AcknowledgingContainer& container : containers_) {
            if (is_pending(container)) pending.push_back(&container);
        }
        std::stable_partition(pending.begin(), pending.end(),
                              [](const auto* container) { return container->why.empty(); });
        for (AcknowledgingContainer* container : pending) {
            if (Clock::now() < options_.deadline) read(*container);
        }
    }

    void read(AcknowledgingContainer& container) {
        LogOptions options;
        options.container = container.container;
        options.since_seconds = since();
        options.limit_bytes = kLogLimitBytes;
        const PodLog log = read_log(client_, container.pod, options, kTimeForLog);
        container.why = log.why_not;
        if (!log.text) return settle_without_log(container, log.code);
        EvidenceReader reader;
        reader.read(*log.text);
        container.processes = count_acknowledged(reader);
        if (container.processes > 0) container.state = Acknowledgement::kYes;
    }

    size_t count_acknowledged(const EvidenceReader& reader) const {
        const auto processes = reader.processes();
        return static_cast<size_t>(std::count_if(
            processes.begin(), processes.end(),
            [&](const ProcessEvidence& process) { return process.acknowledged.value_or(0) >= revision_; }));
    }

    // Any other failure may be temporary, so the log is read again.
    static void settle_without_log(AcknowledgingContainer& container, int code) {
        if (code == 400 || code == 404) container.state = Acknowledgement::kNotRunning;
        if (code == 401 || code == 403) container.state = Acknowledgement::kUnknown;
    }

    int since() const {
        const auto past = std::chrono::ceil<seconds>(Clock::now() - options_.since);
        return static_cast<int>((std::max(past, seconds(0)) + kClockTolerance).count());
    }

    // A process may end before it acknowledges the plan, usually because of the fault itself.
    void read_pods() {
        for (AcknowledgingContainer& container : containers_) {
            if (!is_pending(container)) continue;
            std::optional<Json> pod;
            try {
                pod = client_.find({pods(), pod_namespace(container.pod), pod_name(container.pod)});
            } catch (const ApiError& error) {
                if (!error.is_forbidden()) throw;
                container.state = Acknowledgement::kUnknown;
                container.why = error.what();
                continue;
            }
            if (pod && pod_uid(*pod) == pod_uid(container.pod)) {
                container.pod = *pod;
                settle_if_not_running(container);
            } else {
                settle_as_not_running(container, fmt::format("pod {} was deleted", pod_name(container.pod)));
            }
        }
    }

    static void settle_if_not_running(AcknowledgingContainer& container) {
        if (is_running(container.pod, container.container)) return;
        settle_as_not_running(container,
                              fmt::format("container {} of pod {} is not running; it reads the plan when it starts",
                                          container.container, pod_name(container.pod)));
    }

    static void settle_as_not_running(AcknowledgingContainer& container, const std::string& why) {
        container.state = Acknowledgement::kNotRunning;
        container.why = why;
    }

    void report() {
        std::vector<Acknowledgement> states;
        for (const AcknowledgingContainer& container : containers_) states.push_back(container.state);
        if (states == reported_) return;
        reported_ = std::move(states);
        if (options_.on_progress) options_.on_progress(containers_);
    }

    Client& client_;
    std::vector<AcknowledgingContainer> containers_;
    uint64_t revision_;
    const AcknowledgementOptions& options_;
    std::vector<Acknowledgement> reported_;
};

}  // namespace

std::vector<AcknowledgingContainer> wait_for_acknowledgement(Client& client,
                                                             std::vector<AcknowledgingContainer> containers,
                                                             uint64_t revision, const AcknowledgementOptions& options) {
    return Poll(client, std::move(containers), revision, options).run();
}

}  // namespace cudafault::kube
