// SPDX-License-Identifier: Apache-2.0
#include "registers.h"

    .bss
    .globl recorded, call_stack_pointer
    .balign 16
recorded:
    .skip RECORDED_RESULT + 32
call_stack_pointer:
    .skip 8
own_stack_pointer:
    .skip 8

    .text
    .globl record
    .type record, @function
// Every stand-in pushes its index and jumps here.
record:
    lea recorded(%rip), %r11
    mov %rdi, 0(%r11)
    mov %rsi, 8(%r11)
    mov %rdx, 16(%r11)
    mov %rcx, 24(%r11)
    mov %r8, 32(%r11)
    mov %r9, 40(%r11)
    mov %rax, VALUES_EXTRA(%r11)
    mov %r10, VALUES_EXTRA + 8(%r11)
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7
    movdqu %xmm\n, VALUES_VECTOR + 16 * \n(%r11)
    .endr
    pop %rax
    mov %rax, RECORDED_INDEX(%r11)
    mov %rsp, RECORDED_SP(%r11)
    mov (%rsp), %rax
    mov %rax, RECORDED_RETURN(%r11)
    lea 8(%rsp), %rsi
    lea VALUES_STACK(%r11), %rdi
    mov $STACK_WORDS, %ecx
    rep movsq
    incq RECORDED_COUNT(%r11)
    mov RECORDED_ADDRESS(%r11), %rax
    test %rax, %rax
    jz 1f
    mov 8(%r11), %rcx
    mov %rax, (%rcx)
1:  mov RECORDED_RESULT(%r11), %rax
    mov RECORDED_RESULT + 8(%r11), %rdx
    movdqu RECORDED_RESULT + 16(%r11), %xmm0
    ret

    .globl call_with, call_returns_here
    .type call_with, @function
call_with:
    push %rbp
    push %rbx
    push %r12
    push %r13
    push %r14
    push %r15
    push %rdx
    mov %rsp, own_stack_pointer(%rip)
    mov %rdi, %rbx
    mov %rsi, %r11
    sub $8 * STACK_WORDS, %rsp
    lea VALUES_STACK(%rbx), %rsi
    mov %rsp, %rdi
    mov $STACK_WORDS, %ecx
    rep movsq
    lea -8(%rsp), %rax
    mov %rax, call_stack_pointer(%rip)
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7
    movdqu VALUES_VECTOR + 16 * \n(%rbx), %xmm\n
    .endr
    mov 0(%rbx), %rdi
    mov 8(%rbx), %rsi
    mov 16(%rbx), %rdx
    mov 24(%rbx), %rcx
    mov 32(%rbx), %r8
    mov 40(%rbx), %r9
    mov VALUES_EXTRA(%rbx), %rax
    mov VALUES_EXTRA + 8(%rbx), %r10
    mov $0x5a5a0001, %ebx
    mov $0x5a5a0002, %ebp
    .irp n, 12, 13, 14, 15
    mov $0x5a5a0000 + \n, %r\n\()d
    .endr
    call *%r11
call_returns_here:
    xor %ecx, %ecx
    lea -8(%rsp), %r8
    cmp %r8, call_stack_pointer(%rip)
    je 1f
    or $DAMAGED_STACK, %ecx
1:  mov own_stack_pointer(%rip), %rsp
    cmp $0x5a5a0001, %rbx
    jne 2f
    cmp $0x5a5a0002, %rbp
    jne 2f
    .irp n, 12, 13, 14, 15
    cmp $0x5a5a0000 + \n, %r\n
    jne 2f
    .endr
    jmp 3f
2:  or $DAMAGED_REGISTERS, %ecx
3:  pop %r8
    mov %rax, 0(%r8)
    mov %rdx, 8(%r8)
    movdqu %xmm0, 16(%r8)
    mov %ecx, %eax
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbx
    pop %rbp
    ret

// Replaces libc's clock_gettime for the library. Overwrites all registers that a function may change, because a future
// libc may do so.
    .globl clock_gettime
    .type clock_gettime, @function
clock_gettime:
    mov $228, %eax
    syscall
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    pcmpeqd %xmm\n, %xmm\n
    .endr
    .irp register, rcx, rdx, rsi, rdi, r8, r9, r10, r11
    mov $-1, %\register
    .endr
    ret

    .section .note.GNU-stack, "", @progbits
