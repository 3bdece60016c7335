// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace cudafault {

// Copies the plan out of the control block if its revision is new, chooses the faults that mean this process and puts
// the result into force. One thread does it; another waits for at most a millisecond. The watcher calls it ahead of the
// next CUDA call.
void take_up_plan();

}  // namespace cudafault
