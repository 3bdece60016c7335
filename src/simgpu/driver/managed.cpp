// SPDX-License-Identifier: Apache-2.0
// Implements advice and prefetching of managed memory. The driver only stores them, because a program can query them.
#include <algorithm>
#include <cstring>

#include "simgpu/driver/memory.hpp"
#include "simgpu/driver/stream.hpp"

namespace cudafault::sim {
namespace {

constexpr int kHostDevice = -1, kNoDevice = -2;  // device numbers of older functions: the host, and no device

// Values of CUmem_advise
enum Advice { kSetReadMostly = 1, kUnsetReadMostly, kSetPreferred, kUnsetPreferred, kSetAccessedBy, kUnsetAccessedBy };

// Values of CUmem_range_attribute
enum RangeAttribute {
    kReadMostly = 1,
    kPreferred,
    kAccessedBy,
    kPrefetched,
    kPreferredType,
    kPreferredId,
    kPrefetchedType,
    kPrefetchedId,
};

MemLocation location_of(Device device) {
    return device == kHostDevice ? MemLocation{kLocationHost, 0} : MemLocation{kLocationDevice, device};
}

int number_of(const MemLocation& location) {
    if (!location.type) return kNoDevice;
    return location.type == kLocationDevice ? location.id : kHostDevice;
}

Result check_location(const State& s, const MemLocation& location) {
    if (location.type == kLocationDevice) return is_device(s, location.id) ? kSuccess : kInvalidDevice;
    return location.type >= kLocationHost && location.type <= kLocationHostNumaCurrent ? kSuccess : kInvalidValue;
}

template <typename Body>
Result with_managed(DevicePtr pointer, size_t bytes, Body body) {
    return with_context([&](State& s, Context& c) -> Result {
        Block* block = find_block(s, pointer);
        if (!bytes || !block || block->kind != BlockKind::kManaged || pointer + bytes > block->end()) {
            return kInvalidValue;
        }
        return body(s, c, *block);
    });
}

Result advise(Block& block, int advice, const MemLocation& location) {
    switch (advice) {
        case kSetReadMostly: block.read_mostly = true; return kSuccess;
        case kUnsetReadMostly: block.read_mostly = false; return kSuccess;
        case kSetPreferred: block.preferred = location; return kSuccess;
        case kUnsetPreferred: block.preferred = {}; return kSuccess;
        case kSetAccessedBy:
        case kUnsetAccessedBy: return kSuccess;  // every device can always access the memory
    }
    return kInvalidValue;
}

Result range_attribute(const Block& block, int attribute, void* data, size_t size) {
    if (!data || size < sizeof(int) || size % sizeof(int)) return kInvalidValue;
    auto* numbers = static_cast<int*>(data);
    if (attribute == kAccessedBy) {
        std::fill_n(numbers, size / sizeof(int), kNoDevice);
        return kSuccess;
    }
    if (size != sizeof(int)) return kInvalidValue;
    switch (attribute) {
        case kReadMostly: return set_output(numbers, block.read_mostly);
        case kPreferred: return set_output(numbers, number_of(block.preferred));
        case kPrefetched: return set_output(numbers, number_of(block.prefetched));
        case kPreferredType: return set_output(numbers, block.preferred.type);
        case kPreferredId: return set_output(numbers, block.preferred.id);
        case kPrefetchedType: return set_output(numbers, block.prefetched.type);
        case kPrefetchedId: return set_output(numbers, block.prefetched.id);
    }
    return kInvalidValue;
}

}  // namespace

SIM_API Result cuMemAdvise_v2(DevicePtr pointer, size_t bytes, int advice, MemLocation location) {
    return with_managed(pointer, bytes, [&](State& s, Context&, Block& block) {
        const bool uses_location = advice >= kSetPreferred && advice != kUnsetPreferred;
        if (uses_location) {
            if (Result error = check_location(s, location)) return error;
        }
        return advise(block, advice, location);
    });
}
SIM_ALIAS(cuMemAdvise, cuMemAdvise_v2, (DevicePtr pointer, size_t bytes, int advice, Device device),
          (pointer, bytes, advice, location_of(device)))

SIM_API Result cuMemPrefetchAsync_v2(DevicePtr pointer, size_t bytes, MemLocation location, unsigned flags,
                                     Stream* stream) {
    return with_managed(pointer, bytes, [&](State& s, Context& c, Block& block) {
        Stream* resolved = nullptr;
        if (flags) return kInvalidValue;
        if (Result error = check_location(s, location)) return error;
        if (Result error = resolve_stream(s, c, stream, resolved)) return error;
        block.prefetched = location;
        return kSuccess;
    });
}
SIM_PER_THREAD(cuMemPrefetchAsync_v2, _ptsz,
               (DevicePtr pointer, size_t bytes, MemLocation location, unsigned flags, Stream* stream),
               (pointer, bytes, location, flags, own_stream(stream)))
SIM_ALIAS(cuMemPrefetchAsync, cuMemPrefetchAsync_v2, (DevicePtr pointer, size_t bytes, Device device, Stream* stream),
          (pointer, bytes, location_of(device), 0, stream))
SIM_PER_THREAD(cuMemPrefetchAsync, _ptsz, (DevicePtr pointer, size_t bytes, Device device, Stream* stream),
               (pointer, bytes, device, own_stream(stream)))

SIM_API Result cuMemRangeGetAttribute(void* data, size_t size, int attribute, DevicePtr pointer, size_t bytes) {
    return with_managed(pointer, bytes,
                        [&](State&, Context&, Block& block) { return range_attribute(block, attribute, data, size); });
}

SIM_API Result cuMemRangeGetAttributes(void** data, size_t* sizes, int* attributes, size_t count, DevicePtr pointer,
                                       size_t bytes) {
    return with_managed(pointer, bytes, [&](State&, Context&, Block& block) {
        if (!data || !sizes || !attributes || !count) return kInvalidValue;
        for (size_t i = 0; i < count; ++i) {
            if (Result error = range_attribute(block, attributes[i], data[i], sizes[i])) return error;
        }
        return kSuccess;
    });
}

}  // namespace cudafault::sim
