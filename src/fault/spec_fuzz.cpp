// SPDX-License-Identifier: Apache-2.0
// Parses arbitrary bytes as a spec. The result must be a plan whose values are in range, or an error with a position
// inside the text.
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "fault/plan.hpp"

namespace {

using namespace cudafault;

void require(bool condition) {
    if (!condition) std::abort();
}

bool is_terminated(const char (&glob)[kMaxGlob]) { return std::memchr(glob, 0, sizeof glob) != nullptr; }

void check(const Fault& fault) {
    require(fault.gpu_count <= kMaxGpus);
    require(fault.every >= 1 && fault.times >= 1 && fault.probability >= 1 && fault.window_ns >= 1);
    require(fault.effect != Effect::error || (fault.code >= 1 && fault.code <= 9999));
    require(fault.rank_count <= kMaxRanks);
    for (int i = 0; i < fault.gpu_count; ++i) require(fault.gpus[i].uuid_digits <= kUuidDigits);
    require(is_terminated(fault.process) && is_terminated(fault.node) && is_terminated(fault.pod));
    bool any = false;
    for (int row = 0; row < kFunctionCount; ++row) {
        any |= fault.calls.has(row);
        require(!fault.calls.has(row) || kFunctions[row].returns_status);
    }
    require(any);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static Plan plan;
    SpecError error{};
    const Arming arming{uint64_t{1} << 60, 4};
    const Text spec(reinterpret_cast<const char*>(data), size);
    if (parse_plan(spec, plan, error, &arming)) require(parse_plan(spec, plan, error));
    if (parse_plan(Text(reinterpret_cast<const char*>(data), size), plan, error)) {
        require(plan.count >= 0 && plan.count <= kMaxFaults);
        for (int i = 0; i < plan.count; ++i) check(plan.faults[i]);
    } else {
        require(error.position <= size && error.length <= size - error.position);
        require(error.message[0] != '\0' && std::memchr(error.message, 0, sizeof error.message) != nullptr);
    }
    return 0;
}
