// SPDX-License-Identifier: Apache-2.0
#include "simgpu/nvml/fields.hpp"

#include <time.h>

#include <algorithm>

#include "simgpu/nvml/nvml.hpp"
#include "simgpu/nvml/properties.hpp"

namespace cudafault::sim::nvml {
namespace {

constexpr int kSigned32 = 5;  // NVML_VALUE_TYPE_SIGNED_INT

long long microseconds_since_epoch() {
    timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return static_cast<long long>(now.tv_sec) * 1000000 + now.tv_nsec / 1000;
}

const Field* find_field(const Gpu& gpu, unsigned id) {
    const Field* end = kFields + kFieldCount;
    const Field* found = std::find_if(kFields, end, [&](const Field& field) {
        return field.first <= id && id <= field.last && applies_to(field.models, gpu);
    });
    return found == end ? nullptr : found;
}

// Sets the members of `out` except for the ID and the scope.
void fill_field(const Gpu& gpu, FieldValue& out) {
    const Field* field = find_field(gpu, out.id);
    out = {out.id, out.scope, microseconds_since_epoch(), 0, 0, kNotSupported, 0};
    if (!field) return;
    if (field->per_link && out.scope >= static_cast<unsigned>(gpu.model->nvlinks)) {
        out.result = kInvalidArgument;
        return;
    }
    const uint64_t value = Value(field->value, &gpu).as_number();
    out.value_type = field->type;
    out.value = field->type == kSigned32 ? static_cast<uint32_t>(value) : value;
    out.result = kSuccess;
}

}  // namespace

NVML_API Return nvmlDeviceGetFieldValues(DeviceHandle device, int count, FieldValue* values) {
    return with_gpu(device, [&](const Gpu& gpu) {
        if (!values || count <= 0) return kInvalidArgument;
        for (int i = 0; i < count; ++i) fill_field(gpu, values[i]);
        return kSuccess;
    });
}

}  // namespace cudafault::sim::nvml
