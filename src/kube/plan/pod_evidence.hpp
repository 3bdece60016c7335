// SPDX-License-Identifier: Apache-2.0
// Reads the library's evidence lines from pod logs.
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

// One process of a container, as described by its evidence lines. A process that appears in two logs is counted once
// (in back-off, the previous log is the same as the current one).
struct ProcessEvidence {
    std::string boot_id;
    uint64_t pid = 0;  // in the container's PID namespace
    uint64_t start_time = 0;
    bool library_seen = false;             // logged only by the first process of a container
    std::optional<uint64_t> acknowledged;  // the last acknowledged revision of the plan object; none without a plan
    std::optional<uint64_t> first_acknowledged;
    uint64_t faults = 0;                // number of faults in that plan
    uint64_t fired = 0;                 // under that plan
    uint64_t fired_in_all = 0;          // since the process started
    bool fired_is_lower_bound = false;  // true for `fired` if lines, or the acknowledgement, are missing
    std::string last_function;          // name of the last function that failed
    std::set<int64_t> codes;            // error codes that failing calls returned
    uint64_t last_time_ns = 0;          // of the last line
    uint64_t first_fired_ns = 0;        // time of the first failing call in the log
    uint64_t last_sequence = 0;
};

// The library's lines in one log line: output of the program without a newline may precede them. Text that begins like
// a library line but is invalid is counted as broken.
struct EvidenceLines {
    std::vector<Json> lines;
    size_t broken = 0;
};
EvidenceLines evidence_in(std::string_view line);

// Collects the evidence lines of one container. Accepts them in any order and ignores duplicates.
class EvidenceReader {
public:
    void read(std::string_view log);  // a whole log, which may contain other lines
    void read_line(std::string_view line);
    void add(const Json& line);  // an object that `evidence_in` returned

    // Returns the processes in the order of their first lines.
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
        uint64_t revision = 0;  // number of plans that the process has read
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
    bool log_read = false;          // false if no log could be read
    std::string why_unknown;        // one sentence; also set if the log of the previous instance cannot be read
    bool is_cut = false;            // true if the log is too long and its end was not read
    bool misses_instances = false;  // the log of an instance that may have used the newest revision does not exist
    std::vector<ProcessEvidence> processes;

    bool is_library_seen() const;  // true if the logs contain a line of the library

    // The newest revision that a process acknowledged. The count and its bound consider only the processes that
    // acknowledged this revision last: the log does not show which of the other processes have ended.
    std::optional<uint64_t> acknowledged() const;
    uint64_t fired() const;
    bool fired_is_lower_bound() const;
};

// Reads the current log and, if the container has restarted, the log of the previous instance. A log that cannot be
// read within ten seconds is unknown. Throws Cancelled, DeadlinePassed at the session's deadline, and ConfigError.
ContainerEvidence evidence_of(Client& client, const Json& pod, const std::string& container);

}  // namespace cudafault::kube
