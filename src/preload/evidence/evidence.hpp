// SPDX-License-Identifier: Apache-2.0
// Records the evidence of fired faults: counters and events in the control block, JSON lines in the log file. These
// functions allocate no memory and take no lock. record_firing is thread-safe.
#pragma once

#include "preload/decide/decision.hpp"

namespace cudafault {

// Claims a slot in the control block's list of processes. If the list is full, counts the process as dropped.
void register_process();

// Records that this process has taken up a plan revision, and how many faults the plan has.
void record_acknowledgement(uint64_t revision, int faults);

// Counts a fault that fired and stores an event for it. Writes a log line if one is due.
void record_firing(const Decision& decision, int row);

// Writes the final count of the plan in force, once, if some firings have no log line of their own and no fault has
// fired since the previous call. Returns true while the final count is still to be written. Only the watcher thread may
// call this function.
bool record_final_count();

// Writes the "library seen" line. Only the first process of a container calls this function.
void record_library_seen();

}  // namespace cudafault
