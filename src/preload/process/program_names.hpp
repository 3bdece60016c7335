// SPDX-License-Identifier: Apache-2.0
// Finds the names that process= is compared with: the name of the program, and the name of the script that it
// interprets.
#pragma once

#include "fault/plan.hpp"

namespace cudafault {

struct ProgramNames {
    char program[kMaxGlob];  // base name of argv[0]
    char script[kMaxGlob];   // base name of the script, module or class that a known interpreter runs; else empty
};

// Finds the names in a command line as in /proc/PID/cmdline: arguments that each end with '\0'. Returns true if the
// process is a worker that Python's multiprocessing started. The script of such a worker is that of its parent.
bool find_program_names(Text command_line, ProgramNames& names);

// Reads the names of this process. A multiprocessing worker gets the script of the process that spawned it. Not
// thread-safe: uses a static buffer.
void read_program_names(ProgramNames& names);

}  // namespace cudafault
