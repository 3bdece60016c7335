// SPDX-License-Identifier: Apache-2.0
#include "simgpu/mig.hpp"

#include <algorithm>
#include <cstring>

#include "simgpu/list.hpp"

namespace cudafault::sim {
namespace {

constexpr unsigned kSlices = 7;

const MigProfile* find_profile(const GpuModel& model, std::string_view name) {
    const auto* end = model.mig_profiles + model.mig_profile_count;
    const auto* found = std::find_if(model.mig_profiles, end, [&](const MigProfile& p) { return name == p.name; });
    return found == end ? nullptr : found;
}

// Parses PROFILE[:N]+...
bool parse_profiles(const GpuModel& model, std::string_view list, std::vector<const MigProfile*>& profiles) {
    for (bool more = true; more;) {
        more = list.find('+') != std::string_view::npos;
        std::string_view item = next_item(list, '+');
        const bool has_count = item.find(':') != std::string_view::npos;
        const MigProfile* profile = find_profile(model, next_item(item, ':'));
        size_t count = 1;
        if (!profile || (has_count && !parse_number(item, count)) || count < 1 || count > kSlices) return false;
        profiles.insert(profiles.end(), count, profile);
    }
    return profiles.size() <= kSlices;
}

unsigned slices_from(const MigProfile& profile, unsigned start) { return ((1u << profile.memory_slices) - 1) << start; }

// Chooses the first memory slice of each profile. Like the driver, takes the highest free position.
bool place_profiles(const std::vector<const MigProfile*>& profiles, std::vector<unsigned>& starts, unsigned used) {
    if (starts.size() == profiles.size()) return true;
    const MigProfile& profile = *profiles[starts.size()];
    for (unsigned start = kMemorySlices; start-- > 0;) {
        const unsigned slices = slices_from(profile, start);
        if (!can_start_at(profile, start) || (used & slices)) continue;
        starts.push_back(start);
        if (place_profiles(profiles, starts, used | slices)) return true;
        starts.pop_back();
    }
    return false;
}

Gpu make_mig_device(const Gpu& gpu, const MigProfile& profile, unsigned start) {
    const bool has_all_memory = gpu.memory_bytes == gpu.model->memory_bytes;
    Gpu device{.model = &profile.device,
               .index = 0,
               .memory_bytes = has_all_memory ? profile.device.memory_bytes
                                              : gpu.memory_bytes / kMemorySlices * profile.memory_slices,
               .reserved_bytes = 0,
               .uuid = {},
               .pci_bus = gpu.pci_bus,
               .profile = &profile,
               .first_slice = start};
    uint64_t seed = 0;
    std::memcpy(&seed, gpu.uuid.bytes, sizeof seed);
    device.uuid = make_uuid(seed + gpu_instance_id(device) + 1);
    return device;
}

}  // namespace

bool can_start_at(const MigProfile& profile, unsigned slice) {
    return slice % profile.memory_slices == 0 && slice + profile.slices <= kSlices;
}

unsigned count_free_places(const MigProfile& profile, unsigned used) {
    unsigned count = 0;
    for (unsigned start = 0; start < kMemorySlices; ++start) {
        count += can_start_at(profile, start) && !(used & slices_from(profile, start));
    }
    return count;
}

unsigned memory_slices_of(const Gpu& mig_device) { return slices_from(*mig_device.profile, mig_device.first_slice); }

// The driver numbers the nodes of a binary tree over the memory slices: 0 is the whole GPU, 1 and 2 are its halves.
unsigned gpu_instance_id(const Gpu& mig_device) {
    const unsigned size = mig_device.profile->memory_slices;
    return kMemorySlices / size - 1 + mig_device.first_slice / size;
}

bool create_mig_devices(Gpu& gpu, std::string_view list) {
    std::vector<const MigProfile*> profiles;
    std::vector<unsigned> starts;
    if (!parse_profiles(*gpu.model, list, profiles) || !place_profiles(profiles, starts, 0)) return false;
    std::vector<Gpu>& devices = gpu.mig_devices;
    for (size_t i = 0; i < profiles.size(); ++i) devices.push_back(make_mig_device(gpu, *profiles[i], starts[i]));
    std::sort(devices.begin(), devices.end(),
              [](const Gpu& a, const Gpu& b) { return gpu_instance_id(a) < gpu_instance_id(b); });
    for (size_t i = 0; i < devices.size(); ++i) devices[i].index = static_cast<int>(i);
    return true;
}

}  // namespace cudafault::sim
