// SPDX-License-Identifier: Apache-2.0
// Overwrites part of a valid control block with arbitrary bytes. Reading the block must not crash and must not return a
// plan whose checksum does not match. Input: two bytes that encode a position before the counters, then the bytes to
// write at that position.
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "cudafault/control_block.hpp"

namespace {

using namespace cudafault;

constexpr uint32_t kUid = 1000;
constexpr size_t kTarget = offsetof(ControlBlock, run_state);  // header, flags, spec and plan

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static ControlBlock block;
    static PlanCopy copy;
    static Plan plan;
    SpecError error{};
    if (size < 2) return 0;
    const size_t position = (data[0] | data[1] << 8) % kTarget;
    const size_t length = size - 2 < kTarget - position ? size - 2 : kTarget - position;

    std::memset(static_cast<void*>(&block), 0, kTarget);
    control_init(block, kUid, 1);
    parse_plan("xid=79 gpu=0", plan, error);
    control_write_plan(block, "xid=79 gpu=0", plan, 1);
    std::memcpy(reinterpret_cast<unsigned char*>(&block) + position, data + 2, length);

    if (control_read_plan(block, kUid, copy)) {
        if (copy.size > kMaxSpec || copy.revision % 2 != 0 || !is_well_formed(copy.plan)) std::abort();
        if (copy.checksum != block.header.checksum) std::abort();
        parse_plan(Text(copy.spec, copy.size), plan, error);
    }
    return 0;
}
