// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace cudafault {

// If the control block has a new plan, copies the plan, selects the faults that apply to this process, and puts the
// plan into force. If several threads call this function, one of them does the work, and the others wait for at most a
// millisecond. Every decision calls this function. The watcher also calls it, so that a new plan is acknowledged before
// the next CUDA call. Thread-safe; allocates no memory.
void take_up_plan();

}  // namespace cudafault
