// SPDX-License-Identifier: Apache-2.0
// What happened, for those who ask: counters and events in the control block, JSON lines in the log.
#pragma once

#include "preload/decide/decision.hpp"

namespace cudafault {

// Takes a slot in the control block's list of processes.
void register_process();

void record_acknowledgement(uint64_t revision, int faults);
void record_firing(const Decision& decision, int row);

// Writes the final count of the plan in force, once, if firings lacked a line of their own and none was added since the
// call before. Returns whether it is still to be written. Called by the watcher only.
bool record_last_count();

// "Library seen", in the container's first process only.
void record_library_seen();

}  // namespace cudafault
