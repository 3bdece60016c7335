// SPDX-License-Identifier: Apache-2.0
#include "local/nvml.hpp"

#include <dlfcn.h>

#include "fault/functions.hpp"

namespace cudafault::local {

namespace {

using Device = struct NvmlDevice*;

// nvmlPciInfo_t as nvmlDeviceGetPciInfo_v3 fills it.
struct PciInfo {
    char legacy_bus_id[16];
    unsigned domain, bus, device, device_id, subsystem_id;
    char bus_id[32];
};

// Loads NVML at run time, because the tool must also start on machines without NVML.
class Nvml {
public:
    Nvml() : library_(dlopen(kNvmlSoname, RTLD_LAZY | RTLD_LOCAL)) {
        ready_ = library_ && find("nvmlInit_v2", init_) && find("nvmlShutdown", shutdown_) &&
                 find("nvmlDeviceGetCount_v2", count_) && find("nvmlDeviceGetHandleByIndex_v2", handle_) &&
                 find("nvmlDeviceGetUUID", uuid_) && find("nvmlDeviceGetName", name_) &&
                 find("nvmlDeviceGetPciInfo_v3", pci_) && init_() == 0;
    }
    Nvml(const Nvml&) = delete;
    Nvml& operator=(const Nvml&) = delete;
    ~Nvml() {
        if (ready_) shutdown_();
        if (library_) dlclose(library_);
    }

    bool list(std::vector<Gpu>& gpus) const {
        unsigned count = 0;
        if (!ready_ || count_(&count) != 0) return false;
        for (unsigned index = 0; index < count; ++index) {
            Gpu gpu{};
            if (!describe(index, gpu)) return false;  // an incomplete list would make plans for existing GPUs invalid
            gpus.push_back(gpu);
        }
        return true;
    }

private:
    template <typename Pointer>
    bool find(const char* name, Pointer& out) {
        out = reinterpret_cast<Pointer>(dlsym(library_, name));
        return out != nullptr;
    }

    bool describe(unsigned index, Gpu& gpu) const {
        Device device = nullptr;
        char uuid[96] = "", name[96] = "";
        PciInfo pci{};
        if (handle_(index, &device) != 0 || uuid_(device, uuid, sizeof uuid) != 0 || pci_(device, &pci) != 0)
            return false;
        name_(device, name, sizeof name);
        gpu = {static_cast<int>(index), uuid, pci.bus_id, name};
        return true;
    }

    void* library_;
    bool ready_;
    int (*init_)() = nullptr;
    int (*shutdown_)() = nullptr;
    int (*count_)(unsigned*) = nullptr;
    int (*handle_)(unsigned, Device*) = nullptr;
    int (*uuid_)(Device, char*, unsigned) = nullptr;
    int (*name_)(Device, char*, unsigned) = nullptr;
    int (*pci_)(Device, PciInfo*) = nullptr;
};

}  // namespace

std::optional<std::vector<Gpu>> list_nvml_gpus() {
    std::vector<Gpu> gpus;
    return Nvml().list(gpus) ? std::optional(std::move(gpus)) : std::nullopt;
}

}  // namespace cudafault::local
