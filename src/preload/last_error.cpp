// SPDX-License-Identifier: Apache-2.0
#include "preload/last_error.hpp"

#include "preload/armed.hpp"
#include "preload/real.hpp"
#include "preload/thread.hpp"

namespace cudafault {

namespace {

bool takes_it_away(int row) { return starts_with(function_name(row), "cudaGetLastError"); }

}  // namespace

void remember_last_error(int row, int32_t code, uint64_t revision) {
    const Function& function = kFunctions[row];
    if (function.api != Api::runtime) return;
    if (this_thread.error_revision != revision) {
        for (int32_t& error : this_thread.last_errors) error = 0;
        this_thread.error_revision = revision;
    }
    this_thread.last_errors[function.soname] = code;
}

// Disarmed, or armed anew: what we made up is forgotten.
Verdict last_error(int row) {
    const void* real = real_function(row);
    int32_t& ours = this_thread.last_errors[kFunctions[row].soname];
    if (ours == 0 || this_thread.error_revision != armed_revision()) {
        return real ? jump_to(real) : give(absent_answer(row));
    }
    const int32_t code = ours;
    if (takes_it_away(row)) {
        ours = 0;
        if (real) reinterpret_cast<int (*)()>(const_cast<void*>(real))();
    }
    return give_status(code);
}

}  // namespace cudafault
