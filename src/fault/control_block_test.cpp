// SPDX-License-Identifier: Apache-2.0
#include "cudafault/control_block.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <thread>

namespace cudafault {
namespace {

constexpr uint32_t kUid = 1000;
constexpr uint64_t kArmedAt = 1'700'000'000'000'000'000;

class ControlBlockTest : public testing::Test {
protected:
    ControlBlockTest() { control_init(block, kUid, 7); }

    void write(const std::string& spec) {
        const auto plan = std::make_unique<Plan>();
        const Text text(spec.data(), spec.size());
        SpecError error{};
        ASSERT_TRUE(parse_plan(text, *plan, error)) << error.message;
        control_write_plan(block, text, *plan, kArmedAt);
    }

    // Recomputes the checksum, as a writer with a damaged plan would.
    void sign() {
        ControlHeader& header = block.header;
        header.checksum =
            control_checksum(header.revision, header.armed_at_ns, Text(block.spec, header.spec_size), block.plan);
    }

    uint8_t flag_of(const char* function) const { return block.function_flags[find_function(function)]; }

    bool read() { return control_read_plan(block, kUid, out); }

    std::string spec() const { return {out.spec, out.size}; }

    std::unique_ptr<ControlBlock> storage = std::make_unique<ControlBlock>();
    ControlBlock& block = *storage;
    std::unique_ptr<PlanCopy> out_storage = std::make_unique<PlanCopy>();
    PlanCopy& out = *out_storage;
};

TEST_F(ControlBlockTest, StartsDisarmed) {
    ASSERT_TRUE(read());
    EXPECT_EQ(out.size, 0u);
    EXPECT_EQ(out.revision, 2u);
    EXPECT_EQ(block.header.flag, kFlagIdle);
    EXPECT_EQ(block.header.heartbeat_ns, 7u);
}

TEST_F(ControlBlockTest, ReadsBackTheWrittenPlan) {
    write("xid=79 gpu=0");
    ASSERT_TRUE(read());
    EXPECT_EQ(spec(), "xid=79 gpu=0");
    EXPECT_EQ(out.armed_at_ns, kArmedAt);
    EXPECT_EQ(out.revision, 4u);
    EXPECT_EQ(block.header.flag, kFlagArmed);
    write("");
    ASSERT_TRUE(read());
    EXPECT_EQ(out.size, 0u);
    EXPECT_EQ(out.revision, 6u);
    EXPECT_EQ(block.header.flag, kFlagIdle);
    write(" \n");
    EXPECT_EQ(block.header.flag, kFlagIdle);
}

TEST_F(ControlBlockTest, StoresTheLongestSpec) {
    write("xid=79" + std::string(kMaxSpec - 6, ' '));
    ASSERT_TRUE(read());
    EXPECT_EQ(out.size, kMaxSpec);
    EXPECT_EQ(out.plan.count, 1);
}

TEST_F(ControlBlockTest, StoresTheParsedPlan) {
    write("xid=79 gpu=3; error=719 calls=cuMemAlloc after=7");
    ASSERT_TRUE(read());
    ASSERT_EQ(out.plan.count, 2);
    EXPECT_EQ(out.plan.faults[0].xid, 79);
    EXPECT_EQ(out.plan.faults[0].gpus[0].number, 3u);
    EXPECT_EQ(out.plan.faults[1].after_calls, 7u);
    EXPECT_TRUE(out.plan.faults[1].calls.has(find_function("cuMemAlloc_v2")));
}

TEST_F(ControlBlockTest, SetsTheFlagsOfOnlyTheFunctionsInThePlan) {
    EXPECT_EQ(flag_of("cuMemAlloc_v2"), kFlagIdle);
    write("error=719 calls=cuMemAlloc");
    EXPECT_EQ(flag_of("cuMemAlloc_v2"), kFlagArmed);
    EXPECT_EQ(flag_of("cuMemFree_v2"), kFlagIdle);
    EXPECT_EQ(flag_of("cudaGetLastError"), kFlagArmed) << "cudaGetLastError reports errors injected into other calls";
    write("error=719 calls=cuMemFree");
    EXPECT_EQ(flag_of("cuMemAlloc_v2"), kFlagIdle);
    EXPECT_EQ(flag_of("cuMemFree_v2"), kFlagArmed);
    write("");
    for (const uint8_t flag : block.function_flags) ASSERT_EQ(flag, kFlagIdle);
}

TEST_F(ControlBlockTest, RejectsAnIllFormedPlanEvenIfItsChecksumIsCorrect) {
    write("xid=79 gpu=0 process=a");
    const auto good = std::make_unique<Plan>(block.plan);
    const auto rejected = [&](auto damage) {
        damage(block.plan.faults[0]);
        sign();
        const bool result = !read();
        block.plan = *good;
        sign();
        return result;
    };
    EXPECT_TRUE(rejected([](Fault& f) { f.gpu_count = kMaxGpus + 1; }));
    EXPECT_TRUE(rejected([](Fault& f) { f.gpus[0].kind = static_cast<GpuKind>(9); }));
    EXPECT_TRUE(rejected([](Fault& f) { f.effect = static_cast<Effect>(9); }));
    EXPECT_TRUE(rejected([](Fault& f) { f.scope = static_cast<Scope>(9); }));
    EXPECT_TRUE(rejected([](Fault& f) { f.model = static_cast<Model>(9); }));
    EXPECT_TRUE(rejected([](Fault& f) { f.every = 0; }));
    EXPECT_TRUE(rejected([](Fault& f) { std::memset(f.process, 'x', sizeof f.process); }));
    EXPECT_TRUE(rejected([](Fault& f) { f.calls.add(find_function("cudaGetErrorString")); }))
        << "cudaGetErrorString cannot return an error";
    EXPECT_TRUE(read()) << "the unchanged plan is valid";
    block.plan.count = kMaxFaults + 1;
    EXPECT_FALSE(read());
}

TEST_F(ControlBlockTest, WritingAPlanClearsItsCountsAndKeepsThoseOfThePreviousPlan) {
    for (int bank = 0; bank < kBanks; ++bank) {
        block.run_state[bank][3] = {9, 9, 9, 9, 9, 1, 0};
        block.matched[bank][15] = block.fired[bank][15][kFunctionCount - 1] = 9;
    }
    block.event_head = 9;
    const int old_bank = bank_of(block.header.revision);
    write("xid=79");
    const int new_bank = bank_of(block.header.revision);
    ASSERT_NE(new_bank, old_bank);
    const FaultState zero{};
    EXPECT_EQ(std::memcmp(&block.run_state[new_bank][3], &zero, sizeof zero), 0);
    EXPECT_EQ(block.matched[new_bank][15], 0u);
    EXPECT_EQ(block.fired[new_bank][15][kFunctionCount - 1], 0u);
    EXPECT_EQ(block.run_state[old_bank][3].fired, 9u);
    EXPECT_EQ(block.matched[old_bank][15], 9u);
    EXPECT_EQ(block.fired[old_bank][15][kFunctionCount - 1], 9u);
    EXPECT_EQ(block.event_head, 9u) << "one list stores the events of all plans";
}

TEST_F(ControlBlockTest, RejectsADamagedHeader) {
    write("xid=79");
    const ControlHeader good = block.header;
    const auto refused = [&](auto change) {
        block.header = good;
        change(block.header);
        const bool result = !read();
        block.header = good;
        return result;
    };
    EXPECT_TRUE(refused([](ControlHeader& h) { h.magic ^= 1; }));
    EXPECT_TRUE(refused([](ControlHeader& h) { h.version = kControlVersion + 1; }));
    EXPECT_TRUE(refused([](ControlHeader& h) { h.owner_uid = kUid + 1; }));
    EXPECT_TRUE(refused([](ControlHeader& h) { h.function_count += 1; }));
    EXPECT_TRUE(refused([](ControlHeader& h) { h.checksum ^= 1; }));
    EXPECT_TRUE(refused([](ControlHeader& h) { h.armed_at_ns += 1; }));
    EXPECT_TRUE(refused([](ControlHeader& h) { h.revision += 1; }));
    EXPECT_TRUE(refused([](ControlHeader& h) { h.revision += 2; }));
    EXPECT_TRUE(refused([](ControlHeader& h) { h.revision = 0; }));
    EXPECT_TRUE(refused([](ControlHeader& h) { h.spec_size -= 1; }));
    EXPECT_TRUE(refused([](ControlHeader& h) { h.spec_size = kMaxSpec + 1; }));
    EXPECT_TRUE(refused([](ControlHeader& h) { h.spec_size = UINT32_MAX; }));
    block.spec[0] ^= 1;
    EXPECT_FALSE(read());
    block.spec[0] ^= 1;
    EXPECT_TRUE(read()) << "restoring the block makes it valid";
}

TEST_F(ControlBlockTest, NeverReadsRandomBytesAsAPlan) {
    write("xid=79 gpu=0");
    const ControlHeader good = block.header;
    std::mt19937_64 random(1);
    for (int round = 0; round < 20'000; ++round) {
        block.header = good;
        auto* bytes = reinterpret_cast<unsigned char*>(&block.header) + offsetof(ControlHeader, magic);
        const size_t size = sizeof block.header - offsetof(ControlHeader, magic);
        for (uint64_t changes = 1 + random() % 8; changes > 0; --changes)
            bytes[random() % size] = static_cast<unsigned char>(random());
        if (read()) {
            EXPECT_EQ(spec(), "xid=79 gpu=0");
        }
    }
    std::memset(static_cast<void*>(&block), 0, sizeof block);
    EXPECT_FALSE(read());
    std::memset(static_cast<void*>(&block), 0xff, sizeof block);
    EXPECT_FALSE(read());
}

TEST_F(ControlBlockTest, ReadersGetCompletePlansOnly) {
    const std::string plans[] = {"xid=79 gpu=0", "xid=48 " + std::string(500, ' ') + "gpu=1", ""};
    std::atomic<bool> stop{false};
    std::thread writer([&] {
        for (int i = 0; !stop; ++i) {
            write(plans[i % 3]);
            std::this_thread::sleep_for(std::chrono::microseconds(50));
        }
    });
    int seen = 0;
    for (int i = 0; i < 200'000 && seen < 2'000; ++i) {
        if (!read()) continue;
        ++seen;
        ASSERT_TRUE(spec() == plans[0] || spec() == plans[1] || spec() == plans[2]) << spec();
    }
    stop = true;
    writer.join();
    EXPECT_GT(seen, 0);
}

TEST_F(ControlBlockTest, UnfinishedWriteLeavesNoPlanAndTheNextWriteSucceeds) {
    write("xid=79");
    block.header.revision |= 1;
    EXPECT_FALSE(read());
    write("xid=48");
    ASSERT_TRUE(read());
    EXPECT_EQ(spec(), "xid=48");
}

TEST(Heartbeat, IsFreshWithinTheLimitInBothDirections) {
    constexpr uint64_t kNow = 100 * kHeartbeatLimitNs;
    EXPECT_TRUE(is_fresh_heartbeat(kNow, kNow));
    EXPECT_TRUE(is_fresh_heartbeat(kNow - kHeartbeatLimitNs + 1, kNow));
    EXPECT_TRUE(is_fresh_heartbeat(kNow + kHeartbeatLimitNs - 1, kNow));
    EXPECT_FALSE(is_fresh_heartbeat(kNow - kHeartbeatLimitNs, kNow));
    EXPECT_FALSE(is_fresh_heartbeat(kNow + kHeartbeatLimitNs, kNow));
    EXPECT_FALSE(is_fresh_heartbeat(0, kNow));
    EXPECT_FALSE(is_fresh_heartbeat(UINT64_MAX, kNow));
}

TEST(Checksum, IsFnv1a) {
    // 16 zero bytes, then "a".
    uint64_t expected = 0xcbf29ce484222325;
    for (int i = 0; i < 16; ++i) expected *= 0x100000001b3;
    expected = (expected ^ 'a') * 0x100000001b3;
    for (size_t i = 0; i < offsetof(Plan, faults) / 8; ++i) expected *= 0x100000001b3;  // an empty plan
    EXPECT_EQ(control_checksum(0, 0, "a", *std::make_unique<Plan>()), expected);
}

}  // namespace
}  // namespace cudafault
