// SPDX-License-Identifier: Apache-2.0
// Overwrites a valid control block with any bytes. Reading it must not crash, and must not return a plan whose checksum
// does not match. Input: two bytes with a position in header and spec, then the bytes to write there.
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "cudafault/control_block.hpp"

namespace {

using namespace cudafault;

constexpr uint32_t kUid = 1000;
constexpr size_t kTarget = offsetof(ControlBlock, run_state);  // header and spec

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static ControlBlock block;
    static PlanText text;
    if (size < 2) return 0;
    const size_t position = (data[0] | data[1] << 8) % kTarget;
    const size_t length = size - 2 < kTarget - position ? size - 2 : kTarget - position;

    std::memset(static_cast<void*>(&block), 0, kTarget);
    control_init(block, kUid, 1);
    control_write_plan(block, "xid=79 gpu=0", 1);
    std::memcpy(reinterpret_cast<unsigned char*>(&block) + position, data + 2, length);

    if (control_read_plan(block, kUid, text)) {
        if (text.size > kMaxSpec || text.revision % 2 != 0) std::abort();
        if (control_checksum(text.revision, text.armed_at_ns, Text(text.spec, text.size)) != block.header.checksum)
            std::abort();
        static Plan plan;
        SpecError error{};
        parse_plan(Text(text.spec, text.size), plan, error);
    }
    return 0;
}
