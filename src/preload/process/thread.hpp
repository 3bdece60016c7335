// SPDX-License-Identifier: Apache-2.0
// Defines the thread-local state. The library is loaded at program start, so the state can use the initial-exec TLS
// model, which requires no function call. It is declared __thread, because thread_local may call an initializer.
#pragma once

#include <stdint.h>

#include "fault/functions.hpp"

namespace cudafault {

struct InjectedLastError {
    int32_t code;  // 0: none
    int32_t fault;
};

struct ThreadState {
    bool querying;  // true while the library queries the GPU of a call; nested CUDA calls then pass through
    uint64_t error_revision;
    InjectedLastError last_errors[kRuntimeSonameCount];
    bool failed_look_up;  // dlerror returns `failure` next
    char failure[256];    // the message that dlerror returns next
};

extern __thread ThreadState this_thread __attribute__((tls_model("initial-exec")));

}  // namespace cudafault
