// SPDX-License-Identifier: Apache-2.0
// Replaces libnvidia-ml.so.1 and dereferences device handles, as NVIDIA's library may. A call with an invalid handle
// crashes.
#include <stdlib.h>
#include <string.h>

struct device {
    unsigned index;
    const char *uuid, *pci, *serial;
};
static struct device devices[2] = {
    {0, "GPU-00000000-0000-0000-0000-000000000000", "00000000:10:00.0", "100"},
    {1, "GPU-11111111-1111-1111-1111-111111111111", "00000000:20:00.0", "200"},
};
struct pci {
    char legacy_id[16];
    unsigned domain, bus, device, device_id, subsystem_id;
    char id[32];
};

static int store(struct device* device, void** out) {
    *out = device;
    return 0;
}

int nvmlInit_v2(void) { return 0; }
int nvmlDeviceGetCount_v2(unsigned* count) { return *count = 2, 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** out) { return index < 2 ? store(&devices[index], out) : 2; }

#define LOOKUP(name, field)                                                     \
    int name(const char* key, void** out) {                                     \
        for (int i = 0; i < 2; ++i) {                                           \
            if (!strcmp(devices[i].field, key)) return store(&devices[i], out); \
        }                                                                       \
        return 6;                                                               \
    }
LOOKUP(nvmlDeviceGetHandleByUUID, uuid)
LOOKUP(nvmlDeviceGetHandleByPciBusId_v2, pci)
LOOKUP(nvmlDeviceGetHandleBySerial, serial)

int nvmlDeviceGetUUID(struct device* device, char* out, unsigned size) { return strncpy(out, device->uuid, size), 0; }
int nvmlDeviceGetIndex(struct device* device, unsigned* out) { return *out = device->index, 0; }
int nvmlDeviceGetPciInfo_v3(struct device* device, struct pci* out) {
    memset(out, 0, sizeof *out);
    out->bus = (device->index + 1) * 16;
    return 0;
}
int nvmlDeviceGetTemperature(struct device* device, int sensor, unsigned* out) {
    return *out = device->index + sensor, 0;
}
int nvmlDeviceRemoveGpu(struct pci* pci) { return !pci; }
int nvmlGpuInstanceGetInfo(unsigned long instance, void** out) { return store(&devices[instance - 100], out); }
int nvmlGpuInstanceDestroy(unsigned long instance) { return !instance; }
int nvmlComputeInstanceGetInfo_v2(unsigned long instance, void** out) { return store(&devices[instance - 100], out); }
int nvmlComputeInstanceDestroy(unsigned long instance) { return !instance; }
int nvmlUnitGetTemperature(void* unit, unsigned type, unsigned* out) { return *out = type, unit == 0; }
int nvmlVgpuTypeGetLicense(unsigned type, char* out, unsigned size) { return *out = 0, !type + !size; }
int nvmlVgpuInstanceGetVmID(unsigned instance, char* out, unsigned size, int* type) {
    return *out = 0, *type = 0, !instance + !size;
}
int nvmlSystemGetTopologyGpuSet(unsigned cpu, unsigned* count, void** out) {
    if (out) *out = devices;
    return *count = cpu, 0;
}
