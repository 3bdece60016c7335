// SPDX-License-Identifier: Apache-2.0
#include "simgpu/nvml/properties.hpp"

#include <time.h>

#include <cstdio>
#include <cstring>

#include "simgpu/list.hpp"
#include "simgpu/mig.hpp"

namespace cudafault::sim::nvml {
namespace {

constexpr unsigned kIdlePowerPercent = 10;

// The driver branch that introduced a CUDA release, such as 580 for CUDA 13.0.
int driver_branch(int cuda_version) {
    constexpr int kBranches[][2] = {{13020, 595}, {13010, 590}, {13000, 580}, {12090, 575}, {12080, 570},
                                    {12070, 565}, {12060, 560}, {12050, 555}, {12040, 550}, {12030, 545},
                                    {12020, 535}, {12010, 530}, {12000, 525}, {11080, 520}};
    for (const auto& [version, branch] : kBranches) {
        if (cuda_version >= version) return branch;
    }
    return 470;
}

struct Property {
    std::string_view name;
    uint64_t (*value)(const Gpu& gpu);
};

#define PROPERTY(name, expression) \
    {name, []([[maybe_unused]] const Gpu& gpu) { return static_cast<uint64_t>(expression); }}
constexpr Property kProperties[] = {
    PROPERTY("multiprocessors", gpu.model->multiprocessors),
    PROPERTY("clock_mhz", gpu.model->clock_mhz),
    PROPERTY("memory_mib", gpu.memory_bytes >> 20),
    PROPERTY("memory_kib", gpu.memory_bytes >> 10),
    PROPERTY("pcie_generation", gpu.model->pcie_generation),
    PROPERTY("pcie_speed", 1000 << gpu.model->pcie_generation),  // megabits per second of one lane
    PROPERTY("nvlinks", gpu.model->nvlinks),
    PROPERTY("nvlink_version", gpu.model->nvlink_version),
    PROPERTY("nvlink_mbps", gpu.model->nvlink_mbps),
    PROPERTY("irq", gpu.pci_bus + 100),
    PROPERTY("serial", serial_number(gpu)),
    PROPERTY("idle_celsius", kIdleCelsius),
    PROPERTY("idle_milliwatts", idle_milliwatts(gpu)),
    PROPERTY("power_limit_milliwatts", power_limit_milliwatts(gpu)),
    PROPERTY("least_power_limit_milliwatts", least_power_limit_milliwatts(gpu)),
    PROPERTY("energy_millijoules", energy_millijoules(gpu)),
};

// Properties of a MIG device.
constexpr Property kMigProperties[] = {
    PROPERTY("copy_engines", gpu.model->copy_engines),
    PROPERTY("decoders", gpu.profile->decoders),
    PROPERTY("jpeg_engines", gpu.profile->jpeg_engines),
    PROPERTY("ofa_engines", gpu.profile->ofa_engines),
    PROPERTY("slices", gpu.profile->slices),
    PROPERTY("gpu_instance", gpu_instance_id(gpu)),
};
#undef PROPERTY

template <size_t count>
uint64_t find_property(const Property (&properties)[count], std::string_view name, const Gpu& gpu, uint64_t otherwise) {
    for (const Property& property : properties) {
        if (property.name == name) return property.value(gpu);
    }
    return otherwise;
}

}  // namespace

std::string driver_version_text() { return std::to_string(driver_branch(driver_version())) + ".65.06"; }

std::string driver_branch_text() {
    return std::string("r").append(std::to_string(driver_branch(driver_version()))).append("_00");
}

unsigned power_limit_milliwatts(const Gpu& gpu) { return static_cast<unsigned>(gpu.model->power_limit_watts) * 1000; }
unsigned least_power_limit_milliwatts(const Gpu& gpu) { return power_limit_milliwatts(gpu) / 2; }
unsigned idle_milliwatts(const Gpu& gpu) { return power_limit_milliwatts(gpu) / 100 * kIdlePowerPercent; }

uint64_t energy_millijoules(const Gpu& gpu) {
    timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return static_cast<uint64_t>(now.tv_sec) * idle_milliwatts(gpu);
}

uint64_t serial_number(const Gpu& gpu) {
    uint64_t number = 0;
    std::memcpy(&number, gpu.uuid.bytes, sizeof number);
    return number;
}

std::string serial_text(const Gpu& gpu) {
    char text[24];
    std::snprintf(text, sizeof text, "%013llu", static_cast<unsigned long long>(serial_number(gpu) % 10000000000000));
    return text;
}

uint64_t Value::as_number() const {
    if (text_.starts_with('$')) {
        const std::string_view name = text_.substr(1);
        const uint64_t of_mig_device = gpu_->is_mig_device() ? find_property(kMigProperties, name, *gpu_, 0) : 0;
        return find_property(kProperties, name, *gpu_, of_mig_device);
    }
    int64_t number = 0;
    parse_number(text_, number);
    return static_cast<uint64_t>(number);
}

std::string Value::as_text() const {
    if (text_ == "$driver_version") return driver_version_text();
    if (text_ == "$driver_branch") return driver_branch_text();
    return std::string(text_);
}

bool applies_to(std::string_view models, const Gpu& gpu) {
    if (gpu.is_mig_device()) return models == "MIG";
    if (models == "MIG-GPU") return gpu.has_mig_enabled();
    if (models == "*") return true;
    while (!models.empty()) {
        if (next_item(models, ',') == gpu.model->key) return true;
    }
    return false;
}

}  // namespace cudafault::sim::nvml
