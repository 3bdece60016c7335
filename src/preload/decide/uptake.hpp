// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace cudafault {

// Copies the plan out of the control block if its revision is new, selects the faults for this process and puts the
// result into force. One thread does so; other threads wait for at most a millisecond. Every decision calls this
// function, and the watcher calls it before the next CUDA call. Thread-safe; allocates no memory.
void take_up_plan();

}  // namespace cudafault
