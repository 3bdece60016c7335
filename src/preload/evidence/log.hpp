// SPDX-License-Identifier: Apache-2.0
// Writes the output of the library: a line to standard error if a plan or setting is invalid or faults cannot be
// injected, and JSON lines to the file that CUDAFAULT_LOG names. Thread-safe: each line is one write. Allocates no
// memory.
#pragma once

#include "fault/text_builder.hpp"

namespace cudafault {

// Writes "cudafault: <message>" and a newline to standard error.
void log_message(const char* message);

// Returns the path in CUDAFAULT_LOG, or nullptr. In a pod the path is /proc/1/fd/2, or /dev/stderr if the containers
// share a PID namespace.
const char* log_file();

// Appends a line to the log file. Opens the file for each line, so that no descriptor stays open in the program. Does
// not block: drops the line if the file cannot be opened or is a full pipe.
void append_to_log(const char* line, size_t size);

}  // namespace cudafault
