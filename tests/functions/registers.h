// SPDX-License-Identifier: Apache-2.0
// Defines the values that a test call passes, and the record of a call that a stand-in receives. C and assembly share
// this file: the macros are offsets in the structures.
#pragma once

#define STACK_WORDS 32

#define VALUES_EXTRA 64
#define VALUES_VECTOR 80
#define VALUES_STACK 208
#define RECORDED_INDEX 464
#define RECORDED_COUNT 472
#define RECORDED_SP 480
#define RECORDED_RETURN 488
#define RECORDED_ADDRESS 496
#define RECORDED_RESULT 504

#define DAMAGED_REGISTERS 1
#define DAMAGED_STACK 2

#ifndef __ASSEMBLER__
#include <stddef.h>
#include <stdint.h>

#ifdef __x86_64__
enum { integer_registers = 6 };
#else
enum { integer_registers = 8 };
#endif

struct Values {
    uint64_t integer[8];    // rdi to r9, or x0 to x7
    uint64_t extra[2];      // rax and r10, or x8
    uint64_t vector[8][2];  // xmm0 to xmm7, or q0 to q7
    uint64_t stack[STACK_WORDS];
};

struct Result {
    uint64_t integer[2];  // rax and rdx, or x0 and x1
    uint64_t vector[2];
};

// Every stand-in function records its call here. It then stores `address`, if not NULL, where its second argument
// points, and returns `result`.
struct Recorded {
    struct Values values;
    uint64_t index;
    uint64_t count;
    uint64_t stack_pointer;  // on entry
    uint64_t return_address;
    void* address;
    struct Result result;
};
_Static_assert(offsetof(struct Values, extra) == VALUES_EXTRA, "");
_Static_assert(offsetof(struct Values, vector) == VALUES_VECTOR, "");
_Static_assert(offsetof(struct Values, stack) == VALUES_STACK, "");
_Static_assert(offsetof(struct Recorded, index) == RECORDED_INDEX, "");
_Static_assert(offsetof(struct Recorded, count) == RECORDED_COUNT, "");
_Static_assert(offsetof(struct Recorded, stack_pointer) == RECORDED_SP, "");
_Static_assert(offsetof(struct Recorded, return_address) == RECORDED_RETURN, "");
_Static_assert(offsetof(struct Recorded, address) == RECORDED_ADDRESS, "");
_Static_assert(offsetof(struct Recorded, result) == RECORDED_RESULT, "");

extern struct Recorded recorded;

// Calls `function` with these values. Returns the DAMAGED_* bits of the state that `function` failed to preserve.
// Afterwards `call_stack_pointer` and `call_returns_here` are the stack pointer and the return address on entry of the
// called function. A function that is reached from there by jumps has the same values on entry.
int call_with(const struct Values* values, void* function, struct Result* result);
extern uint64_t call_stack_pointer;
extern char call_returns_here[];
#endif
