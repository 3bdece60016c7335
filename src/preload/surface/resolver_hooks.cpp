// SPDX-License-Identifier: Apache-2.0
#include "preload/process/start.hpp"
#include "preload/resolve/absent.hpp"
#include "preload/resolve/function_rows.hpp"
#include "preload/resolve/objects.hpp"
#include "preload/resolve/real.hpp"
#include "preload/surface/hooks.hpp"

namespace cudafault {

namespace {

constexpr uint64_t kPerThreadStreams = 2;  // CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM
constexpr unsigned kNewest = ~0u;

using Resolve = int (*)(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);

// The arguments of a resolver call. `version` is kNewest if the resolver has no version argument.
struct Request {
    Text symbol;
    const void** function;
    unsigned version;
    bool per_thread;
};

// cuGetProcAddress*(symbol, function, version, flags, ...), cudaGetDriverEntryPoint*(symbol, function, flags, ...) and
// cudaGetDriverEntryPointByVersion*(symbol, function, version, flags, ...).
Request read_request(int row, const Frame& frame) {
    const Text name = function_name(row);
    const bool versioned = kFunctions[row].api == Api::driver || starts_with(name, "cudaGetDriverEntryPointByVersion");
    const uint64_t flags = argument(frame, versioned ? 3 : 2);
    return {Text(pointer_argument<const char>(frame, 0)), pointer_argument<const void*>(frame, 1),
            versioned ? static_cast<unsigned>(argument(frame, 2)) : kNewest,
            kFunctions[row].per_thread || (flags & kPerThreadStreams) != 0};
}

const void* replacement(const Request& request, bool inner) {
    const void* found = *request.function;
    if (is_in_this_library(found)) return stub_for(-1, found, inner);
    const Resolved resolved = resolved_row(found, request.symbol, request.version, request.per_thread);
    return resolved.exported ? stub_for(resolved.row, found, inner) : claim_spare_stub(resolved.row, found);
}

}  // namespace

Verdict on_resolver_call(const StubUse& use, const Frame& frame) {
    const void* real = target_of(use);
    if (!real) return give(absent_result(use.row));
    const Function& resolver = kFunctions[use.row];
    if (!resolver.returns_status || is_disabled()) return jump_to(real);
    const LoadedObject caller = object_at(frame.caller);
    if (is_library_of(resolver.api, caller)) return jump_to(real);
    const uint64_t* arguments = frame.arguments;
    const int status = reinterpret_cast<Resolve>(const_cast<void*>(real))(arguments[0], arguments[1], arguments[2],
                                                                          arguments[3], arguments[4], arguments[5]);
    const Request request = read_request(use.row, frame);
    if (status == 0 && request.function && *request.function && request.symbol.data) {
        // If a libcudart looks up a function, that libcudart makes the calls, so they are inner calls. If the program
        // looks up a function, even through a libcudart, the program makes the calls.
        const bool inner = resolver.api == Api::driver && (use.inner || is_library_of(Api::runtime, caller));
        *request.function = replacement(request, inner);
    }
    return give_status(status);
}

}  // namespace cudafault
