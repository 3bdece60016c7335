// SPDX-License-Identifier: Apache-2.0
// Implements memory pools for stream-ordered allocation. A pool does not keep unused memory, because allocating from
// the host is cheap.
#include <algorithm>

#include "simgpu/driver/capture.hpp"
#include "simgpu/driver/graph.hpp"
#include "simgpu/driver/memory.hpp"
#include "simgpu/driver/stream.hpp"

namespace cudafault::sim {
namespace {

// Values of CUmemPool_attribute
enum PoolAttribute {
    kReuseFirst = 1,
    kReuseLast = 3,
    kReleaseThreshold = 4,
    kReservedCurrent,
    kReservedHigh,
    kUsedCurrent,
    kUsedHigh,
};

// Values of CUgraphMem_attribute
enum GraphMemoryAttribute { kGraphUsed, kGraphUsedHigh, kGraphReserved, kGraphReservedHigh };

template <typename Body>
Result with_pool(Pool* pool, Body body) {
    return with_driver([&](State& s) { return s.pools.has(pool) ? body(s, *pool) : kInvalidValue; });
}

Result allocate_from(State& s, Pool& pool, size_t bytes, DevicePtr* out) {
    if (!out || !bytes) return kInvalidValue;
    if (pool.properties.max_size && pool.used + bytes > pool.properties.max_size) return kOutOfMemory;
    Block* block = nullptr;
    if (Result error = allocate(s, *s.devices[pool.device].primary, bytes, BlockKind::kDevice, block)) return error;
    block->pool = &pool;
    pool.used += block->charged;
    pool.used_high = std::max(pool.used_high, pool.used);
    return set_output(out, block->base);
}

Result get_attribute(const Pool& pool, int attribute, void* out) {
    if (attribute >= kReuseFirst && attribute <= kReuseLast) {
        return set_output(static_cast<int*>(out), pool.reuse[attribute - kReuseFirst]);
    }
    auto* number = static_cast<uint64_t*>(out);
    switch (attribute) {
        case kReleaseThreshold: return set_output(number, pool.release_threshold);
        case kReservedCurrent:
        case kUsedCurrent: return set_output(number, pool.used);
        case kReservedHigh:
        case kUsedHigh: return set_output(number, pool.used_high);
    }
    return kInvalidValue;
}

Result set_attribute(Pool& pool, int attribute, const void* value) {
    if (attribute >= kReuseFirst && attribute <= kReuseLast) {
        pool.reuse[attribute - kReuseFirst] = *static_cast<const int*>(value);
        return kSuccess;
    }
    const uint64_t number = *static_cast<const uint64_t*>(value);
    switch (attribute) {
        case kReleaseThreshold: pool.release_threshold = number; return kSuccess;
        case kReservedHigh:
        case kUsedHigh:  // a program can only reset this value
            if (number) return kInvalidValue;
            pool.used_high = pool.used;
            return kSuccess;
    }
    return kInvalidValue;
}

// Allocates, or adds an allocation node if the stream is being captured. If `pool` is nullptr, uses the current pool of
// the stream's device.
Result allocate_in_order(State& s, Context& c, Stream* handle, Pool* pool, size_t bytes, DevicePtr* out) {
    Stream* stream = nullptr;
    if (Result error = resolve_stream(s, c, handle, stream)) return error;
    Pool& chosen = pool ? *pool : *s.devices[stream->context->device].pool;
    if (stream->capture) return capture_allocation(s, *stream, chosen, bytes, out);
    if (Result error = check_legacy_use(s, *stream)) return error;
    return allocate_from(s, chosen, bytes, out);
}

}  // namespace

SIM_API Result cuDeviceGetDefaultMemPool(Pool** pool, Device device) {
    return with_device(device, [&](State&, DeviceState& d) { return set_output(pool, d.default_pool); });
}

SIM_API Result cuDeviceGetMemPool(Pool** pool, Device device) {
    return with_device(device, [&](State&, DeviceState& d) { return set_output(pool, d.pool); });
}

SIM_API Result cuDeviceSetMemPool(Device device, Pool* pool) {
    return with_device(device, [&](State& s, DeviceState& d) {
        if (!s.pools.has(pool) || pool->device != device) return kInvalidValue;
        d.pool = pool;
        return kSuccess;
    });
}

SIM_API Result cuMemPoolCreate(Pool** out, const PoolProperties* properties) {
    return with_driver([&](State& s) {
        if (!out || !properties || properties->allocation_type != 1) return kInvalidValue;
        if (properties->location.type != kLocationDevice) return kNotSupported;
        if (!is_device(s, properties->location.id)) return kInvalidDevice;
        return set_output(out, s.pools.add(new Pool{properties->location.id, *properties, false}));
    });
}

// A real driver keeps the pool until its last allocation is freed. In the simulated driver, such allocations remain
// valid without a pool.
SIM_API Result cuMemPoolDestroy(Pool* pool) {
    return with_pool(pool, [&](State& s, Pool& p) {
        if (p.is_default) return kInvalidValue;
        for (auto& [base, block] : s.blocks) {
            if (block.pool == &p) block.pool = nullptr;
        }
        for (DeviceState& d : s.devices) {
            if (d.pool == &p) d.pool = d.default_pool;
        }
        s.pools.remove(&p);
        return kSuccess;
    });
}

SIM_API Result cuMemPoolTrimTo(Pool* pool, size_t) {
    return with_pool(pool, [](State&, Pool&) { return kSuccess; });
}

SIM_API Result cuMemPoolGetAttribute(Pool* pool, int attribute, void* value) {
    return with_pool(pool, [&](State&, Pool& p) { return get_attribute(p, attribute, value); });
}

SIM_API Result cuMemPoolSetAttribute(Pool* pool, int attribute, void* value) {
    return with_pool(pool, [&](State&, Pool& p) { return value ? set_attribute(p, attribute, value) : kInvalidValue; });
}

SIM_API Result cuMemPoolSetAccess(Pool* pool, const MemAccess* access, size_t count) {
    return with_pool(pool, [&](State& s, Pool& p) {
        if (!access && count) return kInvalidValue;
        for (size_t i = 0; i < count; ++i) {
            const bool valid = access[i].location.type == kLocationDevice && is_device(s, access[i].location.id);
            if (!valid) return kInvalidDevice;
            if (access[i].location.id == p.device && access[i].flags != 3) return kInvalidDevice;
            p.access[access[i].location.id] = access[i].flags;
        }
        return kSuccess;
    });
}

SIM_API Result cuMemPoolGetAccess(int* flags, Pool* pool, const MemLocation* location) {
    return with_pool(pool, [&](State& s, Pool& p) {
        if (!location || location->type != kLocationDevice || !is_device(s, location->id)) return kInvalidValue;
        const auto found = p.access.find(location->id);
        return set_output(flags, found != p.access.end() ? found->second : location->id == p.device ? 3 : 0);
    });
}

SIM_API Result cuMemAllocAsync(DevicePtr* out, size_t bytes, Stream* stream) {
    return with_context([&](State& s, Context& c) { return allocate_in_order(s, c, stream, nullptr, bytes, out); });
}
SIM_PER_THREAD(cuMemAllocAsync, _ptsz, (DevicePtr * out, size_t bytes, Stream* stream),
               (out, bytes, own_stream(stream)))

SIM_API Result cuMemAllocFromPoolAsync(DevicePtr* out, size_t bytes, Pool* pool, Stream* stream) {
    return with_context([&](State& s, Context& c) {
        return s.pools.has(pool) ? allocate_in_order(s, c, stream, pool, bytes, out) : kInvalidValue;
    });
}
SIM_PER_THREAD(cuMemAllocFromPoolAsync, _ptsz, (DevicePtr * out, size_t bytes, Pool* pool, Stream* stream),
               (out, bytes, pool, own_stream(stream)))

// Also frees memory from cuMemAlloc, as cuMemFree also frees memory from cuMemAllocAsync.
SIM_API Result cuMemFreeAsync(DevicePtr pointer, Stream* handle) {
    return with_context([&](State& s, Context& c) {
        Stream* stream = nullptr;
        if (Result error = resolve_stream(s, c, handle, stream)) return error;
        if (stream->capture) return capture_free(s, *stream, pointer);
        if (Result error = check_legacy_use(s, *stream)) return error;
        const auto found = s.blocks.find(pointer);
        if (found == s.blocks.end() || found->second.kind != BlockKind::kDevice) return kInvalidValue;
        return free_memory(s, found->second);
    });
}
SIM_PER_THREAD(cuMemFreeAsync, _ptsz, (DevicePtr pointer, Stream* stream), (pointer, own_stream(stream)))

// Does nothing, because graphs do not keep unallocated memory.
SIM_API Result cuDeviceGraphMemTrim(Device device) {
    return with_device(device, [](State&, DeviceState&) { return kSuccess; });
}

SIM_API Result cuDeviceGetGraphMemAttribute(Device device, int attribute, void* value) {
    return with_device(device, [&](State&, DeviceState& d) {
        auto* out = static_cast<uint64_t*>(value);
        switch (attribute) {
            case kGraphUsed:
            case kGraphReserved: return set_output(out, d.graph_used);
            case kGraphUsedHigh:
            case kGraphReservedHigh: return set_output(out, d.graph_used_high);
        }
        return kInvalidValue;
    });
}

// A program can only reset the high-water marks.
SIM_API Result cuDeviceSetGraphMemAttribute(Device device, int attribute, void* value) {
    return with_device(device, [&](State&, DeviceState& d) {
        const bool is_high_mark = attribute == kGraphUsedHigh || attribute == kGraphReservedHigh;
        if (!is_high_mark || !value || *static_cast<uint64_t*>(value)) return kInvalidValue;
        d.graph_used_high = d.graph_used;
        return kSuccess;
    });
}

}  // namespace cudafault::sim
