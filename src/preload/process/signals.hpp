// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

#include "os/system_call.hpp"

namespace cudafault {

// Blocks all signals in this thread while the object exists. Otherwise, a signal handler that calls CUDA could
// deadlock: it would wait for an operation that its own thread has started.
class SignalsBlocked {
public:
    SignalsBlocked() { set(~uint64_t{0}, &before_); }
    ~SignalsBlocked() { set(before_, nullptr); }
    SignalsBlocked(const SignalsBlocked&) = delete;
    SignalsBlocked& operator=(const SignalsBlocked&) = delete;

private:
    static void set(uint64_t mask, uint64_t* before) {
        constexpr long kSetMask = 2;  // SIG_SETMASK
        system_call(SYS_rt_sigprocmask, kSetMask, address_of(&mask), address_of(before), sizeof mask);
    }

    uint64_t before_ = 0;
};

}  // namespace cudafault
