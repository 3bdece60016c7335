// SPDX-License-Identifier: Apache-2.0
// Parses the description of the simulated machine, and numbers its GPUs as CUDA does.
#include "simgpu/device.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "simgpu/lazy.hpp"
#include "simgpu/list.hpp"
#include "simgpu/mig.hpp"

namespace cudafault::sim {
namespace {

constexpr size_t kMaxGpus = 64;
constexpr unsigned kFirstBus = 0x10;
constexpr int kDefaultDriverVersion = 13050;
constexpr std::string_view kDefaultModel = "H100";
constexpr std::string_view kUuidPrefix = "GPU-", kMigPrefix = "MIG-";

std::string_view environment(const char* name) {
    const char* value = std::getenv(name);
    return value ? value : "";
}

char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

bool is_equal_ignoring_case(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](char x, char y) { return to_lower(x) == to_lower(y); });
}

const GpuModel* find_model(std::string_view key) {
    const auto* end = kGpuModels + kGpuModelCount;
    const auto* found =
        std::find_if(kGpuModels, end, [&](const GpuModel& m) { return is_equal_ignoring_case(m.key, key); });
    return found == end ? nullptr : found;
}

std::string model_keys() {
    std::string keys;
    for (size_t i = 0; i < kGpuModelCount; ++i) keys.append(i ? ", " : "").append(kGpuModels[i].key);
    return keys;
}

// Mixes the bits with splitmix64, so that each bit of the seed affects every bit of the UUID.
uint64_t mix(uint64_t value) {
    value += 0x9e3779b97f4a7c15;
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
    value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
    return value ^ (value >> 31);
}

Gpu make_gpu(const GpuModel& model, int index, uint64_t memory_override) {
    const uint64_t memory = memory_override ? memory_override : model.memory_bytes;
    const uint64_t reserved = memory_override ? 0 : model.reserved_bytes;
    const Uuid uuid = make_uuid(mix(model.pci_device_id) ^ static_cast<uint64_t>(index));
    return {&model, index, memory, reserved, uuid, kFirstBus + static_cast<unsigned>(index)};
}

// GPUs of one model, all with the same MIG devices.
struct Group {
    const GpuModel* model = nullptr;
    size_t count = 1;
    bool has_mig = false;
    std::string_view mig_profiles;
};

// Parses N, MODEL or MODEL:N, each optionally with /PROFILES.
bool parse_group(std::string_view item, Group& group) {
    group.has_mig = item.find('/') != std::string_view::npos;
    std::string_view gpus = next_item(item, '/');
    group.mig_profiles = item;
    if (parse_number(gpus, group.count)) {
        group.model = find_model(kDefaultModel);
    } else {
        const bool has_count = gpus.find(':') != std::string_view::npos;
        group.model = find_model(next_item(gpus, ':'));
        if (has_count && !parse_number(gpus, group.count)) return false;
    }
    return group.model && group.count <= kMaxGpus;
}

std::string mig_error(const GpuModel& model) {
    if (!model.mig_profile_count) {
        return std::string("the model ")
            .append(model.key)
            .append(" does not support MIG: expected a model that does, such as H100");
    }
    std::string error = "expected MIG profiles that fit on one GPU, such as ";
    error.append(model.mig_profiles[0].name).append(":7, of the profiles ");
    for (size_t i = 0; i < model.mig_profile_count; ++i) error.append(i ? ", " : "").append(model.mig_profiles[i].name);
    return error;
}

bool parse_bytes(std::string_view text, uint64_t& bytes) {
    if (text.empty()) return true;
    unsigned shift = 0;
    switch (to_lower(text.back())) {
        case 'k': shift = 10; break;
        case 'm': shift = 20; break;
        case 'g': shift = 30; break;
    }
    if (shift) text.remove_suffix(1);
    if (!parse_number(text, bytes) || bytes == 0 || bytes > (uint64_t{1} << 50) >> shift) return false;
    bytes <<= shift;
    return true;
}

std::vector<Gpu> read_machine() {
    std::string error;
    std::vector<Gpu> gpus =
        parse_machine(environment("CUDAFAULT_SIM_GPUS"), environment("CUDAFAULT_SIM_MEMORY"), error);
    if (!error.empty()) std::fprintf(stderr, "cudafault: %s; the simulated machine has no GPU\n", error.c_str());
    return gpus;
}

