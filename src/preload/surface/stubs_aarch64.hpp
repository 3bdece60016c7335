// SPDX-License-Identifier: Apache-2.0
// Defines the instructions of a stub on aarch64. A stub may clobber x16, x17 and the flags only; x8 (structure result)
// is an argument too. See stubs_x86_64.hpp for the macros.
#pragma once

#define CUDAFAULT_FUNCTION_TYPE "%function"
#define CUDAFAULT_STUB_SIZE 44
#define CUDAFAULT_SLOW_OFFSET 32

#define CUDAFAULT_STUB_MACROS                             \
    ".macro cudafault_hook\n"                             \
    "hint #34\n" /* bti c */                              \
    "mov w17, #number\n"                                  \
    "b cudafault_enter\n"                                 \
    ".endm\n"                                             \
    ".macro cudafault_stub\n"                             \
    ".org cudafault_stubs+number*44\n"                    \
    "hint #34\n"                                          \
    "adrp x16, cudafault_block+flag\n"                    \
    "ldrb w17, [x16, #:lo12:cudafault_block+flag]\n"      \
    "cmp w17, #1\n"                                       \
    "b.ne 1f\n"                                           \
    "adrp x16, cudafault_targets+8*target\n"              \
    "ldr x16, [x16, #:lo12:cudafault_targets+8*target]\n" \
    "br x16\n"                                            \
    ".org cudafault_stubs+number*44+32\n"                 \
    "1: hint #34\n"                                       \
    "mov w17, #number\n"                                  \
    "b cudafault_enter\n"                                 \
    ".org cudafault_stubs+number*44+44\n"                 \
    ".endm\n"

#define CUDAFAULT_ENTER                                                                               \
    ".type cudafault_enter, %function\n"                                                              \
    "cudafault_enter:\n"                                                                              \
    ".cfi_startproc\n"                                                                                \
    "sub sp, sp, #224\n"                                                                              \
    ".cfi_adjust_cfa_offset 224\n"                                                                    \
    "stp x0, x1, [sp]\nstp x2, x3, [sp, #16]\nstp x4, x5, [sp, #32]\nstp x6, x7, [sp, #48]\n"         \
    "stp x8, x29, [sp, #64]\n"                                                                        \
    ".cfi_rel_offset x29, 72\n"                                                                       \
    "stp q0, q1, [sp, #80]\nstp q2, q3, [sp, #112]\nstp q4, q5, [sp, #144]\nstp q6, q7, [sp, #176]\n" \
    "str x30, [sp, #208]\n"                                                                           \
    ".cfi_rel_offset x30, 208\n"                                                                      \
    "mov x0, sp\n"                                                                                    \
    "mov w1, w17\n"                                                                                   \
    "bl cudafault_decide\n"                                                                           \
    "mov x16, x0\n"                                                                                   \
    "mov x17, x1\n"                                                                                   \
    "ldr x30, [sp, #208]\n"                                                                           \
    ".cfi_restore x30\n"                                                                              \
    "cbz x16, 2f\n"                                                                                   \
    "ldp x0, x1, [sp]\nldp x2, x3, [sp, #16]\nldp x4, x5, [sp, #32]\nldp x6, x7, [sp, #48]\n"         \
    "ldp x8, x29, [sp, #64]\n"                                                                        \
    "ldp q0, q1, [sp, #80]\nldp q2, q3, [sp, #112]\nldp q4, q5, [sp, #144]\nldp q6, q7, [sp, #176]\n" \
    "add sp, sp, #224\n"                                                                              \
    ".cfi_remember_state\n"                                                                           \
    ".cfi_adjust_cfa_offset -224\n"                                                                   \
    "br x16\n"                                                                                        \
    ".cfi_restore_state\n"                                                                            \
    "2: mov x0, x17\n"                                                                                \
    "ldr x29, [sp, #72]\n"                                                                            \
    "add sp, sp, #224\n"                                                                              \
    ".cfi_adjust_cfa_offset -224\n"                                                                   \
    "ret\n"                                                                                           \
    ".cfi_endproc\n"                                                                                  \
    ".size cudafault_enter, . - cudafault_enter\n"
