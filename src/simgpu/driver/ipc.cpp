// SPDX-License-Identifier: Apache-2.0
// Implements access to memory and events of other processes. A handle contains the pid of the exporting process and one
// of its descriptors. The importer opens the descriptor through /proc, which the kernel permits for processes of the
// same user.
#include <fcntl.h>

#include <cstdio>
#include <cstring>

#include "simgpu/driver/memory.hpp"
#include "simgpu/driver/system.hpp"

namespace cudafault::sim {
namespace {

constexpr uint64_t kMemoryMagic = 0x6d656d5f67707563, kEventMagic = 0x6576745f67707563;
constexpr unsigned kDisableTiming = 2, kInterprocess = 4;

// The content of the 64-byte handle.
struct HandleContent {
    uint64_t magic;
    int pid, fd;
    Uuid gpu;
    uint64_t inode, bytes, offset;
};
static_assert(sizeof(HandleContent) <= sizeof(IpcHandle));

void write_content(IpcHandle& handle, const HandleContent& content) {
    handle = {};
    std::memcpy(handle.bytes, &content, sizeof content);
}

bool read_content(const IpcHandle& handle, uint64_t magic, HandleContent& content) {
    std::memcpy(&content, handle.bytes, sizeof content);
    return content.magic == magic;
}

uint64_t inode_of(int fd) {
    struct stat status;
    return get_status(fd, status) ? status.st_ino : 0;
}

// Replaces private memory with a shared file at the same address. Writes by other threads during the replacement are
// lost; this is acceptable, because programs share memory before they use it.
Result share(Block& block) {
    if (block.ipc_fd >= 0) return kSuccess;
    const size_t pages = block.charged;
    const int fd = create_memory_file("cudafault-ipc");
    if (fd < 0) return kOutOfMemory;
    void* start = reinterpret_cast<void*>(block.base);
    void* copy = ftruncate(fd, static_cast<off_t>(pages)) == 0
                     ? mmap(nullptr, pages, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
                     : MAP_FAILED;
    if (copy == MAP_FAILED) {
        close(fd);
        return kOutOfMemory;
    }
    std::memcpy(copy, start, block.bytes);
    munmap(copy, pages);
    if (mmap(start, pages, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED) {
        close(fd);
        return kOutOfMemory;
    }
    block.ipc_fd = fd;
    return kSuccess;
}

// Opens the exporter's descriptor. Returns -1 if the descriptor does not refer to the file of the handle.
int open_exported(const HandleContent& content) {
    char path[64];
    std::snprintf(path, sizeof path, "/proc/%d/fd/%d", content.pid, content.fd);
    const int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd >= 0 && inode_of(fd) != content.inode) {
        close(fd);
        return -1;
    }
    return fd;
}

int device_of_gpu(const State& s, const Uuid& gpu) {
    for (size_t i = 0; i < s.devices.size(); ++i) {
        if (std::memcmp(&s.devices[i].gpu->uuid, &gpu, sizeof gpu) == 0) return static_cast<int>(i);
    }
    return -1;
}

Result map_exported(State& s, Context& context, const HandleContent& content, DevicePtr* out) {
    const int device = device_of_gpu(s, content.gpu);
    if (device < 0) return kInvalidDevice;
    const int fd = open_exported(content);
    if (fd < 0) return kInvalidHandle;
    void* start = mmap(nullptr, content.bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (start == MAP_FAILED) return kOutOfMemory;
    insert_block(s, {.base = reinterpret_cast<uintptr_t>(start),
                     .bytes = content.bytes,
                     .kind = BlockKind::kIpc,
                     .device = device,
                     .context = &context,
                     .id = 0});
    return set_output(out, reinterpret_cast<uintptr_t>(start));
}

}  // namespace

SIM_API Result cuIpcGetMemHandle(IpcHandle* handle, DevicePtr pointer) {
    return with_driver([&](State& s) {
        Block* block = find_block(s, pointer);
        if (!handle || !block || block->kind != BlockKind::kDevice || block->pool) return kInvalidValue;
        if (Result error = share(*block)) return error;
        write_content(*handle, {kMemoryMagic, getpid(), block->ipc_fd, s.devices[block->device].gpu->uuid,
                                inode_of(block->ipc_fd), block->charged, 0});
        return kSuccess;
    });
}

SIM_API Result cuIpcOpenMemHandle_v2(DevicePtr* out, IpcHandle handle, unsigned flags) {
    constexpr unsigned kLazyEnablePeerAccess = 1;
    return with_context([&](State& s, Context& c) {
        HandleContent content;
        if (!out || flags != kLazyEnablePeerAccess || !read_content(handle, kMemoryMagic, content))
            return kInvalidValue;
        if (content.pid == getpid()) return kInvalidContext;  // as with a real driver
        return map_exported(s, c, content, out);
    });
}
SIM_ALIAS(cuIpcOpenMemHandle, cuIpcOpenMemHandle_v2, (DevicePtr * out, IpcHandle handle, unsigned flags),
          (out, handle, flags))

SIM_API Result cuIpcCloseMemHandle(DevicePtr pointer) {
    return with_driver([&](State& s) {
        const auto found = s.blocks.find(pointer);
        if (found == s.blocks.end() || found->second.kind != BlockKind::kIpc) return kInvalidValue;
        release(s, found->second);
        return kSuccess;
    });
}

// Work runs in the call that submits it, so an event of another process is always complete. The handle does not have to
// identify the event.
SIM_API Result cuIpcGetEventHandle(IpcHandle* handle, Event* event) {
    return with_driver([&](State& s) {
        if (!s.events.has(event)) return kInvalidHandle;
        if (!handle || !(event->flags & kInterprocess)) return kInvalidValue;
        write_content(*handle, {kEventMagic, getpid(), -1, s.devices[event->context->device].gpu->uuid, 0, 0, 0});
        return kSuccess;
    });
}

SIM_API Result cuIpcOpenEventHandle(Event** out, IpcHandle handle) {
    return with_context([&](State& s, Context& c) {
        HandleContent content;
        if (!out || !read_content(handle, kEventMagic, content)) return kInvalidValue;
        return set_output(out, s.events.add(new Event{&c, kDisableTiming | kInterprocess}));
    });
}

}  // namespace cudafault::sim
