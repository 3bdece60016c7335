// SPDX-License-Identifier: Apache-2.0
// Decides when a fault fires. Counts are exact even if several threads call these functions at the same time. The same
// seed gives the same sequence. The arithmetic uses integers only.
#pragma once

#include "fault/plan.hpp"

namespace cudafault {

// The counters of one fault: private to a process, or in the control block under scope=run. All are zero at arming.
struct FaultState {
    uint64_t matched;  // calls that matched process=, node=, pod=, rank=, calls= and gpu=
    uint64_t fired;
    uint64_t trips;         // mtbf: trips so far
    uint64_t next_trip_ns;  // mtbf: since arming; 0: not drawn yet
    uint64_t opened_ns;     // for= with after=<calls>: when the window opened, since arming, at least 1; 0: not open
    uint32_t tripped;       // sticky: 1 once fired
    uint32_t reserved;
};

struct Moment {
    uint64_t now_ns;       // CLOCK_REALTIME
    uint64_t armed_at_ns;  // CLOCK_REALTIME
};

// Returns a Moment with now_ns = `wall_ns` and armed_at_ns = `wall_ns` - `elapsed_ns`, at least 0. `elapsed_ns` comes
// from the monotonic clock, so setting the wall clock affects only until=.
inline Moment moment_after(uint64_t elapsed_ns, uint64_t wall_ns) {
    return {wall_ns, wall_ns > elapsed_ns ? wall_ns - elapsed_ns : 0};
}

// Returns false once for= or until= has passed. The fault is then disarmed, regardless of its counters.
bool is_in_window(const Fault&, const FaultState&, Moment);

// Counts one matched call in the window and returns whether the fault fires. The keys apply in the order after, every,
// probability or mtbf, times. The random draws depend on `fault_index` and `rank` (-1: none).
bool count_matched_call(const Fault&, FaultState&, int fault_index, int rank, Moment);

// Returns the k-th random draw of a fault, uniform over 64 bits.
uint64_t draw(uint64_t seed, int fault_index, int rank, uint64_t k);

// Returns -ln(u / 2^64) * mean_ns for a uniform u, without floating point.
uint64_t exponential_ns(uint64_t mean_ns, uint64_t uniform);

}  // namespace cudafault
