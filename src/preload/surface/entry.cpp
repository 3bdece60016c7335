// SPDX-License-Identifier: Apache-2.0
// Defines cudafault_decide. The stub of a CUDA function calls cudafault_decide if its flag is not kFlagIdle. The
// overrides of the dynamic linker's functions always call cudafault_decide.
#include "preload/decide/decide.hpp"
#include "preload/decide/effects.hpp"
#include "preload/decide/last_error.hpp"
#include "preload/evidence/evidence.hpp"
#include "preload/process/start.hpp"
#include "preload/process/state.hpp"
#include "preload/process/thread.hpp"
#include "preload/resolve/absent.hpp"
#include "preload/resolve/real.hpp"
#include "preload/surface/hooks.hpp"

namespace cudafault {

namespace {

Verdict pass_through(const StubUse& use) {
    const void* target = target_of(use);
    return target ? jump_to(target) : give(absent_result(use.row));
}

uint64_t call_real(const StubUse& use, const Frame& frame) {
    const void* real = target_of(use);
    if (!real) return absent_result(use.row);
    using Function = uint64_t (*)(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);
    const uint64_t* arguments = frame.arguments;
    return reinterpret_cast<Function>(const_cast<void*>(real))(arguments[0], arguments[1], arguments[2], arguments[3],
                                                               arguments[4], arguments[5]);
}

// CUDA calls that the library itself makes during a decision pass through.
Decision decide(const StubUse& use, const Frame& frame) {
    return this_thread.querying ? Decision{} : decide_on(use.row, use.inner, frame);
}

// Records and performs the effect. Returns true if the call must return decision.code.
bool record_and_perform(const Decision& decision, int row) {
    record_firing(decision, row);
    perform(decision);
    if (decision.effect != Effect::error) return false;
    remember_last_error(row, decision);
    return true;
}

// cuInit and the device counts do not concern a single GPU. The real call runs first, because the GPUs are unknown
// before that call.
Verdict on_enumeration(const StubUse& use, const Frame& frame) {
    const uint64_t result = call_real(use, frame);
    const Decision decision = decide(use, frame);
    return decision.fires && record_and_perform(decision, use.row) ? give_status(decision.code) : give(result);
}

Verdict on_call(const StubUse& use, const Frame& frame) {
    const Decision decision = decide(use, frame);
    if (decision.fires && record_and_perform(decision, use.row)) return give_status(decision.code);
    return kFunctions[use.row].hook == Hook::last_error ? last_error(use.row) : pass_through(use);
}

Verdict on_cuda_call(const StubUse& use, const Frame& frame) {
    if (use.row < 0) return pass_through(use);
    const Hook hook = kFunctions[use.row].hook;
    if (hook == Hook::resolver) return on_resolver_call(use, frame);
    if (hook == Hook::registration || !ensure_ready()) return pass_through(use);
    if (cannot_match(use.row)) return pass_through(use);
    return hook == Hook::enumerate ? on_enumeration(use, frame) : on_call(use, frame);
}

}  // namespace

}  // namespace cudafault

extern "C" __attribute__((visibility("hidden"), used)) cudafault::Verdict cudafault_decide(cudafault::Frame* frame,
                                                                                           uint32_t number) {
    using namespace cudafault;
    const int stub_number = static_cast<int>(number);
    if (stub_number >= kFirstLoaderHook) {
        return on_loader_call(static_cast<LoaderHook>(stub_number - kFirstLoaderHook), *frame);
    }
    return on_cuda_call(use_of_stub(stub_number), *frame);
}
