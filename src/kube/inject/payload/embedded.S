// SPDX-License-Identifier: Apache-2.0
// Embeds each file between a start and an end symbol. The build passes the file names.
.macro embed name, file
    .global cudafault_\name
    .global cudafault_\name\()_end
    .balign 16
cudafault_\name:
    .incbin "\file"
cudafault_\name\()_end:
    .byte 0
.endm

.section .rodata
embed library_x86_64, LIBRARY_X86_64
embed library_aarch64, LIBRARY_AARCH64
embed one_file_source, ONE_FILE_SOURCE

.section .note.GNU-stack, "", %progbits
