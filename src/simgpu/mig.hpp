// SPDX-License-Identifier: Apache-2.0
// Creates the MIG devices of a simulated GPU. Each device is a GPU instance with one compute instance of the same size.
#pragma once

#include <string_view>

#include "simgpu/device.hpp"

namespace cudafault::sim {

constexpr unsigned kMemorySlices = 8;  // of a GPU that supports MIG

// Creates the MIG devices of a list such as 3g.40gb+1g.10gb:4 on the GPU. Returns false if the list is invalid,
// contains a profile that the model does not support, or does not fit on the GPU.
bool create_mig_devices(Gpu& gpu, std::string_view profiles);

// Returns true if a GPU instance with this profile can start at this memory slice.
bool can_start_at(const MigProfile& profile, unsigned slice);

// Returns the number of GPU instances with this profile that fit on a GPU. `used` is a bit mask of the memory slices
// that are already in use.
unsigned count_free_places(const MigProfile& profile, unsigned used);

unsigned memory_slices_of(const Gpu& mig_device);  // as a bit mask
unsigned gpu_instance_id(const Gpu& mig_device);

}  // namespace cudafault::sim
