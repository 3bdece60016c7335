// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace cudafault {

// Returns true if `file`, which the program opens with RTLD_DEEPBIND, must be opened without that flag. With the flag,
// the object would use libc's dlsym, and its CUDA calls would bypass the library. Returns true only for a file that
// contains the name of a CUDA library, and returns false if CUDAFAULT_DEEPBIND=keep. Reads the file. Allocates no heap
// memory.
bool must_clear_deepbind(const char* file);

}  // namespace cudafault
