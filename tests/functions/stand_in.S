// SPDX-License-Identifier: Apache-2.0
// Defines a stand-in library with the functions that the file FUNCTIONS lists. Each function jumps to the program's
// `record`. REAL is the array of their addresses. UNKNOWN is the first of UNKNOWN_COUNT functions that are not in the
// tables, 32 bytes apart. If LINKED is defined, this file is a library that is linked to the stand-in, and LINKED is
// the array of bound addresses.
#ifdef __x86_64__
#define JUMP(index) endbr64; push $index; jmp *record@GOTPCREL(%rip)
#else
#define JUMP(index) hint 34; mov x17, index; adrp x16, :got:record; ldr x16, [x16, :got_lo12:record]; br x16
#endif

#ifndef LINKED
    .text
#define FUNCTION(index, name) .globl name; .type name, %function; .balign 16; name: .Lreal_##name: JUMP(index)
#include FUNCTIONS
#undef FUNCTION

#ifdef UNKNOWN
    .globl UNKNOWN
    .balign 32
UNKNOWN:
    .rept UNKNOWN_COUNT
    .balign 32
    JUMP(UNKNOWN_INDEX)
    .endr
#endif

#define ADDRESSES REAL
#define FUNCTION(index, name) .quad .Lreal_##name
#else
#define ADDRESSES LINKED
#define FUNCTION(index, name) .quad name
#endif

    .section .data.rel.ro, "aw"
    .balign 8
    .globl ADDRESSES
ADDRESSES:
#include FUNCTIONS

    .section .note.GNU-stack, "", %progbits
