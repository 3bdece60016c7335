// SPDX-License-Identifier: Apache-2.0
// Declares the XIDs that can be simulated, generated from data/xids.yaml, and the error names of data/errors.tsv.
#pragma once

#include "fault/functions.hpp"
#include "fault/text_builder.hpp"

namespace cudafault {

struct Xid {
    uint16_t number;
    int32_t simple_code;      // CUresult and cudaError_t under model=simple; 0: no CUDA call fails
    const char* simple_name;  // CUDA_ERROR_NO_DEVICE
    const char* title;        // "GPU fell off the bus"; of a reserved XID: why it is reserved
    bool reserved;
};

const Xid* find_xid(uint32_t number);  // nullptr: no CUDA call can fail with this XID

// Appends to `message` why find_xid returns nullptr for this number, and what to use instead.
void describe_refused_xid(uint32_t number, TextBuilder& message);

struct ErrorName {
    Api api;
    int32_t code;
    const char* name;
};

const ErrorName* find_error(Text name);            // CUDA_ERROR_*, cudaError*, NVML_ERROR_*, nccl*; nullptr: unknown
const ErrorName* error_of(Api api, int32_t code);  // nullptr: unknown

}  // namespace cudafault
