// SPDX-License-Identifier: Apache-2.0
// What the library says, and only where it was asked or must: a line on standard error when something of the user's is
// wrong, and evidence as JSON lines in the file that CUDAFAULT_LOG names.
#pragma once

#include "fault/message.hpp"

namespace cudafault {

// "cudafault: <message>" on standard error, in one write.
void complain(const char* message);

// The file that CUDAFAULT_LOG names, or nullptr. In a pod it is /proc/1/fd/2, or /dev/stderr where its containers share
// their processes.
const char* log_file();

// Appends a line. The file is open only that long: a guest keeps no descriptor.
void append_to_log(const char* line, size_t size);

}  // namespace cudafault
