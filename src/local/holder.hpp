// SPDX-License-Identifier: Apache-2.0
// Starts the task through whose /proc/TASK/fd the processes of a run open the control block.
#pragma once

#include <sys/types.h>

namespace cudafault::local {

// The kernel lets a process open the descriptors of a task only if the process has all capabilities of that task. If
// this process has capabilities, starts a thread that drops its own and runs until the process ends, so that programs
// that have dropped capabilities can join the run. Returns the id of the thread. Returns the id of this process if the
// process has no capabilities, or if the thread cannot be started or cannot drop its own.
pid_t start_holder();

}  // namespace cudafault::local
