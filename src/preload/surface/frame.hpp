// SPDX-License-Identifier: Apache-2.0
// Describes the registers that a stub saves before it calls cudafault_decide: the argument registers of the call, in
// the order of stubs_<architecture>.hpp.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace cudafault {

#if defined(__x86_64__)
struct Frame {
    static constexpr int kRegisters = 6;
    uint64_t arguments[kRegisters];  // rdi, rsi, rdx, rcx, r8, r9
    uint64_t rax, r10;
    uint8_t vectors[8][16];
    uint64_t alignment;
    const void* caller;
    uint64_t stack[];
};
static_assert(offsetof(Frame, caller) == 200);
#elif defined(__aarch64__)
struct Frame {
    static constexpr int kRegisters = 8;
    uint64_t arguments[kRegisters];  // x0 to x7
    uint64_t x8;
    uint64_t frame_pointer;
    uint8_t vectors[8][16];
    const void* caller;  // x30
    uint64_t alignment;
    uint64_t stack[];
};
static_assert(offsetof(Frame, stack) == 224);
#endif

// Returns the content of an 8-byte argument slot. data/README.md defines the slot numbers.
inline uint64_t argument(const Frame& frame, int slot) {
    return slot < Frame::kRegisters ? frame.arguments[slot] : frame.stack[slot - Frame::kRegisters];
}

template <typename T>
T* pointer_argument(const Frame& frame, int slot) {
    return reinterpret_cast<T*>(argument(frame, slot));
}

// The next action of the stub: it jumps to `target` with the saved registers, or returns `result` if `target` is
// nullptr.
struct Verdict {
    const void* target;
    uint64_t result;
};

inline Verdict jump_to(const void* target) { return {target, 0}; }
inline Verdict give(uint64_t result) { return {nullptr, result}; }
inline Verdict give(const void* result) { return give(reinterpret_cast<uint64_t>(result)); }

// Makes the call return a 32-bit status: a CUresult, cudaError_t, nvmlReturn_t or ncclResult_t.
inline Verdict give_status(int32_t status) { return give(static_cast<uint64_t>(static_cast<uint32_t>(status))); }

}  // namespace cudafault