// Reads the number at the start of an item of CUDA_VISIBLE_DEVICES, as strtoul does: "1gpu2" is 1. Returns false if the
// item does not start with a number, or starts with a negative one.
bool parse_leading_number(std::string_view item, size_t& number) {
    while (!item.empty() && (item.front() == ' ' || item.front() == '\t')) item.remove_prefix(1);
    if (item.starts_with('+')) item.remove_prefix(1);
    return std::from_chars(item.data(), item.data() + item.size(), number).ec == std::errc{};
}

// Returns the GPU whose UUID starts with the item, or nullptr if the number of such GPUs is not 1.
const Gpu* find_uuid(const std::vector<const Gpu*>& gpus, std::string_view item) {
    const Gpu* found = nullptr;
    for (const Gpu* gpu : gpus) {
        const std::string uuid = uuid_text(*gpu);
        if (!is_equal_ignoring_case(std::string_view(uuid).substr(0, item.size()), item)) continue;
        if (found) return nullptr;
        found = gpu;
    }
    return found;
}

// Appends the value. Returns false if the list already contains it.
template <typename Value>
bool append_unique(std::vector<Value>& values, const Value& value) {
    if (std::find(values.begin(), values.end(), value) != values.end()) return false;
    values.push_back(value);
    return true;
}

std::vector<const Gpu*> gpus_by_number(const std::vector<const Gpu*>& gpus, std::string_view list) {
    std::vector<size_t> numbers;
    for (size_t number = 0; parse_leading_number(next_item(list, ','), number);) {
        if (!append_unique(numbers, number)) return {};
    }
    std::vector<const Gpu*> chosen;
    for (const size_t number : numbers) {
        if (number >= gpus.size()) break;
        chosen.push_back(gpus[number]);
    }
    return chosen;
}

// Returns true if the item is the name of the MIG device in drivers before R470: MIG-GPU-<UUID of the GPU>/<GPU
// instance>/<compute instance>.
bool is_pre_r470_name(const Gpu& gpu, const Gpu& mig_device, std::string_view item) {
    const std::string instance = std::to_string(gpu_instance_id(mig_device));
    std::string name(kMigPrefix);
    name.append(uuid_text(gpu)).append("/").append(instance).append("/0");
    return is_equal_ignoring_case(name, item);
}

// Returns the MIG device that the item names or whose UUID starts with the item. Returns nullptr if several UUIDs, or
// none, start with the item.
const Gpu* find_mig_device(const std::vector<const Gpu*>& gpus, std::string_view item) {
    std::vector<const Gpu*> devices;
    for (const Gpu* gpu : gpus) {
        for (const Gpu& device : gpu->mig_devices) {
            if (is_pre_r470_name(*gpu, device, item)) return &device;
            devices.push_back(&device);
        }
    }
    return find_uuid(devices, item);
}

bool is_uuid(std::string_view item) { return item.starts_with(kUuidPrefix) || item.starts_with(kMigPrefix); }

std::vector<const Gpu*> gpus_by_uuid(const std::vector<const Gpu*>& gpus, std::string_view list) {
    std::vector<std::string_view> items;
    for (std::string_view item; is_uuid(item = next_item(list, ','));) {
        if (!append_unique(items, item)) return {};
    }
    std::vector<const Gpu*> chosen;
    for (const std::string_view item : items) {
        const Gpu* gpu = item.starts_with(kMigPrefix) ? find_mig_device(gpus, item) : find_uuid(gpus, item);
        if (!gpu) break;
        if (!append_unique(chosen, gpu)) return {};
    }
    return chosen;
}

// Applies CUDA's limits: CUDA enumerates at most one MIG device, and no GPU together with a MIG device.
std::vector<const Gpu*> apply_mig_limits(const std::vector<const Gpu*>& chosen) {
    for (const Gpu* gpu : chosen) {
        if (gpu->is_mig_device()) return {gpu};
        if (gpu->has_mig_enabled()) return {&gpu->mig_devices.front()};
    }
    return chosen;
}

