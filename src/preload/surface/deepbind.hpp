// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace cudafault {

// Whether an object that shall be opened with RTLD_DEEPBIND must lose that flag: with it, the object's own dlsym would
// be libc's, and its CUDA calls would go round us. Only for a file that mentions a CUDA library;
// CUDAFAULT_DEEPBIND=keep: never.
bool must_lose_deepbind(const char* file);

}  // namespace cudafault
