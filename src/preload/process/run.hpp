// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace cudafault {

// Maps the control block of the run that CUDAFAULT_RUN names as PID:FD:START:INODE. All four are checked, because
// process ids and descriptors are reused. Returns false, with a line on standard error, if the block cannot be mapped;
// the process then has no plan.
bool join_run(const char* run);

// Marks in the run's control block that a process has loaded the library. If the process runs as root, and so can
// change its user ID, also maps the block for join_run. Does nothing if the block cannot be opened.
void meet_run(const char* run);

}  // namespace cudafault
