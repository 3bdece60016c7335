// SPDX-License-Identifier: Apache-2.0
// Implements primary and created contexts, the context stack of each thread, limits, and peer access.
#include "simgpu/driver/capture.hpp"
#include "simgpu/driver/state.hpp"

namespace cudafault::sim {
namespace {

constexpr unsigned kApiVersion = 3020;
constexpr unsigned kScheduleMask = 0x07, kKnownFlags = 0xff;

// The status of a feature that is not simulated.
Result not_supported() {
    return with_driver([](State&) { return kNotSupported; });
}

Result push(Context* context) {
    ContextStack& stack = context_stack();
    if (stack.depth == ContextStack::kMax) return kOutOfMemory;
    stack.entries[stack.depth++] = context;
    return kSuccess;
}

void drop_from_stack(const Context* context) {
    ContextStack& stack = context_stack();
    if (stack.top() == context) --stack.depth;
}

bool are_valid_flags(unsigned flags) {
    const unsigned schedule = flags & kScheduleMask;
    return !(flags & ~kKnownFlags) && (schedule & (schedule - 1)) == 0;
}

Result create(Context** out, unsigned flags, Device device) {
    return with_device(device, [&](State& s, DeviceState&) {
        if (!out || !are_valid_flags(flags)) return kInvalidValue;
        Context* context = new_context(s, device, false, flags);
        if (Result error = push(context)) return error;
        return set_output(out, context);
    });
}

void reset_primary(State& s, DeviceState& d) {
    if (d.primary->alive) destroy_context(s, *d.primary);
    d.primary->references = 0;
}

Result peer_error(State& s, const Context& context, Context* peer) {
    if (Result error = check_context(s, peer)) return error;
    return peer->device == context.device ? kInvalidContext : kSuccess;
}

}  // namespace

SIM_API Result cuDevicePrimaryCtxRetain(Context** out, Device device) {
    return with_device(device, [&](State&, DeviceState& d) {
        if (!out) return kInvalidValue;
        d.primary->alive = true;
        d.primary->flags = d.primary_flags;
        ++d.primary->references;
        return set_output(out, d.primary);
    });
}

SIM_API Result cuDevicePrimaryCtxRelease_v2(Device device) {
    return with_device(device, [&](State& s, DeviceState& d) {
        if (!d.primary->references) return kInvalidContext;
        if (--d.primary->references == 0) reset_primary(s, d);
        return kSuccess;
    });
}
SIM_ALIAS(cuDevicePrimaryCtxRelease, cuDevicePrimaryCtxRelease_v2, (Device device), (device))

// Destroys the context, which the next retain creates again, and resets its reference count.
SIM_API Result cuDevicePrimaryCtxReset_v2(Device device) {
    return with_device(device, [&](State& s, DeviceState& d) {
        reset_primary(s, d);
        return kSuccess;
    });
}
SIM_ALIAS(cuDevicePrimaryCtxReset, cuDevicePrimaryCtxReset_v2, (Device device), (device))

SIM_API Result cuDevicePrimaryCtxSetFlags_v2(Device device, unsigned flags) {
    return with_device(device, [&](State&, DeviceState& d) {
        if (!are_valid_flags(flags)) return kInvalidValue;
        d.primary_flags = d.primary->flags = flags;
        return kSuccess;
    });
}
SIM_ALIAS(cuDevicePrimaryCtxSetFlags, cuDevicePrimaryCtxSetFlags_v2, (Device device, unsigned flags), (device, flags))

SIM_API Result cuDevicePrimaryCtxGetState(Device device, unsigned* flags, int* active) {
    return with_device(device, [&](State&, DeviceState& d) {
        if (!flags || !active) return kInvalidValue;
        *flags = d.primary_flags;
        *active = d.primary->alive;
        return kSuccess;
    });
}

SIM_API Result cuCtxCreate_v2(Context** out, unsigned flags, Device device) { return create(out, flags, device); }
SIM_ALIAS(cuCtxCreate, cuCtxCreate_v2, (Context * *out, unsigned flags, Device device), (out, flags, device))

SIM_API Result cuCtxCreate_v3(Context** out, void*, int affinity_count, unsigned flags, Device device) {
    return affinity_count ? not_supported() : create(out, flags, device);
}

SIM_API Result cuCtxCreate_v4(Context** out, const ContextParams* params, unsigned flags, Device device) {
    const bool unsupported = params && (params->affinity_count || params->cig);
    return unsupported ? not_supported() : create(out, flags, device);
}

SIM_API Result cuCtxDestroy_v2(Context* context) {
    return with_driver([&](State& s) {
        if (Result error = check_context(s, context)) return error;
        if (context->primary) return kInvalidContext;
        destroy_context(s, *context);
        drop_from_stack(context);
        return kSuccess;
    });
}
SIM_ALIAS(cuCtxDestroy, cuCtxDestroy_v2, (Context * context), (context))

SIM_API Result cuCtxGetCurrent(Context** out) {
    return with_driver([&](State&) { return set_output(out, context_stack().top()); });
}

// Replaces the top of the stack, or pops it if `context` is null.
SIM_API Result cuCtxSetCurrent(Context* context) {
    return with_driver([&](State& s) {
        if (context) {
            if (Result error = check_context(s, context)) return error;
        }
        ContextStack& stack = context_stack();
        if (stack.depth) --stack.depth;
        return context ? push(context) : kSuccess;
    });
}

SIM_API Result cuCtxPushCurrent_v2(Context* context) {
    return with_driver([&](State& s) {
        const Result error = check_context(s, context);
        return error ? error : push(context);
    });
}
SIM_ALIAS(cuCtxPushCurrent, cuCtxPushCurrent_v2, (Context * context), (context))

SIM_API Result cuCtxPopCurrent_v2(Context** out) {
    return with_driver([&](State&) {
        ContextStack& stack = context_stack();
        if (!stack.depth) return kInvalidContext;
        Context* popped = stack.entries[--stack.depth];
        if (out) *out = popped;
        return kSuccess;
    });
}
SIM_ALIAS(cuCtxPopCurrent, cuCtxPopCurrent_v2, (Context * *out), (out))

SIM_API Result cuCtxGetDevice(Device* device) {
    return with_context([&](State&, Context& c) { return set_output(device, c.device); });
}

// Runs the body with the given context; null means the current context.
template <typename Body>
static Result with_given_context(Context* context, Body body) {
    if (!context) return with_context(body);
    return with_driver([&](State& s) {
        const Result error = check_context(s, context);
        return error ? error : body(s, *context);
    });
}

SIM_API Result cuCtxGetDevice_v2(Device* device, Context* context) {
    return with_given_context(context, [&](State&, Context& c) { return set_output(device, c.device); });
}

SIM_API Result cuCtxGetApiVersion(Context* context, unsigned* version) {
    return with_given_context(context, [&](State&, Context&) { return set_output(version, kApiVersion); });
}

SIM_API Result cuCtxGetId(Context* context, uint64_t* id) {
    return with_given_context(context, [&](State&, Context& c) { return set_output(id, c.id); });
}

SIM_API Result cuCtxGetFlags(unsigned* flags) {
    return with_context([&](State&, Context& c) { return set_output(flags, c.flags); });
}

SIM_API Result cuCtxSetFlags(unsigned flags) {
    return with_context([&](State&, Context& c) {
        if (!are_valid_flags(flags)) return kInvalidValue;
        c.flags = flags;
        return kSuccess;
    });
}

SIM_API Result cuCtxSynchronize() {
    return with_context([](State& s, Context& c) { return check_context_wait(s, c); });
}

SIM_API Result cuCtxSynchronize_v2(Context* context) {
    return with_given_context(context, [](State& s, Context& c) { return check_context_wait(s, c); });
}

SIM_API Result cuCtxGetLimit(size_t* value, int limit) {
    return with_context([&](State&, Context& c) {
        return limit < 0 || limit >= kLimitCount ? kUnsupportedLimit : set_output(value, c.limits[limit]);
    });
}

SIM_API Result cuCtxSetLimit(int limit, size_t value) {
    return with_context([&](State&, Context& c) {
        if (limit < 0 || limit >= kLimitCount) return kUnsupportedLimit;
        c.limits[limit] = value;
        return kSuccess;
    });
}

SIM_API Result cuCtxGetCacheConfig(int* config) {
    return with_context([&](State&, Context& c) { return set_output(config, c.cache_config); });
}

SIM_API Result cuCtxSetCacheConfig(int config) {
    return with_context([&](State&, Context& c) {
        if (config < 0 || config > 3) return kInvalidValue;
        c.cache_config = config;
        return kSuccess;
    });
}

SIM_API Result cuCtxGetSharedMemConfig(int* config) {
    return with_context([&](State&, Context& c) { return set_output(config, c.shared_config); });
}

SIM_API Result cuCtxSetSharedMemConfig(int config) {
    return with_context([&](State&, Context& c) {
        if (config < 0 || config > 2) return kInvalidValue;
        c.shared_config = config;
        return kSuccess;
    });
}

SIM_API Result cuCtxGetStreamPriorityRange(int* least, int* greatest) {
    return with_context([&](State&, Context&) {
        if (least) *least = 0;
        if (greatest) *greatest = -5;
        return kSuccess;
    });
}

SIM_API Result cuCtxResetPersistingL2Cache() {
    return with_context([](State&, Context&) { return kSuccess; });
}

SIM_API Result cuCtxGetExecAffinity(void*, int) { return not_supported(); }

SIM_API Result cuDeviceCanAccessPeer(int* can_access, Device device, Device peer) {
    return with_device(device, [&](State& s, DeviceState&) {
        return is_device(s, peer) ? set_output(can_access, device != peer) : kInvalidDevice;
    });
}

SIM_API Result cuDeviceGetP2PAttribute(int* value, int attribute, Device from, Device to) {
    return with_device(from, [&](State& s, DeviceState& d) {
        if (!is_device(s, to)) return kInvalidDevice;
        if (from == to) return kInvalidDevice;
        const bool linked = d.gpu->model->nvlinks && s.devices[to].gpu->model->nvlinks;
        switch (attribute) {
            case 1: return set_output(value, linked ? 0 : 1);  // performance rank
            case 2: return set_output(value, 1);               // access
            case 3: return set_output(value, linked);          // native atomics
            case 4: return set_output(value, 1);               // arrays
            case 5: return set_output(value, 0);               // only partial atomics
        }
        return kInvalidValue;
    });
}

SIM_API Result cuCtxEnablePeerAccess(Context* peer, unsigned flags) {
    return with_context([&](State& s, Context& c) {
        if (flags) return kInvalidValue;
        if (Result error = peer_error(s, c, peer)) return error;
        return c.peers.insert(peer).second ? kSuccess : kPeerAccessAlreadyEnabled;
    });
}

SIM_API Result cuCtxDisablePeerAccess(Context* peer) {
    return with_context([&](State& s, Context& c) {
        if (Result error = peer_error(s, c, peer)) return error;
        return c.peers.erase(peer) ? kSuccess : kPeerAccessNotEnabled;
    });
}

}  // namespace cudafault::sim
