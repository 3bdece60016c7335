// SPDX-License-Identifier: Apache-2.0
#include "preload/process/state.hpp"

#include "preload/evidence/log.hpp"

extern "C" {
cudafault::BlockPages cudafault_block;
cudafault::StatePages cudafault_state;
bool cudafault_is_wiped = true;
}

namespace cudafault {

namespace {

void report_invalid_plan(const SpecError& error) {
    char line[480];
    TextBuilder message(line);
    message.add("invalid plan at character ");
    message.add(uint64_t{error.position + 1});
    message.add(", so no fault is injected: ");
    message.add(error.message);
    log_message(line);
}

}  // namespace

void set_private_plan(Text spec, uint64_t armed_at_ns) {
    Plan& plan = process().parsed;
    SpecError error{};
    if (parse_plan(spec, plan, error)) return control_write_plan(block(), spec, plan, armed_at_ns);
    report_invalid_plan(error);
    plan = Plan{};
    control_write_plan(block(), Text(), plan, armed_at_ns);
}

}  // namespace cudafault
