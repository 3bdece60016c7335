// SPDX-License-Identifier: Apache-2.0
#include "kube/plan/pod_evidence.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "fault/log_lines.hpp"
#include "kube/api/common/json.hpp"
#include "kube/plan/pod_log.hpp"
#include "kube/workload/pod_state.hpp"

namespace cudafault::kube {

namespace {

using std::chrono::seconds;

constexpr int kLogLimit = 16 << 20;  // by default, a kubelet rotates logs at 10 MiB
constexpr seconds kLogBudget{10};    // for one log, so that an unreachable node leaves time for the other pods

std::optional<uint64_t> unsigned_at(const Json& line, const char* field) {
    const Json& value = value_at(line, field);
    if (!value.is_number_unsigned()) return std::nullopt;
    return value.get<uint64_t>();
}

bool is_evidence(const Json& line) {
    return !text_at(line, "cudafault").empty() && unsigned_at(line, "pid") && unsigned_at(line, "start_time") &&
           unsigned_at(line, "sequence");
}

// Each line is a flat object of numbers and names, so the first closing brace ends it.
Json parse(std::string_view text) {
    const size_t end = text.find('}');
    if (end == std::string_view::npos) return {};
    Json line = Json::parse(text.substr(0, end + 1), nullptr, false);
    return is_evidence(line) ? line : Json();
}

class ContainerLogs {
public:
    ContainerLogs(Client& client, const Json& pod, const std::string& container) : client_(client), pod_(pod) {
        evidence_.container = container;
    }

    ContainerEvidence read() {
        evidence_.log_read = read_instance_log(false);
        const Json* status = container_status(pod_, evidence_.container);
        const int64_t restarts = status ? number_at(*status, {"restartCount"}) : 0;
        if (restarts > 0) read_instance_log(true);
        evidence_.processes = reader_.processes();
        evidence_.misses_instances = restarts > 0 && instances_seen() <= restarts && !has_older_revision();
        if (reader_.broken() == 0 && !evidence_.is_cut) return evidence_;
        for (ProcessEvidence& process : evidence_.processes) process.fired_is_lower_bound = true;
        return evidence_;
    }

private:
    int64_t instances_seen() const {
        return std::count_if(evidence_.processes.begin(), evidence_.processes.end(),
                             [](const ProcessEvidence& process) { return process.library_seen; });
    }

    // The instances whose logs do not exist ended before those whose logs were read. If one of the latter has
    // acknowledged an older revision, the former ended before the newest revision.
    bool has_older_revision() const {
        const std::optional<uint64_t> newest = evidence_.acknowledged();
        return std::any_of(evidence_.processes.begin(), evidence_.processes.end(), [&](const ProcessEvidence& process) {
            return process.first_acknowledged.value_or(UINT64_MAX) < newest;
        });
    }

    bool read_instance_log(bool previous) {
        LogOptions options;
        options.container = evidence_.container;
        options.previous = previous;
        options.limit_bytes = kLogLimit;
        const auto log = fetch(options);
        if (!log) return false;
        reader_.read(*log);
        if (log->size() >= kLogLimit) read_end(options, *log);
        return true;
    }

    // Reads the end of a log, because the size limit cuts off the newest lines, which are the most important ones.
    void read_end(LogOptions options, const std::string& beginning) {
        options.tail_lines = static_cast<int>(std::count(beginning.begin(), beginning.end(), '\n') / 2);
        const auto log = fetch(options);
        if (log) reader_.read(*log);
        evidence_.is_cut = evidence_.is_cut || !log || log->size() >= kLogLimit;
    }

    std::optional<std::string> fetch(const LogOptions& options) {
        PodLog log = read_log(client_, pod_, options, kLogBudget);
        if (!log.text && evidence_.why_unknown.empty()) evidence_.why_unknown = log.why_not;
        return std::move(log.text);
    }

