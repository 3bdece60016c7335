// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace cudafault {

// Reads the plan from the file that CUDAFAULT_PLAN_FILE names, and starts a thread that follows its changes. If the
// file does not exist, no plan is armed. Returns false, with a line on standard error, if the path is too long. If no
// thread can be started, writes a line and keeps the plan that was read. Called once, while the process starts.
bool watch_plan(const char* file);

}  // namespace cudafault
