// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace cudafault {

// Returns true if `file`, which the program opens with RTLD_DEEPBIND, must be opened without that flag. With the flag,
// the object's dlsym is libc's and its CUDA calls bypass the library. True only for a file that mentions a CUDA
// library, and never if CUDAFAULT_DEEPBIND=keep. Reads the file. Allocates no heap memory.
bool must_clear_deepbind(const char* file);

}  // namespace cudafault
