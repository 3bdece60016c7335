// SPDX-License-Identifier: Apache-2.0
// Declares properties of the driver and of an idle, healthy GPU. Several NVML functions return the same property.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "simgpu/device.hpp"

namespace cudafault::sim::nvml {

std::string driver_version_text();  // 580.65.06
std::string driver_branch_text();   // r580_00

constexpr unsigned kIdleCelsius = 30;
unsigned power_limit_milliwatts(const Gpu&);
unsigned least_power_limit_milliwatts(const Gpu&);
unsigned idle_milliwatts(const Gpu&);

// Returns the energy that an idle GPU would have used since the machine started.
uint64_t energy_millijoules(const Gpu&);

uint64_t serial_number(const Gpu&);
std::string serial_text(const Gpu&);

// A value of nvml_answers.tsv or nvml_fields.tsv: a number, possibly negative, a text, or $NAME, the name of a
// property.
class Value {
public:
    Value(std::string_view text, const Gpu* gpu) : text_(text), gpu_(gpu) {}

    uint64_t as_number() const;  // 0 for an unknown property
    std::string as_text() const;

private:
    std::string_view text_;
    const Gpu* gpu_;  // nullptr: the function has no device parameter
};

// Returns true if a column `models` names the GPU. `models` is a list of models; `*` means all of them, `MIG` a MIG
// device, and `MIG-GPU` a GPU that has MIG enabled.
bool applies_to(std::string_view models, const Gpu& gpu);

}  // namespace cudafault::sim::nvml
