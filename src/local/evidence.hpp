// SPDX-License-Identifier: Apache-2.0
// The content of a control block as the JSON that `status` and `events` print and that the report of a run keeps. Every
// process of the run can write into the block, so each value is checked before it is used.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cudafault/control_block.hpp"

namespace cudafault::local {

// The plan in force and its counts. `given` is the text that the user gave: {"revision", "spec"}, or null.
nlohmann::json plan_json(const ControlBlock& block, const nlohmann::json& given);

// Updates the counts of the plan that was replaced last, which plan_json described before: calls that were in flight
// then have been counted since. Does nothing for any other plan.
void read_replaced(const ControlBlock& block, nlohmann::json& plan);

nlohmann::json event_json(const Event& event);

// Reads the ring of events, beginning with the oldest.
class EventReader {
public:
    explicit EventReader(const ControlBlock& block) : block_(block) {}

    // Events since the last call, oldest first. Stops at an event that is still being written, for a limited number of
    // calls.
    std::vector<Event> read();

    // The same, but skips an event that is still being written.
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

// The keys plan, processes, processes_dropped and events (counts).
nlohmann::json evidence_json(const ControlBlock& block, const nlohmann::json& given);

}  // namespace cudafault::local
