// SPDX-License-Identifier: Apache-2.0
#include "preload/resolve/stub_registry.hpp"

#include "fault/atomics.hpp"
#include "preload/evidence/log.hpp"
#include "preload/resolve/real.hpp"

namespace cudafault {

namespace {

uint64_t spares_used;
int16_t spare_rows[kSpares];  // row + 1; 0: the function has no row
bool spares_exhausted;

int find_spare(int row, const void* found) {
    const uint64_t used = observe(spares_used);
    for (uint64_t i = 0; i < used && i < kSpares; ++i) {
        if (load(cudafault_targets[kFunctionCount + i]) == found && load(spare_rows[i]) == row + 1) {
            return static_cast<int>(i);
        }
    }
    return -1;
}

int inner_stub_of(int row) { return kFirstInner + row - kDriverRows.first; }
int row_of_inner_stub(int number) { return number - kFirstInner + kDriverRows.first; }

const void* stub_of(int row, bool inner) {
    return stub(inner && kFunctions[row].api == Api::driver ? inner_stub_of(row) : row);
}

}  // namespace

const void* claim_spare_stub(int row, const void* found) {
    int spare = find_spare(row, found);
    if (spare < 0) {
        const uint64_t next = count_up(spares_used) - 1;
        if (next >= kSpares) {
            store(spares_used, uint64_t{kSpares});
            if (!__atomic_exchange_n(&spares_exhausted, true, __ATOMIC_RELAXED)) {
                log_message(
                    "all spare stubs are in use, so no fault can fire in any more functions that are loaded twice");
            }
            return found;
        }
        spare = static_cast<int>(next);
        store(spare_rows[spare], static_cast<int16_t>(row + 1));
        publish(cudafault_targets[kFunctionCount + spare], found);
    }
    return stub(kFunctionCount + spare);
}

const void* stub_for(int row, const void* found, bool inner) {
    const int number = stub_at(found);
    if (number >= 0) {  // already a stub, which a libcudart got from a hooked resolver
        const StubUse use = use_of_stub(number);
        if (use.target >= kFunctionCount) return found;
        return stub_of(use.row, inner);
    }
    if (!adopt_real_function(row, found)) return claim_spare_stub(row, found);
    return stub_of(row, inner);
}

StubUse use_of_stub(int number) {
    if (number < kFunctionCount) return {number, number, false};
    if (number < kFirstInner) return {load(spare_rows[number - kFunctionCount]) - 1, number, false};
    return {row_of_inner_stub(number), row_of_inner_stub(number), true};
}

const void* target_of(const StubUse& use) {
    return use.target < kFunctionCount ? real_function(use.row) : known_target(use.target);
}

}  // namespace cudafault
