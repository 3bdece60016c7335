// SPDX-License-Identifier: Apache-2.0
// Defines the instructions of a stub on x86-64. A stub may clobber r11 and the flags only; r10 (static chain) and rax
// (number of vector registers) are arguments too. The assembler's symbols `number`, `target` and `flag` are the
// number of the stub, the index of its entry in the target table, and the offset of its flag in the control block.
#pragma once

#define CUDAFAULT_FUNCTION_TYPE "@function"
#define CUDAFAULT_STUB_SIZE 32
#define CUDAFAULT_SLOW_OFFSET 20

#define CUDAFAULT_STUB_MACROS                 \
    ".macro cudafault_hook\n"                 \
    "endbr64\n"                               \
    "movl $number, %r11d\n"                   \
    "jmp cudafault_enter\n"                   \
    ".endm\n"                                 \
    ".macro cudafault_stub\n"                 \
    ".org cudafault_stubs+number*32\n"        \
    "endbr64\n"                               \
    "cmpb $1, cudafault_block+flag(%rip)\n"   \
    "jne 1f\n"                                \
    "jmp *cudafault_targets+8*target(%rip)\n" \
    ".org cudafault_stubs+number*32+20\n"     \
    "1: movl $number, %r11d\n"                \
    "jmp cudafault_enter\n"                   \
    ".endm\n"

#define CUDAFAULT_ENTER                                                           \
    ".type cudafault_enter, @function\n"                                          \
    "cudafault_enter:\n"                                                          \
    ".cfi_startproc\n"                                                            \
    "subq $200, %rsp\n"                                                           \
    ".cfi_adjust_cfa_offset 200\n"                                                \
    "movq %rdi, (%rsp)\nmovq %rsi, 8(%rsp)\nmovq %rdx, 16(%rsp)\n"                \
    "movq %rcx, 24(%rsp)\nmovq %r8, 32(%rsp)\nmovq %r9, 40(%rsp)\n"               \
    "movq %rax, 48(%rsp)\nmovq %r10, 56(%rsp)\n"                                  \
    "movaps %xmm0, 64(%rsp)\nmovaps %xmm1, 80(%rsp)\nmovaps %xmm2, 96(%rsp)\n"    \
    "movaps %xmm3, 112(%rsp)\nmovaps %xmm4, 128(%rsp)\nmovaps %xmm5, 144(%rsp)\n" \
    "movaps %xmm6, 160(%rsp)\nmovaps %xmm7, 176(%rsp)\n"                          \
    "movq %rsp, %rdi\n"                                                           \
    "movl %r11d, %esi\n"                                                          \
    "call cudafault_decide\n"                                                     \
    "testq %rax, %rax\n"                                                          \
    "jz 2f\n"                                                                     \
    "movq %rax, %r11\n"                                                           \
    "movq (%rsp), %rdi\nmovq 8(%rsp), %rsi\nmovq 16(%rsp), %rdx\n"                \
    "movq 24(%rsp), %rcx\nmovq 32(%rsp), %r8\nmovq 40(%rsp), %r9\n"               \
    "movq 48(%rsp), %rax\nmovq 56(%rsp), %r10\n"                                  \
    "movaps 64(%rsp), %xmm0\nmovaps 80(%rsp), %xmm1\nmovaps 96(%rsp), %xmm2\n"    \
    "movaps 112(%rsp), %xmm3\nmovaps 128(%rsp), %xmm4\nmovaps 144(%rsp), %xmm5\n" \
    "movaps 160(%rsp), %xmm6\nmovaps 176(%rsp), %xmm7\n"                          \
    "addq $200, %rsp\n"                                                           \
    ".cfi_remember_state\n"                                                       \
    ".cfi_adjust_cfa_offset -200\n"                                               \
    "jmp *%r11\n"                                                                 \
    ".cfi_restore_state\n"                                                        \
    "2: movq %rdx, %rax\n"                                                        \
    "addq $200, %rsp\n"                                                           \
    ".cfi_adjust_cfa_offset -200\n"                                               \
    "ret\n"                                                                       \
    ".cfi_endproc\n"                                                              \
    ".size cudafault_enter, . - cudafault_enter\n"
