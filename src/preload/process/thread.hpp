// SPDX-License-Identifier: Apache-2.0
// Defines the thread-local state. The library is loaded at program start, so the variables use the initial-exec model,
// which needs no call. They are declared __thread because thread_local may call an initializer.
#pragma once

#include <stdint.h>

#include "fault/functions.hpp"

namespace cudafault {

struct InjectedLastError {
    int32_t code;  // 0: none
    int32_t fault;
};

struct ThreadState {
    bool
        querying;  // true while the library queries the GPU of a call; CUDA calls of the queried functions pass through
    uint64_t error_revision;
    InjectedLastError last_errors[kRuntimeSonameCount];
    bool failed_look_up;  // dlerror returns `failure` next
    char failure[256];    // the message that dlerror returns next
};

extern __thread ThreadState this_thread __attribute__((tls_model("initial-exec")));

}  // namespace cudafault
