// SPDX-License-Identifier: Apache-2.0
// Implements allocation of device, host and managed memory, and pointer attributes.
#include "simgpu/driver/memory.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

#include "simgpu/driver/capture.hpp"
#include "simgpu/driver/graph_memory.hpp"

namespace cudafault::sim {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kPitch = 512;

constexpr unsigned kHostDeviceMap = 2, kHostKnownFlags = 7;
constexpr unsigned kRegisterKnownFlags = 15, kRegisterIoMemory = 4;
constexpr unsigned kAttachGlobal = 1, kAttachHost = 2;

size_t round_up(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

DevicePtr pointer_of(const Block& block) { return block.base; }

bool owns_pages(const Block& block) { return block.kind != BlockKind::kRegistered; }

// Unmaps a block. Pages of a reserved range stay reserved.
void unmap(State& s, Block& block) {
    void* start = reinterpret_cast<void*>(block.base);
    if (block.kind == BlockKind::kMapped) {
        // If the kernel is out of memory, the old pages stay mapped. The range is reserved in either case.
        static_cast<void>(
            mmap(start, block.bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0));
        --block.physical->mappings;
        release_reference(s, *block.physical);
    } else {
        munmap(start, round_up(block.bytes, kPage));
    }
}

Result free_block(DevicePtr pointer, std::initializer_list<BlockKind> kinds) {
    return with_driver([&](State& s) {
        if (!pointer) return kSuccess;
        if (Result error = check_unsafe_call(s)) return error;
        const auto found = s.blocks.find(pointer);
        if (found == s.blocks.end()) return kInvalidValue;
        if (std::find(kinds.begin(), kinds.end(), found->second.kind) == kinds.end()) return kInvalidValue;
        return free_memory(s, found->second);
    });
}

Result allocate_pointer(DevicePtr* out, size_t bytes, BlockKind kind) {
    return with_context([&](State& s, Context& c) {
        if (!out || !bytes) return kInvalidValue;
        if (Result error = check_unsafe_call(s)) return error;
        Block* block = nullptr;
        if (Result error = allocate(s, c, bytes, kind, block)) return error;
        return set_output(out, pointer_of(*block));
    });
}

template <typename Value>
Result write_value(void* out, Value value) {
    *static_cast<Value*>(out) = value;
    return kSuccess;
}

// Values of CUpointer_attribute
enum PointerAttribute {
    kContext = 1,
    kMemoryType,
    kDevicePointer,
    kHostPointer,
    kP2PTokens,
    kSyncMemops,
    kBufferId,
    kIsManaged,
    kDeviceOrdinal,
    kIsLegacyIpcCapable,
    kRangeStart,
    kRangeSize,
    kMapped,
    kAllowedHandleTypes,
    kIsRdmaCapable,
    kAccessFlags,
    kPool,
    kMappingSize,
    kMappingBase,
    kMemoryBlockId,
};

bool is_in_host_memory(const Block& block) {
    return block.kind == BlockKind::kHost || block.kind == BlockKind::kRegistered;
}

Result pointer_attribute(const Block& block, int attribute, uintptr_t pointer, void* out) {
    const bool host = is_in_host_memory(block), managed = block.kind == BlockKind::kManaged;
    switch (attribute) {
        case kContext: return write_value<Context*>(out, block.pool || managed ? nullptr : block.context);
        case kMemoryType: return write_value<unsigned>(out, host ? kHostMemory : kDeviceMemory);
        case kDevicePointer: return write_value<DevicePtr>(out, pointer);
        case kHostPointer: return host || managed ? write_value<DevicePtr>(out, pointer) : kInvalidValue;
        case kSyncMemops: return write_value<unsigned>(out, block.sync_memops);
        case kBufferId: return write_value<uint64_t>(out, block.id);
        case kIsManaged: return write_value<unsigned>(out, managed);
        case kDeviceOrdinal: return write_value<int>(out, block.device);
        case kIsLegacyIpcCapable: return write_value<int>(out, block.kind == BlockKind::kDevice && !block.pool);
        case kRangeStart: return write_value<DevicePtr>(out, block.base);
        case kRangeSize: return write_value<size_t>(out, block.bytes);
        case kMapped: return write_value<int>(out, block.accessible);
        case kAllowedHandleTypes:
            return write_value<uint64_t>(out, block.physical ? block.physical->properties.handle_types : 0);
        case kIsRdmaCapable: return write_value<int>(out, 0);
        case kAccessFlags: return write_value<int>(out, 3);
        case kPool: return write_value<Pool*>(out, block.pool);
        case kMappingSize: return write_value<size_t>(out, block.bytes);
        case kMappingBase: return write_value<DevicePtr>(out, block.base);
        case kMemoryBlockId: return write_value<uint64_t>(out, block.id);
    }
    return kInvalidValue;
}

// Writes an attribute of a pointer to untracked memory: -2 for the device ordinal, 0 for all other attributes.
Result untracked_pointer_attribute(int attribute, void* out) {
    constexpr int kNoOrdinal = -2;
    switch (attribute) {
        case kDeviceOrdinal: return write_value<int>(out, kNoOrdinal);
        case kContext:
        case kDevicePointer:
        case kHostPointer:
        case kBufferId:
        case kRangeStart:
        case kRangeSize:
        case kAllowedHandleTypes:
        case kPool:
        case kMappingSize:
        case kMappingBase:
        case kMemoryBlockId: return write_value<uint64_t>(out, 0);
        case kMemoryType:
        case kSyncMemops:
        case kIsManaged:
        case kIsLegacyIpcCapable:
        case kMapped:
        case kIsRdmaCapable:
        case kAccessFlags: return write_value<int>(out, 0);
    }
    return kInvalidValue;
}

template <typename Body>
Result with_block(DevicePtr pointer, Body body) {
    return with_driver([&](State& s) {
        Block* block = find_block(s, pointer);
        return block ? body(s, *block) : kInvalidValue;
    });
}

}  // namespace

Block& insert_block(State& s, Block block) {
    block.id = s.next_id++;
    return s.blocks.insert_or_assign(block.base, block).first->second;
}

bool is_overlapping_block(const State& s, uintptr_t base, size_t bytes) {
    auto next = s.blocks.lower_bound(base);
    if (next != s.blocks.end() && next->first < base + bytes) return true;
    return next != s.blocks.begin() && std::prev(next)->second.end() > base;
}

void release_reference(State& s, PhysicalMemory& physical) {
    if (physical.handles || physical.mappings) return;
    if (physical.charged) refund(s, physical.properties.location.id, physical.bytes);
    close(physical.fd);
    s.physicals.remove(&physical);
}

Result charge(State& s, int device, uint64_t bytes) {
    DeviceState& d = s.devices[device];
    if (bytes > d.gpu->usable_bytes() - d.used) return kOutOfMemory;
    d.used += bytes;
    return kSuccess;
}

void refund(State& s, int device, uint64_t bytes) { s.devices[device].used -= bytes; }

size_t whole_pages(size_t bytes) { return round_up(bytes, kPage); }

Result map_block(State& s, Context& context, size_t bytes, BlockKind kind, Block*& block) {
    constexpr size_t kMaxBytes = size_t{1} << 46;
    if (bytes > kMaxBytes) return kOutOfMemory;
    void* start =
        mmap(nullptr, whole_pages(bytes), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (start == MAP_FAILED) return kOutOfMemory;
    block = &insert_block(s, {.base = reinterpret_cast<uintptr_t>(start),
                              .bytes = bytes,
                              .kind = kind,
                              .device = context.device,
                              .context = &context,
                              .id = 0});
    return kSuccess;
}

Result allocate(State& s, Context& context, size_t bytes, BlockKind kind, Block*& block) {
    if (Result error = map_block(s, context, bytes, kind, block)) return error;
    if (kind != BlockKind::kDevice) return kSuccess;
    if (Result error = charge(s, context.device, whole_pages(bytes))) {
        release(s, *block);
        return error;
    }
    block->charged = whole_pages(bytes);
    return kSuccess;
}

Result free_memory(State& s, Block& block) {
    if (!block.live) return kInvalidValue;
    if (block.is_graph_memory) {
        free_graph_memory(s, block);
    } else {
        release(s, block);
    }
    return kSuccess;
}

void release(State& s, Block& block) {
    refund(s, block.device, block.charged);
    if (block.pool) block.pool->used -= block.charged;
    if (block.ipc_fd >= 0) close(block.ipc_fd);
    if (owns_pages(block)) unmap(s, block);
    s.blocks.erase(block.base);
}

// Keeps mapped memory and memory of a pool or a graph, which do not belong to a context.
void release_blocks_of(State& s, const Context& context) {
    for (auto at = s.blocks.begin(); at != s.blocks.end();) {
        Block& block = (at++)->second;
        const bool kept = block.kind == BlockKind::kMapped || block.pool || block.is_graph_memory;
        if (block.context == &context && !kept) release(s, block);
    }
}

Block* find_block(State& s, uintptr_t address) {
    auto next = s.blocks.upper_bound(address);
    if (next == s.blocks.begin()) return nullptr;
    Block& block = std::prev(next)->second;
    return address < block.end() ? &block : nullptr;
}

bool is_accessible(State& s, const void* start, size_t bytes, bool tracked_only) {
    auto at = reinterpret_cast<uintptr_t>(start);
    if (!at || at + bytes < at) return false;
    const uintptr_t end = at + bytes;
    const Block* block = find_block(s, at);
    if (!block) return !tracked_only && !is_overlapping_block(s, at, bytes);
    const bool can_span_blocks = block->kind == BlockKind::kMapped || block->kind == BlockKind::kRegistered;
    for (; block && block->accessible && block->end() < end; block = find_block(s, block->end())) {
        if (!can_span_blocks) return false;
    }
    if (!block) return !tracked_only && can_span_blocks;
    return block->accessible;
}

SIM_API Result cuMemGetInfo_v2(size_t* free, size_t* total) {
    return with_context([&](State& s, Context& c) {
        if (!free || !total) return kInvalidValue;
        const DeviceState& d = s.devices[c.device];
        *total = d.gpu->usable_bytes();
        *free = *total - d.used;
        return kSuccess;
    });
}

SIM_API Result cuMemAlloc_v2(DevicePtr* pointer, size_t bytes) {
    return allocate_pointer(pointer, bytes, BlockKind::kDevice);
}

SIM_API Result cuMemAllocPitch_v2(DevicePtr* pointer, size_t* pitch, size_t width, size_t height, unsigned element) {
    if (!pitch || !width || !height || (element != 4 && element != 8 && element != 16)) return kInvalidValue;
    const size_t row = round_up(width, kPitch);
    if (row < width || row > SIZE_MAX / height) return kOutOfMemory;
    if (Result error = allocate_pointer(pointer, row * height, BlockKind::kDevice)) return error;
    return set_output(pitch, row);
}

SIM_API Result cuMemAllocManaged(DevicePtr* pointer, size_t bytes, unsigned flags) {
    if (flags != kAttachGlobal && flags != kAttachHost) return kInvalidValue;
    return allocate_pointer(pointer, bytes, BlockKind::kManaged);
}

SIM_API Result cuMemFree_v2(DevicePtr pointer) {
    return free_block(pointer, {BlockKind::kDevice, BlockKind::kManaged});
}

SIM_API Result cuMemHostAlloc(void** out, size_t bytes, unsigned flags) {
    return with_context([&](State& s, Context& c) {
        if (!out || !bytes || (flags & ~kHostKnownFlags)) return kInvalidValue;
        if (Result error = check_unsafe_call(s)) return error;
        Block* block = nullptr;
        if (Result error = allocate(s, c, bytes, BlockKind::kHost, block)) return error;
        block->flags = flags | kHostDeviceMap;  // with unified addressing, all host memory is mapped
        *out = reinterpret_cast<void*>(block->base);
        return kSuccess;
    });
}

SIM_API Result cuMemAllocHost_v2(void** out, size_t bytes) { return cuMemHostAlloc(out, bytes, 0); }
SIM_ALIAS(cuMemAllocHost, cuMemAllocHost_v2, (void** out, size_t bytes), (out, bytes))

SIM_API Result cuMemFreeHost(void* pointer) {
    return free_block(reinterpret_cast<uintptr_t>(pointer), {BlockKind::kHost});
}

SIM_API Result cuMemHostRegister_v2(void* pointer, size_t bytes, unsigned flags) {
    return with_context([&](State& s, Context& c) {
        if (!pointer || !bytes || (flags & ~kRegisterKnownFlags)) return kInvalidValue;
        if (flags & kRegisterIoMemory) return kNotSupported;
        if (Result error = check_unsafe_call(s)) return error;
        const auto base = reinterpret_cast<uintptr_t>(pointer);
        if (is_overlapping_block(s, base, bytes)) return kHostMemoryAlreadyRegistered;
        insert_block(s, {.base = base,
                         .bytes = bytes,
                         .kind = BlockKind::kRegistered,
                         .device = c.device,
                         .context = &c,
                         .id = 0,
                         .flags = flags | kHostDeviceMap});
        return kSuccess;
    });
}
SIM_ALIAS(cuMemHostRegister, cuMemHostRegister_v2, (void* pointer, size_t bytes, unsigned flags),
          (pointer, bytes, flags))

SIM_API Result cuMemHostUnregister(void* pointer) {
    if (!pointer) return kInvalidValue;
    const Result error = free_block(reinterpret_cast<uintptr_t>(pointer), {BlockKind::kRegistered});
    return error == kInvalidValue ? kHostMemoryNotRegistered : error;
}

SIM_API Result cuMemHostGetDevicePointer_v2(DevicePtr* device, void* host, unsigned flags) {
    return with_block(reinterpret_cast<uintptr_t>(host), [&](State&, Block& block) {
        return flags || !is_in_host_memory(block) ? kInvalidValue
                                                  : set_output(device, reinterpret_cast<uintptr_t>(host));
    });
}

SIM_API Result cuMemHostGetFlags(unsigned* flags, void* host) {
    return with_block(reinterpret_cast<uintptr_t>(host), [&](State&, Block& block) {
        return is_in_host_memory(block) ? set_output(flags, block.flags) : kInvalidValue;
    });
}

SIM_API Result cuMemGetAddressRange_v2(DevicePtr* base, size_t* bytes, DevicePtr pointer) {
    return with_driver([&](State& s) {
        const Block* block = find_block(s, pointer);
        if (!block) return kNotFound;
        if (base) *base = block->base;
        if (bytes) *bytes = block->bytes;
        return kSuccess;
    });
}

SIM_API Result cuPointerGetAttribute(void* out, int attribute, DevicePtr pointer) {
    return with_block(pointer, [&](State&, Block& block) {
        return out ? pointer_attribute(block, attribute, pointer, out) : kInvalidValue;
    });
}

// Succeeds for any pointer. An attribute that does not apply is 0.
SIM_API Result cuPointerGetAttributes(unsigned count, int* attributes, void** values, DevicePtr pointer) {
    return with_driver([&](State& s) {
        if (!count || !attributes || !values) return kInvalidValue;
        const Block* block = find_block(s, pointer);
        for (unsigned i = 0; i < count; ++i) {
            if (untracked_pointer_attribute(attributes[i], values[i])) return kInvalidValue;
            if (block) pointer_attribute(*block, attributes[i], pointer, values[i]);
        }
        return kSuccess;
    });
}

SIM_API Result cuPointerSetAttribute(const void* value, int attribute, DevicePtr pointer) {
    return with_block(pointer, [&](State&, Block& block) {
        if (!value || attribute != kSyncMemops) return kInvalidValue;
        block.sync_memops = *static_cast<const unsigned*>(value) != 0;
        return kSuccess;
    });
}

}  // namespace cudafault::sim
