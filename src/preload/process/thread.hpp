// SPDX-License-Identifier: Apache-2.0
// What belongs to a thread. The library is loaded at start, so its variables lie at a fixed offset and cost no call;
// __thread, for thread_local may call an initialiser.
#pragma once

#include <stdint.h>

#include "fault/functions.hpp"

namespace cudafault {

struct MadeUpError {
    int32_t code;  // 0: none
    int32_t fault;
};

struct ThreadState {
    bool asking;  // which GPU a call is about: what the asked functions call in turn passes through
    uint64_t error_revision;
    MadeUpError last_errors[kRuntimeSonameCount];
    bool failed_look_up;
    char failure[256];  // what dlerror says next
};

extern __thread ThreadState this_thread __attribute__((tls_model("initial-exec")));

}  // namespace cudafault