int64_t speed(const Gpu* gpu) { return int64_t{gpu->model->multiprocessors} * gpu->model->clock_mhz; }

}  // namespace

std::vector<Gpu> parse_machine(std::string_view text, std::string_view memory, std::string& error) {
    uint64_t memory_override = 0;
    if (!parse_bytes(memory, memory_override)) {
        error =
            "invalid CUDAFAULT_SIM_MEMORY \"" + std::string(memory) + "\": expected bytes per GPU, such as 512M or 16G";
        return {};
    }
    std::vector<Gpu> gpus;
    std::string_view remaining = text.empty() ? "1" : text;
    for (bool more = true; more;) {
        Group group;
        more = remaining.find(',') != std::string_view::npos;
        if (!parse_group(next_item(remaining, ','), group) || gpus.size() + group.count > kMaxGpus) {
            error = "invalid CUDAFAULT_SIM_GPUS \"" + std::string(text) + "\": expected N, MODEL:N or a list such as " +
                    "H100:4,L4:2, with at most " + std::to_string(kMaxGpus) + " GPUs of the models " + model_keys();
            return {};
        }
        while (group.count--) {
            gpus.push_back(make_gpu(*group.model, static_cast<int>(gpus.size()), memory_override));
            if (!group.has_mig || create_mig_devices(gpus.back(), group.mig_profiles)) continue;
            error = "invalid CUDAFAULT_SIM_GPUS \"" + std::string(text) + "\": " + mig_error(*group.model);
            return {};
        }
    }
    return gpus;
}

const std::vector<Gpu>& machine() {
    static Lazy<std::vector<Gpu>> instance;
    return instance.get([] { return new std::vector<Gpu>(read_machine()); });
}

std::vector<const Gpu*> visible_gpus(const std::vector<Gpu>& gpus, const char* visible, const char* order) {
    std::vector<const Gpu*> all;
    all.reserve(gpus.size());
    for (const Gpu& gpu : gpus) all.push_back(&gpu);
    if (!order || std::string_view(order) != "PCI_BUS_ID") {
        std::stable_sort(all.begin(), all.end(), [](const Gpu* a, const Gpu* b) { return speed(a) > speed(b); });
    }
    if (!visible) return apply_mig_limits(all);
    const std::string_view list = visible;
    return apply_mig_limits(is_uuid(list) ? gpus_by_uuid(all, list) : gpus_by_number(all, list));
}

const Gpu* whole_gpu(const std::vector<Gpu>& gpus, const Gpu* gpu) {
    for (const Gpu& whole : gpus) {
        if (&whole == gpu) return &whole;
        for (const Gpu& device : whole.mig_devices) {
            if (&device == gpu) return &whole;
        }
    }
    return nullptr;
}

Uuid make_uuid(uint64_t seed) {
    const uint64_t words[2] = {mix(seed), mix(~seed)};
    Uuid uuid;
    std::memcpy(uuid.bytes, words, sizeof uuid.bytes);
    return uuid;
}

std::string uuid_text(const Gpu& gpu) {
    const unsigned char* b = gpu.uuid.bytes;
    char text[48];
    std::snprintf(text, sizeof text, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
                  b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
    return std::string(gpu.is_mig_device() ? kMigPrefix : kUuidPrefix).append(text);
}

std::string pci_text(const Gpu& gpu) {
    char text[16];
    std::snprintf(text, sizeof text, "0000:%02X:00.0", gpu.pci_bus);
    return text;
}

bool parse_pci(std::string_view text, unsigned& domain, unsigned& bus, unsigned& device) {
    std::string_view address = next_item(text, '.');  // the function is ignored
    const bool has_domain = std::count(address.begin(), address.end(), ':') == 2;
    domain = 0;
    if (has_domain && !parse_number(next_item(address, ':'), domain, 16)) return false;
    return parse_number(next_item(address, ':'), bus, 16) && parse_number(address, device, 16);
}

int driver_version() {
    int version = 0;
    return parse_number(environment("CUDAFAULT_SIM_DRIVER_VERSION"), version) ? version : kDefaultDriverVersion;
}

}  // namespace cudafault::sim
