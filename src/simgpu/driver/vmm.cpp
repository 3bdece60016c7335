// SPDX-License-Identifier: Apache-2.0
// Implements virtual memory management. An address range is a mapping without access, physical memory is a memfd, and
// mapping uses mmap.
#include <fcntl.h>

#include <cstdio>
#include <cstring>

#include "simgpu/driver/memory.hpp"
#include "simgpu/driver/system.hpp"

namespace cudafault::sim {
namespace {

constexpr size_t kGranularity = size_t{2} << 20;
constexpr int kPinned = 1;
constexpr int kReadWrite = 3;
// Prefix of a memfd's name. The UUID of the device follows the prefix; an importing process reads it.
constexpr char kMemfdName[] = "cudafault-gpu-";

bool is_aligned(uint64_t value) { return value % kGranularity == 0; }

PhysicalMemory* physical_of(const State& s, uint64_t handle) {
    auto* physical = reinterpret_cast<PhysicalMemory*>(handle);
    return s.physicals.has(physical) && physical->handles ? physical : nullptr;
}

// Returns the device of the memory behind a descriptor, or -1 if the simulated driver did not create that memory.
int device_of_descriptor(const State& s, int fd) {
    char path[64], target[128];
    std::snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    const ssize_t length = readlink(path, target, sizeof target - 1);
    if (length <= 0) return -1;
    target[length] = '\0';
    const char* name = std::strstr(target, kMemfdName);
    if (!name) return -1;
    const std::string_view device = name + sizeof kMemfdName - 1;
    for (size_t i = 0; i < s.devices.size(); ++i) {
        if (device.starts_with(uuid_text(*s.devices[i].gpu))) return static_cast<int>(i);
    }
    return -1;
}

int create_memfd(const Gpu& gpu, size_t bytes) {
    const int fd = create_memory_file(std::string(kMemfdName).append(uuid_text(gpu)).c_str());
    if (fd >= 0 && ftruncate(fd, static_cast<off_t>(bytes)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

Result check_properties(const State& s, const AllocationProperties* p) {
    if (!p || p->type != kPinned) return kInvalidValue;
    if (p->location.type != kLocationDevice || (p->handle_types & ~kPosixFd)) return kNotSupported;
    return is_device(s, p->location.id) ? kSuccess : kInvalidDevice;
}

bool is_in_reservation(const State& s, uintptr_t base, size_t bytes) {
    auto next = s.reserved.upper_bound(base);
    if (next == s.reserved.begin()) return false;
    --next;
    return base + bytes <= next->first + next->second;
}

// Returns every mapping in the range, or an empty list if a part of the range is not mapped.
std::vector<Block*> mappings_in(State& s, uintptr_t base, size_t bytes) {
    std::vector<Block*> found;
    for (uintptr_t at = base; at < base + bytes;) {
        Block* block = find_block(s, at);
        if (!block || block->kind != BlockKind::kMapped || block->base != at || block->end() > base + bytes) return {};
        found.push_back(block);
        at = block->end();
    }
    return found;
}

int protection(int flags) {
    switch (flags) {
        case 1: return PROT_READ;
        case kReadWrite: return PROT_READ | PROT_WRITE;
    }
    return PROT_NONE;
}

}  // namespace

SIM_API Result cuMemGetAllocationGranularity(size_t* granularity, const AllocationProperties* properties, int option) {
    return with_driver([&](State& s) {
        if (option != 0 && option != 1) return kInvalidValue;
        const Result error = check_properties(s, properties);
        return error ? error : set_output(granularity, kGranularity);
    });
}

SIM_API Result cuMemAddressReserve(DevicePtr* out, size_t bytes, size_t alignment, DevicePtr, uint64_t flags) {
    return with_driver([&](State& s) {
        const bool power_of_two = (alignment & (alignment - 1)) == 0;
        if (!out || !bytes || !is_aligned(bytes) || flags || !power_of_two) return kInvalidValue;
        const size_t unit = std::max(alignment, kGranularity);
        // Reserve a larger range than requested, and trim it to the alignment.
        void* start = mmap(nullptr, bytes + unit, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (start == MAP_FAILED) return kOutOfMemory;
        const auto raw = reinterpret_cast<uintptr_t>(start);
        const uintptr_t base = (raw + unit - 1) / unit * unit;
        if (base > raw) munmap(start, base - raw);
        munmap(reinterpret_cast<void*>(base + bytes), raw + unit - base);
        s.reserved[base] = bytes;
        return set_output(out, base);
    });
}

SIM_API Result cuMemAddressFree(DevicePtr base, size_t bytes) {
    return with_driver([&](State& s) {
        const auto found = s.reserved.find(base);
        if (found == s.reserved.end() || found->second != bytes) return kInvalidValue;
        const auto block = s.blocks.lower_bound(base);
        if (block != s.blocks.end() && block->first < base + bytes) return kInvalidValue;
        munmap(reinterpret_cast<void*>(base), bytes);
        s.reserved.erase(found);
        return kSuccess;
    });
}

SIM_API Result cuMemCreate(uint64_t* handle, size_t bytes, const AllocationProperties* properties, uint64_t flags) {
    return with_driver([&](State& s) {
        if (Result error = check_properties(s, properties)) return error;
        if (!handle || !bytes || !is_aligned(bytes) || flags) return kInvalidValue;
        const int device = properties->location.id;
        if (Result error = charge(s, device, bytes)) return error;
        const int fd = create_memfd(*s.devices[device].gpu, bytes);
        if (fd < 0) {
            refund(s, device, bytes);
            return kOutOfMemory;
        }
        return set_output(
            handle, reinterpret_cast<uint64_t>(s.physicals.add(new PhysicalMemory{fd, bytes, *properties, true})));
    });
}

SIM_API Result cuMemRelease(uint64_t handle) {
    return with_driver([&](State& s) {
        PhysicalMemory* physical = physical_of(s, handle);
        if (!physical) return kInvalidValue;
        --physical->handles;
        release_reference(s, *physical);
        return kSuccess;
    });
}

SIM_API Result cuMemMap(DevicePtr base, size_t bytes, size_t offset, uint64_t handle, uint64_t flags) {
    return with_driver([&](State& s) {
        PhysicalMemory* physical = physical_of(s, handle);
        if (!physical || flags || !bytes || !is_aligned(base) || !is_aligned(bytes) || !is_aligned(offset))
            return kInvalidValue;
        if (offset > physical->bytes || bytes > physical->bytes - offset) return kInvalidValue;
        if (!is_in_reservation(s, base, bytes) || is_overlapping_block(s, base, bytes)) return kInvalidValue;
        void* start = reinterpret_cast<void*>(base);
        void* mapped = mmap(start, bytes, PROT_NONE, MAP_SHARED | MAP_FIXED, physical->fd, static_cast<off_t>(offset));
        if (mapped == MAP_FAILED) return kOutOfMemory;
        ++physical->mappings;
        const int device = physical->properties.location.id;
        insert_block(s, {.base = base,
                         .bytes = bytes,
                         .kind = BlockKind::kMapped,
                         .device = device,
                         .context = s.devices[device].primary,
                         .id = 0,
                         .physical = physical,
                         .accessible = false});
        return kSuccess;
    });
}

SIM_API Result cuMemUnmap(DevicePtr base, size_t bytes) {
    return with_driver([&](State& s) {
        const std::vector<Block*> blocks = mappings_in(s, base, bytes);
        if (blocks.empty()) return kInvalidValue;
        for (Block* block : blocks) release(s, *block);
        return kSuccess;
    });
}

// Access for any device makes the memory accessible, because the same host processor simulates all devices.
SIM_API Result cuMemSetAccess(DevicePtr base, size_t bytes, const MemAccess* access, size_t count) {
    return with_driver([&](State& s) {
        const std::vector<Block*> blocks = mappings_in(s, base, bytes);
        if (blocks.empty() || !access || !count) return kInvalidValue;
        int flags = 0;
        for (size_t i = 0; i < count; ++i) {
            if (access[i].flags != 0 && access[i].flags != 1 && access[i].flags != kReadWrite) return kInvalidValue;
            const bool host = access[i].location.type != kLocationDevice;
            if (!host && !is_device(s, access[i].location.id)) return kInvalidDevice;
            flags |= access[i].flags;
        }
        if (mprotect(reinterpret_cast<void*>(base), bytes, protection(flags)) != 0) return kOperatingSystem;
        for (Block* block : blocks) {
            block->accessible = flags != 0;
            block->flags = static_cast<unsigned>(flags);
        }
        return kSuccess;
    });
}

SIM_API Result cuMemGetAccess(uint64_t* flags, const MemLocation* location, DevicePtr pointer) {
    return with_driver([&](State& s) {
        const Block* block = find_block(s, pointer);
        if (!block || block->kind != BlockKind::kMapped || !location) return kInvalidValue;
        return set_output(flags, block->flags);
    });
}

SIM_API Result cuMemGetAllocationPropertiesFromHandle(AllocationProperties* properties, uint64_t handle) {
    return with_driver([&](State& s) {
        const PhysicalMemory* physical = physical_of(s, handle);
        return physical ? set_output(properties, physical->properties) : kInvalidValue;
    });
}

SIM_API Result cuMemRetainAllocationHandle(uint64_t* handle, void* address) {
    return with_driver([&](State& s) {
        Block* block = find_block(s, reinterpret_cast<uintptr_t>(address));
        if (!handle || !block || !block->physical) return kInvalidValue;
        ++block->physical->handles;
        return set_output(handle, reinterpret_cast<uint64_t>(block->physical));
    });
}

SIM_API Result cuMemExportToShareableHandle(void* out, uint64_t handle, int type, uint64_t flags) {
    return with_driver([&](State& s) {
        const PhysicalMemory* physical = physical_of(s, handle);
        if (!physical || !out || flags) return kInvalidValue;
        if (type != kPosixFd) return kNotSupported;
        if (!(physical->properties.handle_types & kPosixFd)) return kInvalidValue;
        const int fd = fcntl(physical->fd, F_DUPFD_CLOEXEC, 0);
        return fd < 0 ? kOperatingSystem : set_output(static_cast<int*>(out), fd);
    });
}

// The memory is charged only in the process that created it.
SIM_API Result cuMemImportFromShareableHandle(uint64_t* handle, void* os_handle, int type) {
    return with_driver([&](State& s) {
        if (type != kPosixFd) return kNotSupported;
        const int source_fd = static_cast<int>(reinterpret_cast<intptr_t>(os_handle));
        struct stat status;
        const int device = device_of_descriptor(s, source_fd);
        if (!handle || device < 0 || !get_status(source_fd, status)) return kInvalidValue;
        const int fd = fcntl(source_fd, F_DUPFD_CLOEXEC, 0);
        if (fd < 0) return kOperatingSystem;
        const AllocationProperties properties{kPinned, kPosixFd, {kLocationDevice, device}, nullptr, {}};
        auto* physical = new PhysicalMemory{fd, static_cast<size_t>(status.st_size), properties, false};
        return set_output(handle, reinterpret_cast<uint64_t>(s.physicals.add(physical)));
    });
}

}  // namespace cudafault::sim
