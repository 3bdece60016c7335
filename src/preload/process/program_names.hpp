// SPDX-License-Identifier: Apache-2.0
// Finds the names that process= matches: the name of the program, and the name of the script that the program
// interprets.
#pragma once

#include "fault/plan.hpp"

namespace cudafault {

struct ProgramNames {
    char program[kMaxGlob];  // base name of argv[0]
    char script[kMaxGlob];   // base name of the script, module or class that a known interpreter runs; else empty
};

// Finds the names in a command line in the format of /proc/PID/cmdline, where each argument ends with '\0'. Returns
// true if Python's multiprocessing started the process. Such a worker runs the script of its parent.
bool find_program_names(Text command_line, ProgramNames& names);

// Reads the names of this process. A multiprocessing worker gets the script of the process that spawned it. Not
// thread-safe: uses a static buffer.
void read_program_names(ProgramNames& names);

}  // namespace cudafault
