// SPDX-License-Identifier: Apache-2.0
// Prints the offset and size of each part of a control block.
#include <cstdio>

#include "cudafault/control_block.hpp"

#define PART(name, member) \
    std::printf("%s %zu %zu\n", name, offsetof(ControlBlock, member), sizeof(ControlBlock::member))
#define HEADER(member)                                                                                     \
    std::printf("%s %zu %zu\n", #member, offsetof(ControlBlock, header) + offsetof(ControlHeader, member), \
                sizeof(ControlHeader::member))

int main() {
    using namespace cudafault;
    HEADER(flag);
    HEADER(magic);
    HEADER(version);
    HEADER(owner_uid);
    HEADER(function_count);
    HEADER(heartbeat_ns);
    HEADER(revision);
    HEADER(armed_at_ns);
    HEADER(checksum);
    HEADER(spec_size);
    PART("header", header);
    PART("function_flags", function_flags);
    PART("spec", spec);
    PART("plan", plan);
    PART("run_state", run_state);
    PART("event_head", event_head);
    PART("events", events);
    PART("processes", processes);
    PART("matched", matched);
    PART("fired", fired);
    std::printf("all 0 %zu\n", sizeof(ControlBlock));
}
