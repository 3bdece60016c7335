// SPDX-License-Identifier: Apache-2.0
#include "preload/decide/last_error.hpp"

#include "preload/decide/decide.hpp"
#include "preload/process/thread.hpp"
#include "preload/resolve/absent.hpp"
#include "preload/resolve/real.hpp"

namespace cudafault {

namespace {

bool clears_error(int row) { return starts_with(function_name(row), "cudaGetLastError"); }

}  // namespace

void remember_last_error(int row, const Decision& decision) {
    const Function& function = kFunctions[row];
    if (function.api != Api::runtime) return;
    if (this_thread.error_revision != decision.revision) {
        for (InjectedLastError& error : this_thread.last_errors) error = {};
        this_thread.error_revision = decision.revision;
    }
    this_thread.last_errors[function.soname] = {decision.code, decision.fault};
}

// An injected error is not reported after its fault was disarmed, its time window has ended, or another plan has
// replaced its plan.
Verdict last_error(int row) {
    const void* real = real_function(row);
    InjectedLastError& injected = this_thread.last_errors[kFunctions[row].soname];
    if (injected.code == 0 || !is_in_force(this_thread.error_revision, injected.fault)) {
        return real ? jump_to(real) : give(absent_result(row));
    }
    const int32_t code = injected.code;
    if (clears_error(row)) {
        injected = {};
        if (real) reinterpret_cast<int (*)()>(const_cast<void*>(real))();
    }
    return give_status(code);
}

}  // namespace cudafault
