// SPDX-License-Identifier: Apache-2.0
#include "preload/process/state.hpp"

#include "preload/evidence/log.hpp"

extern "C" {
cudafault::BlockPages cudafault_block;
cudafault::StatePages cudafault_state;
bool cudafault_is_wiped = true;
}

namespace cudafault {

void set_private_plan(Text spec, uint64_t armed_at_ns) {
    if (spec.size > kMaxSpec) complain("the plan is longer than 16384 bytes, so no fault is injected");
    control_write_plan(block(), spec, armed_at_ns);
}

}  // namespace cudafault
