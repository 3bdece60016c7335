// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace cudafault {

// Maps the control block of the run that CUDAFAULT_RUN names ("pid:fd:start time:inode", all of them checked, so that a
// number used again leads nowhere). False, and one line on standard error: there is none, and nothing is armed.
bool join_run(const char* run);

// Marks in the run's control block that a process has loaded the library. Does nothing if the block cannot be reached.
void mark_library_loaded(const char* run);

}  // namespace cudafault
