// SPDX-License-Identifier: Apache-2.0
// When a fault fires. Counts are exact under threads; the same seed gives the same sequence; 64-bit integers only.
#pragma once

#include "fault/plan.hpp"

namespace cudafault {

// What one fault has counted; private to a process, or in the control block under scope=run. All zero at arming.
struct FaultState {
    uint64_t matched;  // calls that passed target, calls and GPU
    uint64_t fired;
    uint64_t trips;         // mtbf: trips already taken
    uint64_t next_trip_ns;  // mtbf: since arming; 0: not drawn yet
    uint64_t opened_ns;     // for= with after=<calls>: when the window opened, since arming, at least 1; 0: not yet
    uint32_t tripped;       // sticky: 1 once fired
    uint32_t reserved;
};

struct Moment {
    uint64_t now_ns;       // CLOCK_REALTIME
    uint64_t armed_at_ns;  // CLOCK_REALTIME
};

// Returns the moment at which the wall clock shows `wall_ns`, `elapsed_ns` after arming by a clock that is never set. A
// change of the wall clock therefore moves only the end that until= names.
inline Moment moment_after(uint64_t elapsed_ns, uint64_t wall_ns) {
    return {wall_ns, wall_ns > elapsed_ns ? wall_ns - elapsed_ns : 0};
}

// False once for= or until= has passed: the fault is disarmed, whatever it counted.
bool in_window(const Fault&, const FaultState&, Moment);

// Counts one matched call in the window and decides, in the order after -> every -> probability/mtbf -> times.
// `fault_index` and `rank` (-1: none) enter the draws.
bool fires(const Fault&, FaultState&, int fault_index, int rank, Moment);

// Draw k of a fault, uniform in 64 bits.
uint64_t draw(uint64_t seed, int fault_index, int rank, uint64_t k);

// -ln(u / 2^64) * mean_ns for a uniform u, without floating point.
uint64_t exponential_ns(uint64_t mean_ns, uint64_t uniform);

}  // namespace cudafault
