// SPDX-License-Identifier: Apache-2.0
// What the library says of itself in the logs of pods.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "kube/api/client/client.hpp"

namespace cudafault::kube {

// One process of a container, as its lines tell; the same one seen twice (`previous` in a back-off is the current log)
// counts once.
struct ProcessEvidence {
    std::string boot_id;
    uint64_t pid = 0;  // in its container
    uint64_t start_time = 0;
    bool library_seen = false;             // said by the first process of a container only
    std::optional<uint64_t> acknowledged;  // the revision of the plan object that it took up last; none without a plan
    uint64_t faults = 0;                   // of that plan
    uint64_t fired = 0;                    // under that plan
    uint64_t fired_in_all = 0;             // since the process started
    bool fired_is_lower_bound = false;     // of `fired`: lines are missing, or the acknowledgement is
    std::string last_function;             // that failed
    std::set<int64_t> codes;               // that failing calls gave
    uint64_t last_time_ns = 0;             // of its last line
    uint64_t first_fired_ns = 0;           // of the first failing call seen
    uint64_t last_sequence = 0;
};

// The lines of the library in one line of a log: ours may stand behind text of the program that has no end of line.
// What begins like one of ours and is none counts as broken.
struct EvidenceLines {
    std::vector<Json> lines;
    size_t broken = 0;
};
EvidenceLines evidence_in(std::string_view line);

// Collects the lines of one container, in whatever order and however often.
class EvidenceReader {
public:
    void read(std::string_view log);  // a whole log, lines of others in it
    void read_line(std::string_view line);
    void take(const Json& line);  // of `evidence_in`

    // By the time of their first lines.
    std::vector<ProcessEvidence> processes() const;

    size_t broken() const { return broken_; }

private:
    struct Instance {
        std::string boot_id;
        uint64_t pid = 0;
        uint64_t start_time = 0;
        auto operator<=>(const Instance&) const = default;
    };
    struct Line {
        std::string event;
        std::string function;
        uint64_t time_ns = 0;
        uint64_t revision = 0;  // the process's own count of plans
        std::optional<uint64_t> plan_revision;
        std::optional<uint64_t> fired;  // since the process started
        uint64_t faults = 0;
        std::optional<uint64_t> code;
    };
    using Lines = std::map<uint64_t, Line>;  // by sequence

    static ProcessEvidence evidence_of(const Instance& instance, const Lines& lines);
    static void count_under_plan(ProcessEvidence& evidence, const Lines& lines);

    std::map<Instance, Lines> instances_;
    size_t broken_ = 0;
};

struct ContainerEvidence {
    std::string container;
    bool log_read = false;  // false: no log could be had, so nothing is known
    std::string
        why_unknown;      // then a sentence; also if the log of the instance before the last restart is not to be had
    bool is_cut = false;  // the log is so long that its end was not read
    bool misses_instances = false;  // it restarted, and of an instance before there is no log
    std::vector<ProcessEvidence> processes;

    bool library_seen() const;                     // any line of ours
    std::optional<uint64_t> acknowledged() const;  // the least of the processes that took up any
    uint64_t fired() const;                        // of all processes, under the plan that each had last
    bool fired_is_lower_bound() const;
};

// The current log, and where the container has restarted that of the instance before. A log that cannot be had within
// ten seconds is unknown. Throws Cancelled, DeadlinePassed at the session's deadline, and ConfigError.
ContainerEvidence evidence_of(Client& client, const Json& pod, const std::string& container);

}  // namespace cudafault::kube
