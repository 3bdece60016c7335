// SPDX-License-Identifier: Apache-2.0
#include "preload/decide/effects.hpp"

#include <time.h>

#include "os/clock.hpp"
#include "os/system_call.hpp"
#include "preload/decide/decide.hpp"

namespace cudafault {

namespace {

constexpr uint64_t kHangStepNs = 5'000'000;

// Resumes the sleep after a signal handler has interrupted it.
void sleep_until(uint64_t monotonic_ns) {
    constexpr int kAbsolute = 1, kInterrupted = -4;
    const timespec until = {static_cast<time_t>(monotonic_ns / 1'000'000'000),
                            static_cast<long>(monotonic_ns % 1'000'000'000)};
    while (system_call(SYS_clock_nanosleep, CLOCK_MONOTONIC, kAbsolute, address_of(&until)) == kInterrupted) {
    }
}

void delay(uint64_t ns) {
    const uint64_t now = monotonic_ns();
    sleep_until(ns > INT64_MAX - now ? INT64_MAX : now + ns);
}

void hang(const Decision& decision) {
    while (is_in_force(decision.revision, decision.fault)) delay(kHangStepNs);
}

}  // namespace

void perform(const Decision& decision) {
    switch (decision.effect) {
        case Effect::error: break;
        case Effect::delay: delay(decision.value); break;
        case Effect::hang: hang(decision); break;
        case Effect::exit: system_call(SYS_exit_group, static_cast<long>(decision.value)); break;
        case Effect::signal:
            system_call(SYS_tgkill, process_id(), thread_id(), static_cast<long>(decision.value));
            break;
    }
}

}  // namespace cudafault
