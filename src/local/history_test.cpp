// SPDX-License-Identifier: Apache-2.0
#include "local/history.hpp"

#include <gtest/gtest.h>

#include "local/control.hpp"
#include "local/evidence.hpp"

namespace cudafault::local {

namespace {

using nlohmann::json;

json plan_with_counts(uint64_t revision, uint64_t matched, uint64_t fired) {
    const json fault = {{"index", 0}, {"matched", matched}, {"fired", fired}};
    return {{"revision", revision}, {"faults", {fault, fault}}};
}

TEST(History, SumsUpDroppedPlans) {
    json record;
    start_history(record);
    for (uint64_t i = 0; i < kLongestHistory + 3; ++i) add_to_history(record, plan_with_counts(4 + 2 * i, 10 + i, i));
    ASSERT_EQ(record["history"].size(), kLongestHistory);
    EXPECT_EQ(record["history"].front()["revision"], 10);
    EXPECT_EQ(record["history_dropped"], (json{{"plans", 3}, {"matched", 2 * (10 + 11 + 12)}, {"fired", 2 * 3}}));
    EXPECT_NO_THROW(require_history(record));
}

TEST(History, UpdatesTheLastReplacedPlanOnly) {
    Control control = Control::create();
    json record;
    start_history(record);
    update_history(control.block(), record);
    for (const char* spec : {"xid=79", "xid=48"}) {
        control.write_plan(spec);
        add_to_history(record, plan_json(control.block(), nullptr));
    }
    control.write_plan("xid=43");
    for (auto& matched : control.block().matched) matched[0] = 7;
    update_history(control.block(), record);
    EXPECT_EQ(record["history"][0]["faults"][0]["matched"], 0);
    EXPECT_EQ(record["history"][1]["faults"][0]["matched"], 7);
}

TEST(History, RefusesADamagedHistory) {
    json record;
    start_history(record);
    record["history_dropped"]["fired"] = "none";
    EXPECT_THROW(require_history(record), json::exception);
    record["history_dropped"] = nullptr;
    EXPECT_THROW(require_history(record), json::exception);
}

}  // namespace

}  // namespace cudafault::local
