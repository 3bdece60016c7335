// SPDX-License-Identifier: Apache-2.0
// Reads environment variables. A program may clear its environment or overwrite its memory (as setproctitle does)
// before its first CUDA call, so the variables that cudafault uses are copied when the library is loaded.
#pragma once

#include "fault/text.hpp"

namespace cudafault {

// The variables in which launchers state the rank of a process, in the order in which they are read.
inline constexpr Text kRankVariables[] = {"RANK", "OMPI_COMM_WORLD_RANK", "SLURM_PROCID", "PMI_RANK"};

// Copies the variables that select the plan, the run and the rank. Costs one pass over the environment. Variables that
// do not fit into the static buffer are not copied. Called once, by the constructor.
void copy_environment();

// Returns the current value of an environment variable; if the program has removed the variable, the copied value; or
// nullptr. An unchanged value is returned from the copy, which stays valid. Does not call getenv, because bash defines
// its own. Thread-safe as long as no other thread changes the environment.
const char* environment(Text name);

}  // namespace cudafault
