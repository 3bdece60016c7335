// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace cudafault {

// Maps the control block of `run`, the value PID:FD:START:INODE of CUDAFAULT_RUN. Checks all four numbers, because the
// kernel reuses process IDs and descriptors. If the block cannot be mapped, writes a line to standard error and returns
// false; the process then has no plan.
bool join_run(const char* run);

// Marks in the run's control block that a process has loaded the library. If the process runs as root, and so can
// change its user ID, also maps the block for join_run. Does nothing if the block cannot be opened.
void register_with_run(const char* run);

}  // namespace cudafault
