// SPDX-License-Identifier: Apache-2.0
// Declares the table of the fields that nvmlDeviceGetFieldValues returns. The code generator writes the table from
// data/nvml_fields.tsv.
#pragma once

#include <cstddef>

namespace cudafault::sim::nvml {

// A row of data/nvml_fields.tsv.
struct Field {
    unsigned first, last;
    const char* models;
    bool per_link;
    int type;  // NVML_VALUE_TYPE_*
    const char* value;
};

extern const Field kFields[];
extern const size_t kFieldCount;

}  // namespace cudafault::sim::nvml
