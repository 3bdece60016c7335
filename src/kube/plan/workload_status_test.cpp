// SPDX-License-Identifier: Apache-2.0
#include "kube/plan/workload_status.hpp"

#include <gtest/gtest.h>

namespace cudafault::kube {

namespace {

WorkloadStatus with_plan(const std::string& spec) {
    WorkloadStatus status;
    status.plan = PlanObject{};
    status.plan->spec = spec;
    return status;
}

TEST(WorkloadStatus, AnExpiredPlanIsNotArmed) {
    const WorkloadStatus ended = with_plan("xid=79 until=2020-01-01T00:00:00Z");
    EXPECT_EQ(ended.armed(), nullptr);
    EXPECT_EQ(ended.expired(), &*ended.plan);
    const WorkloadStatus lasting = with_plan("xid=79 until=2099-01-01T00:00:00Z");
    EXPECT_EQ(lasting.armed(), &*lasting.plan);
    EXPECT_EQ(lasting.expired(), nullptr);
}

TEST(WorkloadStatus, AnEmptyPlanIsNeitherArmedNorExpired) {
    for (const WorkloadStatus& status : {WorkloadStatus(), with_plan("")}) {
        EXPECT_EQ(status.armed(), nullptr);
        EXPECT_EQ(status.expired(), nullptr);
    }
}

}  // namespace

}  // namespace cudafault::kube
