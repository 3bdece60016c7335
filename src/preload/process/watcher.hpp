// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace cudafault {

// Takes the plan from the file that CUDAFAULT_PLAN_FILE names, and starts the thread that follows its changes. A file
// that is not there means disarmed. False, and one line on standard error: it cannot be watched.
bool watch_plan(const char* file);

}  // namespace cudafault