    Client& client_;
    const Json& pod_;
    ContainerEvidence evidence_;
    EvidenceReader reader_;
};

}  // namespace

EvidenceLines evidence_in(std::string_view line) {
    EvidenceLines found;
    for (size_t start = line.find(kLogLineStart); start != std::string_view::npos;) {
        const size_t next = line.find(kLogLineStart, start + 1);
        const Json parsed = parse(line.substr(start, next == std::string_view::npos ? next : next - start));
        if (parsed.is_null()) {
            ++found.broken;
        } else {
            found.lines.push_back(parsed);
        }
        start = next;
    }
    return found;
}

void EvidenceReader::read(std::string_view log) {
    while (!log.empty()) {
        const size_t end = std::min(log.find('\n'), log.size());
        read_line(log.substr(0, end));
        log.remove_prefix(std::min(end + 1, log.size()));
    }
}

void EvidenceReader::read_line(std::string_view line) {
    const EvidenceLines found = evidence_in(line);
    broken_ += found.broken;
    for (const Json& evidence_line : found.lines) add(evidence_line);
}

void EvidenceReader::add(const Json& line) {
    const Instance instance{text_at(line, "boot_id"), unsigned_at(line, "pid").value_or(0),
                            unsigned_at(line, "start_time").value_or(0)};
    Line kept;
    kept.event = text_at(line, "cudafault");
    kept.function = text_at(line, "function");
    kept.time_ns = unsigned_at(line, "time_ns").value_or(0);
    kept.revision = unsigned_at(line, "revision").value_or(0);
    kept.plan_revision = unsigned_at(line, "plan_revision");
    kept.fired = unsigned_at(line, "fired");
    kept.faults = unsigned_at(line, "faults").value_or(0);
    kept.code = unsigned_at(line, "code");
    instances_[instance].insert_or_assign(unsigned_at(line, "sequence").value_or(0), kept);
}

// The library counts from the start of the process, so the count at the acknowledgement of the plan is subtracted.
void EvidenceReader::count_under_plan(ProcessEvidence& evidence, const Lines& lines) {
    uint64_t revision = 0;
    for (const auto& [sequence, line] : lines) revision = std::max(revision, line.revision);
    std::optional<uint64_t> before, first, last;
    uint64_t acknowledgement_sequence = 0;
    bool is_settled = false;  // true if the last line is a "count" line
    for (const auto& [sequence, line] : lines) {
        if (line.revision != revision || line.event == kLibrarySeenEvent) continue;
        evidence.acknowledged = line.plan_revision;
        is_settled = line.event == kCountEvent;
        if (line.event == kAcknowledgedEvent) {
            evidence.faults = line.faults;
            before = line.fired;
            acknowledgement_sequence = sequence;
        } else if (line.fired) {
            first = std::min(first.value_or(*line.fired), *line.fired);
            last = std::max(last.value_or(*line.fired), *line.fired);
        }
    }
    if (last) {
        // A call may have failed after the plan took effect and before the acknowledgement.
        const uint64_t before_first = *first - std::min<uint64_t>(*first, 1);
        const uint64_t start = std::min(before.value_or(before_first), before_first);
        evidence.fired = *last - std::min(*last, start);
    }
    const bool has_all_later_lines =
        acknowledgement_sequence > 0 &&
        evidence.last_sequence - acknowledgement_sequence + 1 ==
            static_cast<uint64_t>(std::distance(lines.find(acknowledgement_sequence), lines.end()));
    const bool is_sampled = evidence.faults > 0 && evidence.fired >= kEagerLines && !is_settled;
    evidence.fired_is_lower_bound = is_sampled || (last && !before) || (revision > 0 && !has_all_later_lines);
}

ProcessEvidence EvidenceReader::evidence_of(const Instance& instance, const Lines& lines) {
    ProcessEvidence evidence;
    evidence.boot_id = instance.boot_id;
    evidence.pid = instance.pid;
    evidence.start_time = instance.start_time;
    for (const auto& [sequence, line] : lines) {
        evidence.last_time_ns = std::max(evidence.last_time_ns, line.time_ns);
        evidence.fired_in_all = std::max(evidence.fired_in_all, line.fired.value_or(0));
        if (!evidence.first_acknowledged) evidence.first_acknowledged = line.plan_revision;
        if (line.event == kLibrarySeenEvent) evidence.library_seen = true;
        if (line.event != kFiredEvent) continue;
        evidence.last_function = line.function;
        if (line.code) evidence.codes.insert(static_cast<int64_t>(*line.code));
        if (evidence.first_fired_ns == 0) evidence.first_fired_ns = line.time_ns;
    }
    evidence.last_sequence = lines.rbegin()->first;
    count_under_plan(evidence, lines);
    return evidence;
}

std::vector<ProcessEvidence> EvidenceReader::processes() const {
    std::multimap<uint64_t, ProcessEvidence> by_time;
    for (const auto& [instance, lines] : instances_) {
        by_time.emplace(lines.begin()->second.time_ns, evidence_of(instance, lines));
    }
    std::vector<ProcessEvidence> found;
    for (auto& [time, evidence] : by_time) found.push_back(std::move(evidence));
    return found;
}

bool ContainerEvidence::is_library_seen() const { return !processes.empty(); }

std::optional<uint64_t> ContainerEvidence::acknowledged() const {
    std::optional<uint64_t> newest;
    for (const ProcessEvidence& process : processes) newest = std::max(newest, process.acknowledged);
    return newest;
}

uint64_t ContainerEvidence::fired() const {
    const std::optional<uint64_t> newest = acknowledged();
    uint64_t sum = 0;
    for (const ProcessEvidence& process : processes) sum += process.acknowledged == newest ? process.fired : 0;
    return sum;
}

bool ContainerEvidence::fired_is_lower_bound() const {
    const std::optional<uint64_t> newest = acknowledged();
    return is_cut || misses_instances ||
           std::any_of(processes.begin(), processes.end(), [&](const ProcessEvidence& process) {
               return process.acknowledged == newest && process.fired_is_lower_bound;
           });
}

ContainerEvidence evidence_of(Client& client, const Json& pod, const std::string& container) {
    return ContainerLogs(client, pod, container).read();
}

}  // namespace cudafault::kube
