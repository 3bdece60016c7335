// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace cudafault {

// Reads the plan from `file`, the value of CUDAFAULT_PLAN_FILE, and starts a thread that watches the file for changes.
// If the file does not exist, no plan is armed. If the path is too long, writes a line to standard error and returns
// false. If no thread can be started, writes a line and keeps the plan that was read. Called once, when the library is
// initialized.
bool watch_plan(const char* file);

}  // namespace cudafault
