// SPDX-License-Identifier: Apache-2.0
// Declares the XIDs that can be simulated, generated from data/xids.yaml, and the error names of data/errors.tsv.
#pragma once

#include "fault/functions.hpp"
#include "fault/message.hpp"

namespace cudafault {

struct Xid {
    uint16_t number;
    int32_t simple_code;      // CUresult and cudaError_t under model=simple
    const char* simple_name;  // CUDA_ERROR_NO_DEVICE
    const char* title;        // "GPU fell off the bus"
};

const Xid* find_xid(uint32_t number);  // nullptr: unknown
const Xid* xids();                     // xid_count() rows, ascending by number
int xid_count();

// Appends to `message` why an XID that is not in the table is refused, and what to use instead.
void describe_unknown_xid(uint32_t number, Message& message);

struct ErrorName {
    Api api;
    int32_t code;
    const char* name;
};

const ErrorName* find_error(Text name);            // CUDA_ERROR_*, cudaError*, NVML_ERROR_*, nccl*; nullptr: unknown
const ErrorName* error_of(Api api, int32_t code);  // nullptr: unknown

}  // namespace cudafault
