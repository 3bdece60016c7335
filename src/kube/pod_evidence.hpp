// SPDX-License-Identifier: Apache-2.0
// What the library says of itself in the logs of pods.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "kube/api/client.hpp"

namespace cudafault::kube {

// One process of a container, as its lines tell; the same one seen twice (`previous` in a back-off is the current log)
// counts once.
struct ProcessEvidence {
    std::string boot_id;
    uint64_t pid = 0;  // in its container
    uint64_t start_time = 0;
    bool library_seen = false;
    std::optional<uint64_t> acknowledged;  // the last revision of the plan object that it took up
    uint64_t faults = 0;                   // of that revision
    uint64_t fired = 0;                    // under that revision
    uint64_t fired_in_all = 0;             // since the process started
    std::string last_function;             // that failed
    uint64_t last_time_ns = 0;             // of its last line
    uint64_t first_fired_ns = 0;           // of the first failing call seen
    uint64_t last_sequence = 0;
    bool has_gaps = false;  // a sequence number is missing: what fired is a lower bound
};

// Collects lines of one container, of whatever order and however often.
class EvidenceReader {
public:
    void read(const std::string& log);       // a whole log, lines of others in it
    void read_line(std::string_view line);
    const std::vector<ProcessEvidence>& processes() const { return processes_; }

private:
    std::vector<ProcessEvidence> processes_;
    std::map<std::string, std::map<uint64_t, Json>> lines_;  // by instance and sequence
};

struct ContainerEvidence {
    std::string container;
    bool log_read = false;   // false: no log could be had, so nothing is known
    std::string why_unknown; // then a sentence
    std::vector<ProcessEvidence> processes;

    bool library_seen() const;
    std::optional<uint64_t> acknowledged() const;  // the least of the processes that took up any
    uint64_t fired() const;
};

// The current log, and where the container has restarted that of the instance before.
ContainerEvidence evidence_of(Client& client, const Json& pod, const std::string& container);

}  // namespace cudafault::kube
