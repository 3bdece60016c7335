// SPDX-License-Identifier: Apache-2.0
// What a control block proves, as the JSON that `status` and `events` print and that a run's report keeps. The block is
// shared with every process of the run, so nothing in it is believed without a bound.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cudafault/control_block.hpp"

namespace cudafault::local {

// The library that a function of the table belongs to: each libcudart has functions of the same name.
const char* library_of(int row);

// The plan that is in force and what it counted. `given` is the user's own text: {"revision", "spec"}, or null.
nlohmann::json plan_json(const ControlBlock& block, const nlohmann::json& given);

// Brings the counts of a plan that plan_json described, and that was the last to be replaced, up to date: calls that
// were in flight then are counted by now. Those of any other plan stay as they are.
void read_replaced(const ControlBlock& block, nlohmann::json& plan);

nlohmann::json event_json(const Event& event);

// Reads the ring from its oldest event on.
class EventReader {
public:
    explicit EventReader(const ControlBlock& block) : block_(block) {}

    // Events that have come since the last time, oldest first. One that is still being written is waited for until the
    // next time, some times over.
    std::vector<Event> read();

    // The same when nobody writes any more, or nobody will read again.
    std::vector<Event> read_last();

    nlohmann::json counts() const;  // total, read, overwritten, lost

private:
    enum class Slot { whole, unfinished, overwritten };

    Slot take(uint64_t sequence, Event& out) const;
    void skip_overwritten(uint64_t head);
    std::vector<Event> collect(bool wait);
    bool give_up();

    const ControlBlock& block_;
    uint64_t next_ = 1;
    uint64_t read_ = 0;
    uint64_t overwritten_ = 0;
    uint64_t lost_ = 0;
    int waited_ = 0;
};

// plan, processes, processes_dropped, events (their counts).
nlohmann::json evidence_json(const ControlBlock& block, const nlohmann::json& given);

}  // namespace cudafault::local
