// SPDX-License-Identifier: Apache-2.0
// Emits the stubs and the exported names. The stubs differ only in their number, so the assembler repeats them. Each
// name is a label at its row's stub, so that no name needs a relocation.
#include "preload/surface/stubs.hpp"

#include "cudafault/control_block.hpp"

#define CUDAFAULT_TEXT_OF(x) #x
#define CUDAFAULT_TEXT(x) CUDAFAULT_TEXT_OF(x)

// clang-format off
__asm__(
    ".pushsection .text\n"
    CUDAFAULT_STUB_MACROS
    ".balign 64\n"
    ".hidden cudafault_stubs\n.globl cudafault_stubs\n"
    ".hidden cudafault_stubs_end\n.globl cudafault_stubs_end\n"
    "cudafault_stubs:\n"
    ".cfi_startproc\n"
    ".set rows, 0\n.set drivers, 0\n"  // number of rows, number of the driver's rows
#define CUDAFAULT_COUNT_driver ".set drivers, drivers+1\n.set drivers_end, rows\n"
#define CUDAFAULT_COUNT_runtime
#define CUDAFAULT_COUNT_nvml
#define CUDAFAULT_COUNT_nccl
#define CUDAFAULT_ROW(name, soname, api, ...) ".set rows, rows+1\n" CUDAFAULT_COUNT_##api
#include "functions.inc"
#undef CUDAFAULT_ROW
    ".set number, 0\n.set target, 0\n.set flag, " CUDAFAULT_TEXT(CUDAFAULT_FUNCTION_FLAGS) "\n"
    ".rept rows\n"
    "cudafault_stub\n"
    ".set number, number+1\n.set target, target+1\n.set flag, flag+1\n"
    ".endr\n"
    ".set flag, 0\n"  // the header's flag, because the function of a spare stub may have no row
    ".rept " CUDAFAULT_TEXT(CUDAFAULT_SPARES) "\n"
    "cudafault_stub\n"
    ".set number, number+1\n.set target, target+1\n"
    ".endr\n"
    ".set target, drivers_end-drivers\n.set flag, target+" CUDAFAULT_TEXT(CUDAFAULT_FUNCTION_FLAGS) "\n"
    ".rept drivers\n"
    "cudafault_stub\n"
    ".set number, number+1\n.set target, target+1\n.set flag, flag+1\n"
    ".endr\n"
    "cudafault_stubs_end:\n"
    ".irp name, dlsym, dlvsym, dlopen, dlmopen, dlclose, dlerror\n"  // in the order of LoaderHook
    ".globl \\name\n.type \\name, " CUDAFAULT_FUNCTION_TYPE "\n"
    ".hidden cudafault_\\name\n.globl cudafault_\\name\n"
    ".balign 16\n"
    "cudafault_\\name:\n"
    "\\name:\n"
    "cudafault_hook\n"
    ".size \\name, . - \\name\n"
    ".set number, number+1\n"
    ".endr\n"
    ".cfi_endproc\n"
    ".balign 16\n" CUDAFAULT_ENTER
    ".popsection\n");

// The label of an exported name. The linker reads the symbol version from the label.
#define CUDAFAULT_AT_0_0 "@libcudart.so.11.0"
#define CUDAFAULT_AT_1_0 "@libcudart.so.12"
#define CUDAFAULT_AT_2_0 "@libcudart.so.13"
#define CUDAFAULT_AT_0_1 "@@libcudart.so.11.0"
#define CUDAFAULT_AT_1_1 "@@libcudart.so.12"
#define CUDAFAULT_AT_2_1 "@@libcudart.so.13"
#define CUDAFAULT_LABEL_driver(name, soname, newest) #name
#define CUDAFAULT_LABEL_nvml(name, soname, newest) #name
#define CUDAFAULT_LABEL_nccl(name, soname, newest) #name
#define CUDAFAULT_LABEL_runtime(name, soname, newest) #name CUDAFAULT_AT_##soname##_##newest

__asm__(
    ".macro cudafault_export name, address\n"
    ".globl \"\\name\"\n"
    ".type \"\\name\", " CUDAFAULT_FUNCTION_TYPE "\n"
    ".size \"\\name\", " CUDAFAULT_TEXT(CUDAFAULT_STUB_SIZE) "\n"
    ".set \"\\name\", \\address\n"
    ".endm\n"
    ".set number, 0\n"
#define CUDAFAULT_ROW(name, soname, api, cls, from, slot, hook, status, simple, per_thread, version, newest) \
    "cudafault_export " CUDAFAULT_LABEL_##api(name, soname, newest) ", cudafault_stubs+number*" CUDAFAULT_TEXT(CUDAFAULT_STUB_SIZE) "\n" \
    ".set number, number+1\n"
#include "functions.inc"
#undef CUDAFAULT_ROW
    );
// clang-format on

extern "C" {
extern const char cudafault_stubs_end[] __attribute__((visibility("hidden")));
extern const char __ehdr_start[] __attribute__((visibility("hidden")));
extern const char _end[] __attribute__((visibility("hidden")));
const void* cudafault_targets[cudafault::kTargets];
}

namespace cudafault {

int stub_at(const void* address) {
    const auto at = static_cast<const char*>(address);
    if (at < cudafault_stubs || at >= cudafault_stubs_end) return -1;
    return static_cast<int>((at - cudafault_stubs) / CUDAFAULT_STUB_SIZE);
}

bool is_in_this_library(const void* address) { return address >= __ehdr_start && address < _end; }

}  // namespace cudafault
