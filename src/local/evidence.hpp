// SPDX-License-Identifier: Apache-2.0
// Converts the content of a control block to the JSON of a run's record, which `status` and `events` print. Every
// process of the run can write into the block, so each value is checked before it is used.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cudafault/control_block.hpp"

namespace cudafault::local {

// Returns the plan in force and its counts. `recorded` is the plan as the user wrote it, {"revision", "spec"}, or null.
nlohmann::json plan_json(const ControlBlock& block, const nlohmann::json& recorded);

// Updates the counts in `plan`, a result of plan_json, if `plan` is the plan that was replaced last, because calls that
// were in flight at its replacement were counted afterwards. Does nothing for other plans.
void read_replaced(const ControlBlock& block, nlohmann::json& plan);

// Returns an event with the names of its function, its effect and its error code. The event must come from EventReader.
nlohmann::json event_json(const Event& event);

// Reads the ring of events, oldest first. Not thread-safe; the processes of the run may write at the same time.
class EventReader {
public:
    explicit EventReader(const ControlBlock& block) : block_(block) {}

    // Returns the events since the previous call, oldest first. Stops at an event that is still being written, but
    // skips it after a limited number of calls.
    std::vector<Event> read();

    // Like read(), but skips events that are still being written.
    std::vector<Event> read_last();

    nlohmann::json counts() const;  // total, kept, overwritten, lost

private:
    enum class Slot { whole, unfinished, overwritten };

    Slot read_slot(uint64_t sequence, Event& out) const;
    void skip_overwritten(uint64_t head);
    std::vector<Event> collect(bool wait);
    // Counts a wait for an unfinished event. Returns true if the event must be skipped, because the limit is reached.
    bool count_wait();

    const ControlBlock& block_;
    uint64_t next_ = 1;
    uint64_t read_ = 0;
    uint64_t overwritten_ = 0;
    uint64_t lost_ = 0;
    int waited_ = 0;
};

// Returns an object with the keys plan, processes, processes_dropped and events (counts).
nlohmann::json evidence_json(const ControlBlock& block, const nlohmann::json& recorded);

}  // namespace cudafault::local
