// SPDX-License-Identifier: Apache-2.0
#include "preload/decide/gpus.hpp"

#include <fcntl.h>
#include <string.h>

#include "fault/atomics.hpp"
#include "fault/text_builder.hpp"
#include "fault/values.hpp"
#include "fault/words.hpp"
#include "os/system_call.hpp"
#include "preload/process/environment.hpp"
#include "preload/process/state.hpp"
#include "preload/process/thread.hpp"
#include "preload/resolve/function_rows.hpp"
#include "preload/resolve/real.hpp"

namespace cudafault {

namespace {

constexpr int kPciDomain = 50, kPciBus = 33, kPciDevice = 34;  // CUdevice_attribute
constexpr int kMemoryType = 2, kDeviceOrdinal = 9;             // CUpointer_attribute
constexpr int kDeviceMemory = 2;                               // CUmemorytype
constexpr size_t kLocationInProperties = 8;  // CUmemAllocationProp, CUmemPoolProps, CUDA_MEM_ALLOC_NODE_PARAMS
constexpr uint64_t kLastSpecialStream = 2;   // 0, 1 and 2 denote the current context's default streams

using Handle = uint64_t;

// Calls the real function of a row and returns its status, or -1 if no loaded library defines the function.
template <typename... Arguments>
int query_row(int row, Arguments... arguments) {
    const void* real = row < 0 ? nullptr : real_function(row);
    if (!real) return -1;
    this_thread.querying = true;
    const int status = reinterpret_cast<int (*)(Arguments...)>(const_cast<void*>(real))(arguments...);
    this_thread.querying = false;
    return status;
}

template <typename... Arguments>
int query(Text name, Arguments... arguments) {
    return query_row(find_function(name), arguments...);
}

int current_gpu() {
    int ordinal = kNoGpu;
    return query("cuCtxGetDevice", &ordinal) == 0 ? ordinal : kNoGpu;
}

int gpu_of_context(Handle context) {
    if (query("cuCtxPushCurrent_v2", context) != 0) return kNoGpu;
    const int ordinal = current_gpu();
    Handle popped;
    query("cuCtxPopCurrent_v2", &popped);
    return ordinal;
}

int gpu_of_stream(Handle stream) {
    Handle context = 0;
    if (stream <= kLastSpecialStream || query("cuStreamGetCtx", stream, &context) != 0) return kNoGpu;
    return gpu_of_context(context);
}

int gpu_of_pointer(Handle pointer) {
    int ordinal = kNoGpu;
    return query("cuPointerGetAttribute", &ordinal, kDeviceOrdinal, pointer) == 0 ? ordinal : kNoGpu;
}

// Returns the GPU of the destination, or of the source if the destination is not device memory, as in a copy to the
// host.
int gpu_of_copy(Handle destination, Handle source) {
    const Handle pointers[] = {destination, source};
    for (const Handle pointer : pointers) {
        int type = 0;
        if (query("cuPointerGetAttribute", &type, kMemoryType, pointer) == 0 && type == kDeviceMemory) {
            return gpu_of_pointer(pointer);
        }
    }
    return kNoGpu;
}

struct Location {  // CUmemLocation, cudaMemLocation
    enum Type : int { device = 1, locality_domain = 6 };
    int type, id;  // for a locality domain, the ordinal is the lowest byte of id
};
static_assert(sizeof(Location) == sizeof(Handle));

int gpu_of_location(Handle value) {
    Location location;
    memcpy(&location, &value, sizeof location);
    if (location.type == Location::locality_domain) return location.id & 0xff;
    return location.type == Location::device ? location.id : kNoGpu;
}

// Reading through a pointer that is not null is safe, because the driver reads the same bytes.
int gpu_of_location_at(Handle structure, size_t offset) {
    if (!structure) return kNoGpu;
    Handle value;
    memcpy(&value, reinterpret_cast<const char*>(structure) + offset, sizeof value);
    return gpu_of_location(value);
}

int gpu_of_thread(int row) {
    const Function& function = kFunctions[row];
    int ordinal = kNoGpu;
    if (function.api == Api::runtime) {
        const int get_device = runtime_row(find_function("cudaGetDevice"), Text(kRuntimeSonames[function.soname]));
        if (query_row(get_device, &ordinal) == 0) return ordinal;
    }
    return current_gpu();
}

int gpu_of_argument(int row, const Frame& frame) {
    const Function& function = kFunctions[row];
    if (function.device == DeviceFrom::copy) {
        return gpu_of_copy(argument(frame, function.slot & 15), argument(frame, function.slot >> 4));
    }
    const Handle value = argument(frame, function.slot);
    switch (function.device) {
        case DeviceFrom::context: return gpu_of_context(value);
        case DeviceFrom::stream: return gpu_of_stream(value);
        case DeviceFrom::pointer: return gpu_of_pointer(value);
        case DeviceFrom::location: return gpu_of_location_at(value, 0);
        case DeviceFrom::location_value: return gpu_of_location(value);
        case DeviceFrom::properties: return gpu_of_location_at(value, kLocationInProperties);
        default: return gpu_argument(row, frame);  // CUDA has no function that returns the context of an event
    }
}

// Calls the real function of a lookup such as cuDeviceGetByPCIBusId(CUdevice *, const char *), and returns the GPU that
// the function finds.
int gpu_by_lookup(int row, const Frame& frame) {
    int ordinal = kNoGpu;
    return query_row(row, &ordinal, argument(frame, kFunctions[row].slot)) == 0 ? ordinal : kNoGpu;
}

// The GPUs that are visible to the process

// For a MIG device, cuDeviceGetUuid_v2 returns its own UUID, and cuDeviceGetUuid returns the UUID of its GPU.
void read_uuids(int ordinal, VisibleGpu& gpu) {
    memset(gpu.whole_uuid, 0, sizeof gpu.whole_uuid);
    query("cuDeviceGetUuid", &gpu.whole_uuid, ordinal);
    if (query("cuDeviceGetUuid_v2", &gpu.uuid, ordinal) != 0) memcpy(gpu.uuid, gpu.whole_uuid, sizeof gpu.uuid);
}

uint32_t attribute_of(int ordinal, int attribute) {
    int value = 0;
    return query("cuDeviceGetAttribute", &value, attribute, ordinal) == 0 ? static_cast<uint32_t>(value) : 0;
}

uint32_t pci_of(int ordinal) {
    return attribute_of(ordinal, kPciDomain) << 16 | attribute_of(ordinal, kPciBus) << 8 |
           attribute_of(ordinal, kPciDevice);
}

constexpr int kMaxMachineGpus = 256;

// Reads the PCI addresses of the GPUs that the kernel driver lists for this container or machine. Returns their number.
int read_machine_gpus(uint32_t (&pci)[kMaxMachineGpus]) {
    struct Entry {  // struct linux_dirent64
        uint64_t inode;
        int64_t offset;
        uint16_t size;
        uint8_t type;
        char name[];
    };
    int count = 0;
    const int directory = open_file("/proc/driver/nvidia/gpus", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) return 0;
    alignas(8) char buffer[2048] = {};
    for (long size; (size = system_call(SYS_getdents64, directory, address_of(buffer), sizeof buffer)) > 0;) {
        for (long at = 0; at < size;) {
            const auto entry = reinterpret_cast<const Entry*>(buffer + at);
            GpuSelector gpu{};
            if (parse_gpu(Text(entry->name), gpu) && gpu.kind == GpuKind::pci && count < kMaxMachineGpus) {
                pci[count++] = gpu.number;
            }
            at += entry->size;
        }
    }
    close_file(directory);
    return count;
}

// Reads the 0-based entry `ordinal` of CUDA_VISIBLE_DEVICES. Returns false unless that entry and all entries before it
// are numbers.
bool listed_index(int ordinal, uint32_t& out) {
    const char* visible = environment("CUDA_VISIBLE_DEVICES");
    uint64_t number = 0;
    Text rest(visible), word;
    for (int i = 0; i <= ordinal; ++i) {
        word = next_word(rest);
        if (!parse_number(word, number) || number > UINT32_MAX) return false;
    }
    out = static_cast<uint32_t>(number);
    return true;
}

// Sets the index that gpu=N selects: the position in PCI order among the GPUs that nvidia-smi lists. If the kernel
// driver lists no GPUs, the index comes from CUDA_VISIBLE_DEVICES. If that variable does not list numbers, every GPU is
// assumed to be visible to the process.
void number_gpus(VisibleGpu* gpus, int count) {
    uint32_t pci[kMaxMachineGpus];
    const int machine_gpus = read_machine_gpus(pci);
    for (int ordinal = 0; ordinal < count; ++ordinal) {
        VisibleGpu& gpu = gpus[ordinal];
        gpu.index = 0;
        if (machine_gpus > 0) {
            for (int i = 0; i < machine_gpus; ++i) gpu.index += pci[i] < gpu.pci;
        } else if (!listed_index(ordinal, gpu.index)) {
            gpu.index = 0;
            for (int i = 0; i < count; ++i) gpu.index += gpus[i].pci < gpu.pci;
        }
    }
}

// Queries the GPUs that are visible to the process, once. Returns false if the driver cannot list them yet.
bool ensure_gpus_known() {
    ProcessState& state = process();
    if (observe(state.gpus_known)) return true;
    VisibleGpu found[kMaxVisibleGpus];
    int count = 0;
    if (query("cuDeviceGetCount", &count) != 0 || count < 0) return false;
    if (count > kMaxVisibleGpus) count = kMaxVisibleGpus;
    for (int ordinal = 0; ordinal < count; ++ordinal) {
        read_uuids(ordinal, found[ordinal]);
        found[ordinal].pci = pci_of(ordinal);
        found[ordinal].ordinal = ordinal;
    }
    number_gpus(found, count);
    memcpy(state.gpus, found, sizeof found);  // every thread writes the same bytes
    state.gpu_count = count;
    publish(state.gpus_known, uint64_t{1});
    return true;
}

// A selector for a GPU also selects its MIG devices, because a fault of a GPU affects all its MIG devices.
bool has_uuid(const GpuSelector& selector, const VisibleGpu& gpu) {
    return is_uuid_match(selector, gpu.uuid) || (!selector.is_mig && is_uuid_match(selector, gpu.whole_uuid));
}

// Like CUDA_VISIBLE_DEVICES, gpu= accepts the first digits of a UUID only if they match a single GPU.
bool is_ambiguous(const GpuSelector& selector) {
    if (selector.uuid_digits == kUuidDigits) return false;
    const ProcessState& state = process();
    int matching = 0;
    for (int i = 0; i < state.gpu_count; ++i) matching += has_uuid(selector, state.gpus[i]);
    return matching > 1;
}

bool is_selected(const GpuSelector& selector, const VisibleGpu& gpu) {
    const auto in_range = [&](uint32_t number) { return selector.number <= number && number <= selector.last; };
    switch (selector.kind) {
        case GpuKind::local: return in_range(static_cast<uint32_t>(gpu.ordinal));
        case GpuKind::index: return in_range(gpu.index);
        case GpuKind::pci: return selector.number == gpu.pci;
        case GpuKind::uuid: return has_uuid(selector, gpu) && !is_ambiguous(selector);
    }
    return false;
}

bool is_selected(const Fault& fault, const VisibleGpu& gpu) {
    for (int i = 0; i < fault.gpu_count; ++i) {
        if (is_selected(fault.gpus[i], gpu)) return true;
    }
    return false;
}

bool is_ordinal_selected(const Fault& fault, int ordinal) {
    return ensure_gpus_known() && ordinal >= 0 && ordinal < process().gpu_count &&
           is_selected(fault, process().gpus[ordinal]);
}

bool is_every_gpu_selected(const Fault& fault) {
    if (!ensure_gpus_known()) return false;
    const int count = process().gpu_count;
    for (int ordinal = 0; ordinal < count; ++ordinal) {
        if (!is_selected(fault, process().gpus[ordinal])) return false;
    }
    return count > 0;
}

// NVML has its own device handles and lists GPUs that CUDA does not list.

struct NvmlPci {  // nvmlPciInfo_t
    char legacy_id[16];
    unsigned domain, bus, device, device_id, subsystem_id;
    char id[32];
};

bool read_uuid(Handle handle, GpuSelector& out) {
    char uuid[96];
    return query("nvmlDeviceGetUUID", handle, &uuid, unsigned{sizeof uuid}) == 0 && parse_gpu(Text(uuid), out);
}

bool is_handle_selected(const Fault& fault, Handle handle) {
    VisibleGpu gpu{};
    gpu.ordinal = -1;
    GpuSelector uuid{};
    NvmlPci pci{};
    if (!read_uuid(handle, uuid)) return false;
    memcpy(gpu.uuid, uuid.uuid, sizeof gpu.uuid);
    Handle whole = 0;
    if (uuid.is_mig && query("nvmlDeviceGetDeviceHandleFromMigDeviceHandle", handle, &whole) == 0 &&
        read_uuid(whole, uuid)) {
        handle = whole;
    }
    memcpy(gpu.whole_uuid, uuid.uuid, sizeof gpu.whole_uuid);
    if (query("nvmlDeviceGetIndex", handle, &gpu.index) != 0) gpu.index = ~0u;
    if (query("nvmlDeviceGetPciInfo_v3", handle, &pci) == 0) gpu.pci = pci.domain << 16 | pci.bus << 8 | pci.device;
    return is_selected(fault, gpu);
}

bool is_every_handle_selected(const Fault& fault) {
    unsigned count = 0;
    if (query("nvmlDeviceGetCount_v2", &count) != 0) return false;
    for (unsigned index = 0; index < count; ++index) {
        Handle handle = 0;
        if (query("nvmlDeviceGetHandleByIndex_v2", index, &handle) != 0 || !is_handle_selected(fault, handle))
            return false;
    }
    return count > 0;
}

// Calls the real function of a lookup such as nvmlDeviceGetHandleByIndex(unsigned, nvmlDevice_t *) to find the device
// that `key` identifies.
bool is_lookup_selected(const Fault& fault, int row, Handle key) {
    Handle found = 0;
    return query_row(row, key, &found) == 0 && is_handle_selected(fault, found);
}

void add_hex(TextBuilder& text, unsigned number, int digits) {
    while (digits > 0) {
        const char digit[] = {"0123456789ABCDEF"[number >> 4 * --digits & 15], '\0'};
        text.add(digit);
    }
}

// `address` points to an nvmlPciInfo_t. Looks up its GPU by PCI domain, bus and device.
bool is_pci_selected(const Fault& fault, Handle address) {
    const auto pci = reinterpret_cast<const NvmlPci*>(address);
    if (!pci) return false;
    char id[24];
    TextBuilder text(id);
    add_hex(text, pci->domain, 8);
    text.add(":");
    add_hex(text, pci->bus, 2);
    text.add(":");
    add_hex(text, pci->device, 2);
    text.add(".0");
    Handle found = 0;
    return query("nvmlDeviceGetHandleByPciBusId_v2", &id, &found) == 0 && is_handle_selected(fault, found);
}

// The first field that the `get_info` function writes is the device that contains the instance.
bool is_instance_selected(const Fault& fault, Text get_info, Handle instance) {
    Handle info[16] = {};  // longer than any nvmlGpuInstanceInfo_t or nvmlComputeInstanceInfo_t
    return query(get_info, instance, &info) == 0 && is_handle_selected(fault, info[0]);
}

// Passes an argument to NVML as a handle only if the function table marks it as a handle, because NVML dereferences
// handles.
bool is_nvml_call_selected(const Fault& fault, int row, const Frame& frame) {
    const Function& function = kFunctions[row];
    const Handle value = argument(frame, function.slot);
    switch (function.device) {
        case DeviceFrom::handle: return is_handle_selected(fault, value);
        case DeviceFrom::lookup: return is_lookup_selected(fault, row, value);
        case DeviceFrom::pci_info: return is_pci_selected(fault, value);
        case DeviceFrom::gpu_instance: return is_instance_selected(fault, "nvmlGpuInstanceGetInfo", value);
        case DeviceFrom::compute_instance: return is_instance_selected(fault, "nvmlComputeInstanceGetInfo_v2", value);
        default: return is_every_handle_selected(fault);
    }
}

int gpu_of_call(int row, const Frame& frame) {
    // The program's first runtime call initializes the driver, but the GPUs must be known before that call runs.
    if (kFunctions[row].api == Api::runtime && !ensure_gpus_known()) query("cuInit", 0);
    if (kFunctions[row].device == DeviceFrom::lookup) return gpu_by_lookup(row, frame);
    const int ordinal = gpu_of_argument(row, frame);
    return ordinal >= 0 ? ordinal : gpu_of_thread(row);
}

}  // namespace

int gpu_argument(int row, const Frame& frame) {
    const Function& function = kFunctions[row];
    return function.device == DeviceFrom::device ? static_cast<int>(argument(frame, function.slot)) : kNoGpu;
}

bool is_on_selected_gpu(const Fault& fault, int row, const Frame& frame, int& gpu) {
    if (kFunctions[row].api == Api::nvml) return is_nvml_call_selected(fault, row, frame);
    if (kFunctions[row].device == DeviceFrom::none) return is_every_gpu_selected(fault);
    if (gpu == kUndetermined) gpu = gpu_of_call(row, frame);
    return is_ordinal_selected(fault, gpu);
}

}  // namespace cudafault
