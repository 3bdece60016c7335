// SPDX-License-Identifier: Apache-2.0
#include "local/evidence.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <cstring>

#include "local/control.hpp"
#include "local/spec.hpp"
#include "os/clock.hpp"
#include "os/process.hpp"
#include "os/timestamp.hpp"

namespace cudafault::local {

namespace {

using nlohmann::json;

// Stores an event as a process of the run does when a fault fires.
void record(ControlBlock& block, const Event& event) {
    const uint64_t sequence = ++block.event_head;
    Event& slot = block.events[(sequence - 1) % kEventSlots];
    slot = event;
    slot.sequence = sequence;
}

Event event_of(const char* function) {
    Event event{};
    event.time_ns = 1'700'000'000'123'456'789;
    event.pid = 42;
    event.code = 719;
    event.function = static_cast<uint16_t>(find_function(function));
    event.gpu = -1;
    event.rank = -1;
    return event;
}

void fill_with_noise(Control& control, unsigned seed) {
    srandom(seed);
    auto* bytes = reinterpret_cast<unsigned char*>(&control.block());
    for (size_t i = 0; i < sizeof(ControlBlock); ++i) bytes[i] = static_cast<unsigned char>(random());
}

TEST(Evidence, IsDisarmedWithoutAPlan) {
    const Control control = Control::create();
    const json evidence = evidence_json(control.block(), nullptr);
    EXPECT_EQ(evidence["plan"]["state"], "disarmed");
    EXPECT_TRUE(evidence["plan"]["faults"].empty());
    EXPECT_TRUE(evidence["processes"].empty());
}

TEST(Evidence, ShowsTheCountsOfEachFault) {
    Control control = Control::create();
    const uint64_t revision = control.write_plan("xid=79 gpu=local:0; error=719 calls=cuInit; xid=48");
    ControlBlock& block = control.block();
    const int bank = bank_of(revision);
    block.matched[bank][0] = 12;
    block.fired[bank][0][find_function("cuInit")] = 3;
    block.fired[bank][0][find_function("cuMemAlloc_v2")] = 4;
    block.matched[bank][1] = 5;
    const json plan =
        plan_json(block, {{"revision", revision}, {"spec", "xid=79 gpu=0; error=719 calls=cuInit; xid=48"}});
    EXPECT_EQ(plan["state"], "armed");
    EXPECT_EQ(plan["resolved"], "xid=79 gpu=local:0; error=719 calls=cuInit; xid=48");
    const json& faults = plan["faults"];
    ASSERT_EQ(faults.size(), 3u);
    EXPECT_EQ(faults[0]["spec"], "xid=79 gpu=0");
    EXPECT_EQ(faults[0]["matched"], 12);
    EXPECT_EQ(faults[0]["fired"], 7);
    EXPECT_EQ(faults[0]["outcome"], "fired");
    EXPECT_EQ(faults[0]["functions"][0]["function"], "cuMemAlloc_v2");
    EXPECT_EQ(faults[0]["functions"][1]["fired"], 3);
    EXPECT_EQ(faults[1]["outcome"], "matched, never fired");
    EXPECT_EQ(faults[2]["outcome"], "never hit");
}

TEST(Evidence, CountsCallsInFlightForTheReplacedPlan) {
    Control control = Control::create();
    ControlBlock& block = control.block();
    const int bank = bank_of(control.write_plan("xid=79"));
    json plan = plan_json(block, nullptr);
    control.write_plan("xid=48");
    block.matched[bank][0] = 2;
    block.fired[bank][0][find_function("cuInit")] = 1;
    read_replaced(block, plan);
    EXPECT_EQ(plan["faults"][0]["matched"], 2);
    EXPECT_EQ(plan["faults"][0]["fired"], 1);
    EXPECT_EQ(plan["faults"][0]["outcome"], "fired");
    EXPECT_EQ(plan["faults"][0]["spec"], "xid=79");
    EXPECT_EQ(plan_json(block, nullptr)["faults"][0]["matched"], 0);
    control.write_plan("xid=43");
    block.matched[bank][0] = 99;
    read_replaced(block, plan);
    EXPECT_EQ(plan["faults"][0]["matched"], 2) << "counts of a newer plan in the same bank must be ignored";
}

TEST(Evidence, IgnoresTheGivenTextOfAnOlderPlan) {
    Control control = Control::create();
    const uint64_t revision = control.write_plan("xid=79");
    control.write_plan("xid=48");
    EXPECT_EQ(plan_json(control.block(), {{"revision", revision}, {"spec", "xid=79"}})["spec"], "xid=48");
}

TEST(Evidence, ShowsExpiredFaults) {
    Control control = Control::create();
    control.write_plan("xid=79 for=1us; xid=79 for=1h");
    usleep(1000);
    const json plan = plan_json(control.block(), nullptr);
    EXPECT_EQ(plan["faults"][0]["expired"], true);
    EXPECT_EQ(plan["faults"][1]["expired"], false);
}

TEST(Evidence, PlanIsStalledWithoutAFreshHeartbeat) {
    Control control = Control::create();
    control.write_plan("xid=79");
    EXPECT_EQ(plan_json(control.block(), nullptr)["stalled"], false);
    for (const uint64_t heartbeat : {shared_monotonic_ns() - kHeartbeatLimitNs - 1, UINT64_MAX}) {
        control.block().header.heartbeat_ns = heartbeat;
        EXPECT_EQ(plan_json(control.block(), nullptr)["stalled"], true);
    }
}

TEST(Evidence, CountsCallsOnOtherGpus) {
    Control control = Control::create();
    const uint64_t revision = control.write_plan("xid=79 gpu=1");
    control.block().on_other_gpu[bank_of(revision)][0] = 7;
    EXPECT_EQ(plan_json(control.block(), nullptr)["faults"][0]["on_other_gpu"], 7);
}

TEST(Evidence, ShowsTheWallTimeOfArming) {
    Control control = Control::create();
    control.write_plan("xid=79");
    const std::string armed_at = plan_json(control.block(), nullptr)["armed_at"];
    EXPECT_LT(std::chrono::system_clock::now() - parse_timestamp(armed_at).value(), std::chrono::minutes(1));
}

TEST(Evidence, ListsProcesses) {
    Control control = Control::create();
    control.block().processes[5] = {getpid(), 3, start_time(getpid()).value(), 4, 9, "python3", "x.py"};
    control.block().processes[7] = {1, -1, 12345, 2, 0, "a\x1b[31m", "\xff"};
    const json processes = evidence_json(control.block(), nullptr)["processes"];
    ASSERT_EQ(processes.size(), 2u);
    EXPECT_EQ(processes[0]["alive"], false);
    EXPECT_TRUE(processes[0]["rank"].is_null());
    EXPECT_EQ(processes[0]["program"], "a [31m");
    EXPECT_EQ(processes[0]["script"], "\xef\xbf\xbd");
    EXPECT_EQ(processes[1]["pid"], getpid());
    EXPECT_EQ(processes[1]["alive"], true);
    EXPECT_EQ(processes[1]["rank"], 3);
    EXPECT_EQ(processes[1]["acknowledged"], 4);
    EXPECT_EQ(processes[1]["program"], "python3");
    EXPECT_EQ(processes[1]["script"], "x.py");
}

TEST(Evidence, ShowsABlockOfAnotherUserAsUnknown) {
    Control control = Control::create();
    control.block().header.owner_uid = getuid() + 1;
    EXPECT_EQ(plan_json(control.block(), nullptr)["state"], "unknown");
}

TEST(Evidence, ShowsRandomBytesAsUnknown) {
    for (unsigned seed = 0; seed < 5; ++seed) {
        Control control = Control::create();
        fill_with_noise(control, seed);
        const json evidence = evidence_json(control.block(), nullptr);
        EXPECT_EQ(evidence["plan"]["state"], "unknown");
        EXPECT_FALSE(evidence.dump().empty());
    }
}

TEST(Events, HaveNamesOfFunctionAndErrorInJson) {
    Event event = event_of("cuInit");
    json shown = event_json(event);
    EXPECT_EQ(shown["time"], "2023-11-14T22:13:20.123456789Z");
    EXPECT_EQ(shown["function"], "cuInit");
    EXPECT_EQ(shown["error"], "CUDA_ERROR_LAUNCH_FAILED");
    EXPECT_TRUE(shown["gpu"].is_null());
    event.function = static_cast<uint16_t>(find_function("cudaMalloc"));
    event.gpu = 1;
    shown = event_json(event);
    EXPECT_EQ(shown["error"], "cudaErrorLaunchFailure");
    EXPECT_EQ(shown["library"], "libcudart.so.11.0");
    EXPECT_EQ(shown["gpu"], 1);
}

TEST(Events, AreReadOnce) {
    Control control = Control::create();
    EventReader reader(control.block());
    EXPECT_TRUE(reader.read().empty());
    for (int i = 0; i < 3; ++i) record(control.block(), event_of("cuInit"));
    EXPECT_EQ(reader.read().size(), 3u);
    EXPECT_TRUE(reader.read().empty());
    record(control.block(), event_of("cuInit"));
    ASSERT_EQ(reader.read().size(), 1u);
    EXPECT_EQ(reader.counts()["kept"], 4);
    EXPECT_EQ(reader.counts()["total"], 4);
}

TEST(Events, OverwrittenEventsAreCounted) {
    Control control = Control::create();
    for (uint32_t i = 0; i < kEventSlots + 10; ++i) record(control.block(), event_of("cuInit"));
    EventReader reader(control.block());
    const auto events = reader.read();
    ASSERT_EQ(events.size(), kEventSlots);
    EXPECT_EQ(events[0].sequence, 11u);
    EXPECT_EQ(reader.counts()["overwritten"], 10);
    EXPECT_EQ(reader.counts()["lost"], 0);
}

TEST(Events, UnfinishedEventsAreReadLater) {
    Control control = Control::create();
    for (int i = 0; i < 3; ++i) record(control.block(), event_of("cuInit"));
    control.block().events[1].sequence = 0;
    EventReader reader(control.block());
    EXPECT_EQ(reader.read().size(), 1u);
    EXPECT_EQ(reader.read().size(), 0u);
    control.block().events[1].sequence = 2;
    EXPECT_EQ(reader.read().size(), 2u);
    EXPECT_EQ(reader.counts()["lost"], 0);
}

TEST(Events, UnfinishedEventsAreSkippedAfterALimitedTime) {
    Control control = Control::create();
    for (int i = 0; i < 3; ++i) record(control.block(), event_of("cuInit"));
    control.block().events[1].sequence = 0;
    EventReader last(control.block());
    EXPECT_EQ(last.read_last().size(), 2u);
    EXPECT_EQ(last.counts()["lost"], 1);
    EventReader polling_reader(control.block());
    size_t found = 0;
    for (int i = 0; i < 100; ++i) found += polling_reader.read().size();
    EXPECT_EQ(found, 2u);
    EXPECT_EQ(polling_reader.counts()["lost"], 1);
}

TEST(Events, InvalidEventsAreSkipped) {
    Control control = Control::create();
    for (int kind = 0; kind < 3; ++kind) {
        Event event = event_of("cuInit");
        if (kind == 0) event.function = kFunctionCount;
        if (kind == 1) event.fault = kMaxFaults;
        if (kind == 2) event.effect = 5;
        record(control.block(), event);
    }
    EventReader reader(control.block());
    EXPECT_TRUE(reader.read().empty());
    EXPECT_EQ(reader.counts()["lost"], 3);
}

TEST(Events, ReaderRestartsAfterTheRingIsCleared) {
    Control control = Control::create();
    for (int i = 0; i < 5; ++i) record(control.block(), event_of("cuInit"));
    EventReader reader(control.block());
    reader.read();
    control.block().event_head = 0;
    reader.read();
    record(control.block(), event_of("cuInit"));
    EXPECT_EQ(reader.read().size(), 1u);
}

TEST(Events, HandlesTheLargestHead) {
    Control control = Control::create();
    EventReader reader(control.block());
    control.block().event_head = UINT64_MAX;
    EXPECT_TRUE(reader.read_last().empty());
    control.block().event_head = 0;
    record(control.block(), event_of("cuInit"));
    EXPECT_EQ(reader.read_last().size(), 1u);
}

}  // namespace

}  // namespace cudafault::local
