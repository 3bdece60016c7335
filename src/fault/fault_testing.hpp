// SPDX-License-Identifier: Apache-2.0
// Defines helpers for the unit tests of the fault model.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "fault/plan.hpp"

namespace cudafault {

// Parses a valid spec. Returns the plan on the heap, because a plan is too large for a stack frame.
inline std::unique_ptr<Plan> parsed(const std::string& spec) {
    auto plan = std::make_unique<Plan>();
    SpecError error{};
    EXPECT_TRUE(parse_plan(Text(spec.data(), spec.size()), *plan, error)) << spec << ": " << error.message;
    return plan;
}

// Returns the first fault of a spec.
inline Fault fault_of(const std::string& spec) {
    const auto plan = parsed(spec);
    EXPECT_GE(plan->count, 1) << spec;
    return plan->faults[0];
}

}  // namespace cudafault
