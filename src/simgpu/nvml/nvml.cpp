// SPDX-License-Identifier: Apache-2.0
// Implements initialization and shutdown, versions, device lookup, events and error texts of NVML.
#include "simgpu/nvml/nvml.hpp"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <unordered_set>

#include "simgpu/lazy.hpp"
#include "simgpu/notice.hpp"
#include "simgpu/nvml/properties.hpp"

namespace cudafault::sim::nvml {
namespace {

std::atomic<int> g_references{0};

struct EventSet {};

struct EventSets {
    std::mutex mutex;
    std::unordered_set<const EventSet*> live;
};

// Never destroyed, because programs call NVML from exit handlers.
EventSets& event_sets() {
    static Lazy<EventSets> instance;
    return instance.get();
}

bool is_event_set(const EventSet* set) {
    EventSets& sets = event_sets();
    std::lock_guard lock(sets.mutex);
    return sets.live.count(set) != 0;
}

struct ErrorText {
    int code;
    const char* text;
};

constexpr ErrorText kErrorTexts[] = {
    {0, "Success"},
    {1, "Uninitialized"},
    {2, "Invalid Argument"},
    {3, "Not Supported"},
    {4, "Insufficient Permissions"},
    {5, "Already Initialized"},
    {6, "Not Found"},
    {7, "Insufficient Size"},
    {8, "Insufficient External Power"},
    {9, "Driver Not Loaded"},
    {10, "Timeout"},
    {11, "Interrupt Request Issue"},
    {12, "NVML Shared Library Not Found"},
    {13, "Function Not Found"},
    {14, "Corrupted infoROM"},
    {15, "GPU is lost"},
    {16, "GPU requires restart"},
    {17, "The operating system has blocked the request."},
    {18, "RM has detected an NVML/RM version mismatch."},
    {19, "GPU is currently in use"},
    {20, "Insufficient Memory"},
    {21, "No data"},
    {22, "vGPU ECC not supported"},
    {23, "Ran out of critical resources, other than memory"},
    {24, "Frequency not supported"},
    {25, "Argument version mismatch"},
    {26, "Deprecated"},
    {27, "System is not ready"},
    {28, "No GPUs were found"},
    {29, "Invalid state"},
    {30, "Reset type not supported"},
};

template <typename Matches>
Return find_gpu(DeviceHandle* out, Matches matches) {
    if (!is_initialized()) return kUninitialized;
    if (!out) return kInvalidArgument;
    const std::vector<Gpu>& gpus = machine();
    const auto found = std::find_if(gpus.begin(), gpus.end(), matches);
    return found == gpus.end() ? kNotFound : set_output(out, &*found);
}

// Finds a GPU or a MIG device.
template <typename Matches>
Return find_device(DeviceHandle* out, Matches matches) {
    for (const Gpu& gpu : machine()) {
        if (matches(gpu)) return set_output(out, &gpu);
        for (const Gpu& mig : gpu.mig_devices) {
            if (matches(mig)) return set_output(out, &mig);
        }
    }
    return kNotFound;
}

// Has the layout of nvmlUUID_v1_t.
struct UuidArgument {
    unsigned version, type;
    char text[41];  // or the 16 bytes of the UUID
};
static_assert(sizeof(UuidArgument) == 52);

}  // namespace

bool is_initialized() { return g_references.load(std::memory_order_acquire) > 0; }

Return set_text_output(char* out, unsigned length, const std::string& text) {
    if (!out) return kInvalidArgument;
    if (length <= text.size()) return kInsufficientSize;
    std::memcpy(out, text.c_str(), text.size() + 1);
    return kSuccess;
}

NVML_API Return nvmlInitWithFlags(unsigned) {
    warn_if_not_preloaded();
    ++g_references;
    return kSuccess;
}
NVML_ALIAS(nvmlInit_v2, nvmlInitWithFlags, (), (0))
NVML_ALIAS(nvmlInit, nvmlInitWithFlags, (), (0))

NVML_API Return nvmlShutdown() {
    int references = g_references.load();
    while (references > 0) {
        if (g_references.compare_exchange_weak(references, references - 1)) return kSuccess;
    }
    return kUninitialized;
}

NVML_API const char* nvmlErrorString(int code) {
    for (const ErrorText& error : kErrorTexts) {
        if (error.code == code) return error.text;
    }
    return "Unknown Error";
}

NVML_API Return nvmlSystemGetDriverVersion(char* version, unsigned length) {
    if (!is_initialized()) return kUninitialized;
    return set_text_output(version, length, driver_version_text());
}

NVML_API Return nvmlSystemGetNVMLVersion(char* version, unsigned length) {
    if (!is_initialized()) return kUninitialized;
    return set_text_output(version, length, std::to_string(driver_version() / 1000) + "." + driver_version_text());
}

NVML_API Return nvmlSystemGetCudaDriverVersion(int* version) { return set_output(version, driver_version()); }
NVML_ALIAS(nvmlSystemGetCudaDriverVersion_v2, nvmlSystemGetCudaDriverVersion, (int* version), (version))

NVML_API Return nvmlSystemGetProcessName(unsigned pid, char* name, unsigned length) {
    if (!is_initialized()) return kUninitialized;
    char path[64], target[4096];
    std::snprintf(path, sizeof path, "/proc/%u/exe", pid);
    const ssize_t size = readlink(path, target, sizeof target);
    if (size < 0) return kNotFound;
    return set_text_output(name, length, std::string(target, static_cast<size_t>(size)));
}

NVML_API Return nvmlUnitGetCount(unsigned* count) { return is_initialized() ? set_output(count, 0) : kUninitialized; }

NVML_API Return nvmlDeviceGetCount_v2(unsigned* count) {
    return is_initialized() ? set_output(count, machine().size()) : kUninitialized;
}
NVML_ALIAS(nvmlDeviceGetCount, nvmlDeviceGetCount_v2, (unsigned* count), (count))

NVML_API Return nvmlDeviceGetHandleByIndex_v2(unsigned index, DeviceHandle* out) {
    const Return result = find_gpu(out, [&](const Gpu& gpu) { return static_cast<unsigned>(gpu.index) == index; });
    return result == kNotFound ? kInvalidArgument : result;
}
NVML_ALIAS(nvmlDeviceGetHandleByIndex, nvmlDeviceGetHandleByIndex_v2, (unsigned index, DeviceHandle* out), (index, out))

NVML_API Return nvmlDeviceGetHandleByUUID(const char* uuid, DeviceHandle* out) {
    if (!is_initialized()) return kUninitialized;
    if (!uuid || !out) return kInvalidArgument;
    return find_device(out, [&](const Gpu& gpu) { return uuid_text(gpu) == uuid; });
}

NVML_API Return nvmlDeviceGetHandleByUUIDV(const UuidArgument* uuid, DeviceHandle* out) {
    constexpr unsigned kText = 1, kBinary = 2;
    if (!is_initialized()) return kUninitialized;
    if (!uuid || !out) return kInvalidArgument;
    if (uuid->version != struct_version(sizeof *uuid, 1)) return kArgumentVersionMismatch;
    if (uuid->type == kText) return nvmlDeviceGetHandleByUUID(uuid->text, out);
    if (uuid->type != kBinary) return kInvalidArgument;
    return find_device(out, [&](const Gpu& gpu) { return std::memcmp(&gpu.uuid, uuid->text, sizeof gpu.uuid) == 0; });
}

NVML_API Return nvmlDeviceGetHandleBySerial(const char* serial, DeviceHandle* out) {
    if (!is_initialized()) return kUninitialized;
    if (!serial) return kInvalidArgument;
    return find_gpu(out, [&](const Gpu& gpu) { return serial_text(gpu) == serial; });
}

NVML_API Return nvmlDeviceGetHandleByPciBusId_v2(const char* id, DeviceHandle* out) {
    unsigned domain = 0, bus = 0, slot = 0;
    if (!is_initialized()) return kUninitialized;
    if (!id || !parse_pci(id, domain, bus, slot)) return kInvalidArgument;
    return find_gpu(out, [&](const Gpu& gpu) { return !domain && !slot && gpu.pci_bus == bus; });
}
NVML_ALIAS(nvmlDeviceGetHandleByPciBusId, nvmlDeviceGetHandleByPciBusId_v2, (const char* id, DeviceHandle* out),
           (id, out))

NVML_API Return nvmlEventSetCreate(const EventSet** out) {
    if (!is_initialized()) return kUninitialized;
    if (!out) return kInvalidArgument;
    EventSets& sets = event_sets();
    std::lock_guard lock(sets.mutex);
    *out = *sets.live.insert(new EventSet).first;
    return kSuccess;
}

NVML_API Return nvmlEventSetFree(const EventSet* set) {
    if (!is_initialized()) return kUninitialized;
    EventSets& sets = event_sets();
    std::lock_guard lock(sets.mutex);
    if (!sets.live.erase(set)) return kInvalidArgument;
    delete set;
    return kSuccess;
}

NVML_API Return nvmlDeviceGetSupportedEventTypes(DeviceHandle device, unsigned long long* types) {
    constexpr unsigned long long kEccSingle = 1, kEccDouble = 2, kXid = 8, kClock = 16;
    return with_gpu(device, [&](const Gpu&) { return set_output(types, kEccSingle | kEccDouble | kXid | kClock); });
}

NVML_API Return nvmlDeviceRegisterEvents(DeviceHandle device, unsigned long long, const EventSet* set) {
    return with_gpu(device, [&](const Gpu&) { return is_event_set(set) ? kSuccess : kInvalidArgument; });
}

// A simulated GPU has no events, so the wait always ends at its timeout.
NVML_API Return nvmlEventSetWait_v2(const EventSet* set, EventData* data, unsigned milliseconds) {
    if (!is_initialized()) return kUninitialized;
    if (!data || !is_event_set(set)) return kInvalidArgument;
    *data = {};
    timespec remaining{static_cast<time_t>(milliseconds / 1000), static_cast<long>(milliseconds % 1000) * 1000000};
    while (nanosleep(&remaining, &remaining) != 0) {
    }
    return kTimeout;
}
NVML_ALIAS(nvmlEventSetWait, nvmlEventSetWait_v2, (const EventSet* set, EventData* data, unsigned milliseconds),
           (set, data, milliseconds))

}  // namespace cudafault::sim::nvml
