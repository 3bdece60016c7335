// SPDX-License-Identifier: Apache-2.0
#include "local/no_fire.hpp"

#include <gmock/gmock.h>
#include <stdlib.h>

#include <nlohmann/json.hpp>

namespace cudafault::local {
namespace {

using nlohmann::json;
using testing::HasSubstr;

json fault(uint64_t matched = 0, uint64_t fired = 0, uint64_t on_other_gpu = 0, bool expired = false) {
    return {{"matched", matched}, {"fired", fired}, {"on_other_gpu", on_other_gpu}, {"expired", expired}};
}

json plan(const std::string& spec, const json& faults) {
    return {{"state", "armed"}, {"resolved", spec}, {"faults", faults}};
}

json process(const std::string& program, const std::string& script = "") {
    return {{"pid", 1}, {"rank", nullptr}, {"program", program}, {"script", script}};
}

const json kNoPlan = {{"state", "disarmed"}, {"faults", json::array()}};

json report(const json& current, const json& processes, const json& history = json::array()) {
    return {{"command", {"python3", "x.py"}},
            {"history", history},
            {"history_dropped", {{"plans", 0}, {"matched", 0}, {"fired", 0}}},
            {"evidence", {{"plan", current}, {"processes", processes}}}};
}

std::string reason(const std::string& spec, const json& faults,
                   const json& processes = json::array({process("python3", "x.py")})) {
    return reason_for_no_fire(report(plan(spec, faults), processes), true);
}

TEST(NoFire, CountsAllPlansOfTheRun) {
    const json before = json::array({plan("xid=79", json::array({fault(5, 2)}))});
    EXPECT_EQ(count_fired(report(plan("xid=79", json::array({fault(9, 3)})), json::array(), before)), 5U);
    EXPECT_EQ(count_fired(report(kNoPlan, json::array(), before)), 2U);
    EXPECT_TRUE(has_been_armed(report(kNoPlan, json::array(), before)));
    EXPECT_FALSE(has_been_armed(report(kNoPlan, json::array())));
}

TEST(NoFire, ReportsThatTheLibraryWasNotLoaded) {
    const json ended = report(plan("xid=79", json::array({fault()})), json::array());
    EXPECT_THAT(reason_for_no_fire(ended, false), HasSubstr("LD_PRELOAD was removed"));
    EXPECT_THAT(reason_for_no_fire(ended, false), HasSubstr("ended before its libraries were initialized"));
    EXPECT_THAT(reason_for_no_fire(ended, true), HasSubstr("no process of the run made a CUDA call"));
}

TEST(NoFire, ReportsThatThePlanHasExpired) {
    const json expired = json::array({fault(0, 0, 0, true)});
    EXPECT_THAT(reason("xid=79 until=2020-01-01T00:00:00Z", expired), HasSubstr("had ended before"));
}

TEST(NoFire, ReportsWhyNoCallMatched) {
    EXPECT_THAT(reason("xid=79", json::array({fault()})), HasSubstr("no call of a function that calls= selects"));
    EXPECT_THAT(reason("xid=79 gpu=1", json::array({fault(0, 0, 7)})),
                HasSubstr("7 calls of functions that calls= selects were on GPUs that gpu= does not select"));
    EXPECT_THAT(reason("xid=79 after=100", json::array({fault(99)})), HasSubstr("99 calls matched"));
    EXPECT_THAT(reason("xid=79 for=1s", json::array({fault(0, 0, 0, true)})), HasSubstr("had ended before"));
    EXPECT_THAT(reason("xid=79 rank=3", json::array({fault()})), HasSubstr("no process has rank 3"));
    EXPECT_THAT(reason("xid=79 pod=web-*", json::array({fault()})), HasSubstr("because CUDAFAULT_POD is not set"));
}

TEST(NoFire, ReportsThatNoProcessMatched) {
    const json processes = json::array({process("python3", "y.py"), process("python3", "y.py"), process("serve")});
    EXPECT_EQ(reason("xid=79 process=x.py", json::array({fault()}), processes),
              "no process matches process=x.py; the processes were: python3 y.py, serve");
    EXPECT_THAT(reason("xid=79 process=y.py", json::array({fault()}), processes),
                HasSubstr("no call of a function that calls= selects"));
}

TEST(NoFire, ReportsTheReasonOfEachFault) {
    const std::string text = reason("xid=79 after=5; xid=48 gpu=1", json::array({fault(1), fault(0, 0, 2)}));
    EXPECT_THAT(text, HasSubstr("fault 0: 1 call matched"));
    EXPECT_THAT(text, HasSubstr("fault 1: 2 calls of functions that calls= selects were on GPUs"));
}

TEST(NoFire, UsesAReplacedPlan) {
    const json before = json::array({plan("xid=79 rank=1", json::array({fault()}))});
    const json ended = report(kNoPlan, json::array({process("serve")}), before);
    EXPECT_THAT(reason_for_no_fire(ended, true), HasSubstr("no process has rank 1"));
}

TEST(StaticProgram, HasNoInterpreter) {
    EXPECT_FALSE(is_static_program("sh"));
    EXPECT_FALSE(is_static_program("/etc/passwd"));
    EXPECT_FALSE(is_static_program("/no/such/program"));
    EXPECT_FALSE(is_static_program("no-such-program"));
}

}  // namespace
}  // namespace cudafault::local
