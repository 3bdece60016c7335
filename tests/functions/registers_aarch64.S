// SPDX-License-Identifier: Apache-2.0
#include "registers.h"

    .bss
    .globl recorded, call_stack_pointer
    .balign 16
recorded:
    .skip RECORDED_RESULT + 32
    .balign 8
call_stack_pointer:
    .skip 8
own_stack_pointer:
    .skip 8

    .macro store_to name, value
    adrp x15, \name
    str \value, [x15, :lo12:\name]
    .endm

    .text
    .globl record
    .type record, %function
// Every stand-in jumps here with its index in x17.
record:
    adrp x16, recorded
    add x16, x16, :lo12:recorded
    stp x0, x1, [x16]
    stp x2, x3, [x16, 16]
    stp x4, x5, [x16, 32]
    stp x6, x7, [x16, 48]
    stp x8, xzr, [x16, VALUES_EXTRA]
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7
    str q\n, [x16, VALUES_VECTOR + 16 * \n]
    .endr
    mov x9, sp
    str x17, [x16, RECORDED_INDEX]
    str x9, [x16, RECORDED_SP]
    str x30, [x16, RECORDED_RETURN]
    add x10, x16, VALUES_STACK
    mov x11, STACK_WORDS
1:  ldr x12, [x9], 8
    str x12, [x10], 8
    subs x11, x11, 1
    b.ne 1b
    ldr x9, [x16, RECORDED_COUNT]
    add x9, x9, 1
    str x9, [x16, RECORDED_COUNT]
    ldr x9, [x16, RECORDED_ADDRESS]
    cbz x9, 2f
    str x9, [x1]
2:  ldp x0, x1, [x16, RECORDED_RESULT]
    add x9, x16, RECORDED_RESULT + 16
    ldr q0, [x9]
    ret

    .globl call_with, call_returns_here
    .type call_with, %function
call_with:
    stp x29, x30, [sp, -176]!
    stp x19, x20, [sp, 16]
    stp x21, x22, [sp, 32]
    stp x23, x24, [sp, 48]
    stp x25, x26, [sp, 64]
    stp x27, x28, [sp, 80]
    stp d8, d9, [sp, 96]
    stp d10, d11, [sp, 112]
    stp d12, d13, [sp, 128]
    stp d14, d15, [sp, 144]
    str x2, [sp, 160]
    mov x9, sp
    store_to own_stack_pointer, x9
    sub sp, sp, 8 * STACK_WORDS
    mov x10, sp
    store_to call_stack_pointer, x10
    add x9, x0, VALUES_STACK
    mov x11, STACK_WORDS
1:  ldr x12, [x9], 8
    str x12, [x10], 8
    subs x11, x11, 1
    b.ne 1b
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7
    ldr q\n, [x0, VALUES_VECTOR + 16 * \n]
    .endr
    mov x16, x1
    ldr x8, [x0, VALUES_EXTRA]
    ldp x6, x7, [x0, 48]
    ldp x4, x5, [x0, 32]
    ldp x2, x3, [x0, 16]
    ldp x0, x1, [x0]
    .irp n, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29
    mov x\n, 0x5a00 + \n
    .endr
    .irp n, 8, 9, 10, 11, 12, 13, 14, 15
    mov x9, 0x5a00 + \n
    fmov d\n, x9
    .endr
    blr x16
call_returns_here:
    mov x12, 0
    mov x10, sp
    adrp x9, call_stack_pointer
    ldr x9, [x9, :lo12:call_stack_pointer]
    cmp x9, x10
    b.eq 1f
    mov x12, DAMAGED_STACK
1:  .irp n, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29
    mov x9, 0x5a00 + \n
    cmp x9, x\n
    b.ne 2f
    .endr
    .irp n, 8, 9, 10, 11, 12, 13, 14, 15
    mov x9, 0x5a00 + \n
    fmov x10, d\n
    cmp x9, x10
    b.ne 2f
    .endr
    b 3f
2:  orr x12, x12, DAMAGED_REGISTERS
3:  adrp x9, own_stack_pointer
    ldr x9, [x9, :lo12:own_stack_pointer]
    mov sp, x9
    ldr x9, [sp, 160]
    stp x0, x1, [x9]
    str q0, [x9, 16]
    mov x0, x12
    ldp x19, x20, [sp, 16]
    ldp x21, x22, [sp, 32]
    ldp x23, x24, [sp, 48]
    ldp x25, x26, [sp, 64]
    ldp x27, x28, [sp, 80]
    ldp d8, d9, [sp, 96]
    ldp d10, d11, [sp, 112]
    ldp d12, d13, [sp, 128]
    ldp d14, d15, [sp, 144]
    ldp x29, x30, [sp], 176
    ret

// Replaces libc's clock_gettime for the library. Overwrites all registers that a function may change, because a future
// libc may do so.
    .globl clock_gettime
    .type clock_gettime, %function
clock_gettime:
    mov x8, 113
    svc 0
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    movi v\n\().16b, 255
    .endr
    .irp n, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17
    mov x\n, -1
    .endr
    ret

    .section .note.GNU-stack, "", %progbits
