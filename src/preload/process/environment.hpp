// SPDX-License-Identifier: Apache-2.0
// Reads environment variables. A program may clear its environment or overwrite its memory (as setproctitle does)
// before its first CUDA call, so the variables that cudafault uses are copied when the library is loaded.
#pragma once

#include "fault/text.hpp"

namespace cudafault {

// The variables in which launchers store the rank of a process, in order of precedence.
inline constexpr Text kRankVariables[] = {"RANK", "OMPI_COMM_WORLD_RANK", "SLURM_PROCID", "PMI_RANK"};

// Copies the variables that select the plan, the run and the rank. Skips variables that do not fit into the static
// buffer. The library's constructor calls this function once.
void copy_environment();

// Returns the current value of an environment variable, or the copied value if the program has removed the variable, or
// nullptr. If the value has not changed, returns the copy, which stays valid. Does not call getenv, because bash
// defines its own getenv. Thread-safe as long as no other thread changes the environment.
const char* environment(Text name);

}  // namespace cudafault
