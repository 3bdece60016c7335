// SPDX-License-Identifier: Apache-2.0
#include "fault/schedule.hpp"

#include "fault/atomics.hpp"

namespace cudafault {

namespace {

// Value of FaultState::next_trip_ns while one thread draws the next trip. If the process is killed during the draw, the
// fault does not fire again.
constexpr uint64_t kTripBusy = UINT64_MAX;

uint64_t elapsed_ns(Moment moment) {
    return moment.now_ns > moment.armed_at_ns ? moment.now_ns - moment.armed_at_ns : 0;
}

// The finalizer of splitmix64: every input bit affects every output bit.
uint64_t mix(uint64_t x) {
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

uint64_t multiply_high(uint64_t a, uint64_t b) {
    return static_cast<uint64_t>(static_cast<unsigned __int128>(a) * b >> 64);
}

// Returns log2(m) * 2^57 for m in [1, 2), given as m * 2^63. Each squaring yields one more binary digit.
uint64_t log2_fraction(uint64_t m) {
    uint64_t bits = 0;
    for (int i = 0; i < 57; ++i) {
        const uint64_t square = multiply_high(m, m);  // m^2 * 2^62
        const bool carry = square >> 63;
        m = carry ? square : square << 1;
        bits = bits << 1 | (carry ? 1 : 0);
    }
    return bits;
}

// Returns -ln(u / 2^64) * 2^57; u must not be 0.
uint64_t negative_log(uint64_t u) {
    constexpr uint64_t kLn2 = 0xb17217f7d1cf79ab;  // * 2^64
    const int zeros = __builtin_clzll(u);
    const uint64_t log2 = (static_cast<uint64_t>(zeros) + 1) * (uint64_t{1} << 57) - log2_fraction(u << zeros);
    return multiply_high(log2, kLn2);
}

uint64_t saturate(unsigned __int128 value) { return value >> 64 ? UINT64_MAX : static_cast<uint64_t>(value); }

uint64_t trip_after(const Fault& fault, uint64_t base_ns, uint64_t uniform) {
    const unsigned __int128 at = static_cast<unsigned __int128>(base_ns) + exponential_ns(fault.mtbf_ns, uniform);
    if (at == 0) return 1;  // 0 means "not drawn yet"
    return at >= kTripBusy ? kTripBusy - 1 : static_cast<uint64_t>(at);
}

// Returns true if a trip has become due since the last call. Several trips without a call between them count as one.
// The next interval starts at this call, because the exponential distribution is memoryless.
bool take_due_trip(const Fault& fault, FaultState& state, int fault_index, int rank, uint64_t elapsed) {
    uint64_t due = load(state.next_trip_ns);
    if (due == 0 && replace(state.next_trip_ns, due, kTripBusy)) {
        const uint64_t base = fault.after_calls > 0 ? elapsed : fault.after_ns;
        due = trip_after(fault, base, draw(fault.seed, fault_index, rank, 0));
        publish(state.next_trip_ns, due);
    }
    if (due == kTripBusy || elapsed < due || !replace(state.next_trip_ns, due, kTripBusy)) return false;
    const uint64_t trip = count_up(state.trips);
    const uint64_t next = trip_after(fault, elapsed, draw(fault.seed, fault_index, rank, trip));
    publish(state.next_trip_ns, next);
    return true;
}

// Returns the 1-based position of this call among the calls after after=, or 0 if the call is skipped. With
// after=<duration> these calls are counted in `trips`, which otherwise only mtbf= uses; mtbf= needs no position.
uint64_t position(const Fault& fault, FaultState& state, uint64_t matched, uint64_t elapsed) {
    if (fault.after_ns == 0) return matched > fault.after_calls ? matched - fault.after_calls : 0;
    if (elapsed < fault.after_ns) return 0;
    return fault.mtbf_ns ? matched : count_up(state.trips);
}

bool choose_call(const Fault& fault, FaultState& state, int fault_index, int rank, uint64_t matched, uint64_t elapsed) {
    const uint64_t at = position(fault, state, matched, elapsed);
    if (at == 0) return false;
    if (fault.mtbf_ns) return take_due_trip(fault, state, fault_index, rank, elapsed);
    if (at % fault.every != 0) return false;
    return fault.probability == kAlways || draw(fault.seed, fault_index, rank, at / fault.every) < fault.probability;
}

uint64_t add(uint64_t a, uint64_t b) { return a > UINT64_MAX - b ? UINT64_MAX : a + b; }

// Returns the end of the window of for=, which starts at the end of after=. If after= is a number of calls, the first
// call that is not skipped opens the window.
uint64_t window_end(const Fault& fault, const FaultState& state) {
    if (fault.window_ns == kForever) return kForever;
    if (fault.after_calls == 0) return add(fault.after_ns, fault.window_ns);
    const uint64_t opened = load(state.opened_ns);
    return opened == 0 ? kForever : add(opened, fault.window_ns);
}

void open_window(const Fault& fault, FaultState& state, uint64_t matched, uint64_t elapsed) {
    uint64_t closed = 0;
    if (fault.window_ns == kForever || matched <= fault.after_calls) return;
    replace(state.opened_ns, closed, elapsed > 0 ? elapsed : 1);
}

// Counts a failure. Returns false if the fault has already fired as often as times= allows.
bool count_fired(const Fault& fault, FaultState& state) {
    uint64_t fired = load(state.fired);
    do {
        if (fired >= fault.times) return false;
    } while (!replace(state.fired, fired, fired + 1));
    return true;
}

}  // namespace

bool is_in_window(const Fault& fault, const FaultState& state, Moment moment) {
    return elapsed_ns(moment) < window_end(fault, state) && moment.now_ns < fault.until_ns;
}

bool count_matched_call(const Fault& fault, FaultState& state, int fault_index, int rank, Moment moment) {
    const uint64_t matched = count_up(state.matched);
    open_window(fault, state, matched, elapsed_ns(moment));
    const bool tripped = fault.sticky && load(state.tripped);
    if (!tripped && !choose_call(fault, state, fault_index, rank, matched, elapsed_ns(moment))) return false;
    if (!count_fired(fault, state)) return false;
    if (fault.sticky) store(state.tripped, uint32_t{1});
    return true;
}

uint64_t draw(uint64_t seed, int fault_index, int rank, uint64_t k) {
    constexpr uint64_t kGolden = 0x9e3779b97f4a7c15;  // prevents 0 from being a fixed point
    uint64_t x = mix(seed + kGolden);
    x = mix(x ^ (static_cast<uint64_t>(fault_index) + kGolden));
    x = mix(x ^ (static_cast<uint64_t>(rank) + 2 * kGolden));
    return mix(x ^ (k + 3 * kGolden));
}

uint64_t exponential_ns(uint64_t mean_ns, uint64_t uniform) {
    if (uniform == 0) uniform = 1;
    const uint64_t complement = -uniform;  // 2^64 - u
    // Close to 1 the logarithm loses its digits; there -ln(1 - x) equals x + x^2 / 2 to within 1e-12.
    if (complement >> 44 == 0) return multiply_high(mean_ns, complement + (multiply_high(complement, complement) >> 1));
    return saturate(static_cast<unsigned __int128>(mean_ns) * negative_log(uniform) >> 57);
}

}  // namespace cudafault
