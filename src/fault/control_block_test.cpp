// SPDX-License-Identifier: Apache-2.0
// Tests that a plan written to the control block is read back, and that an invalid block is refused.
#include "cudafault/control_block.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace cudafault {
namespace {

constexpr uint32_t kUid = 1000;
constexpr uint64_t kArmedAt = 1'700'000'000'000'000'000;

class ControlBlockTest : public testing::Test {
protected:
    ControlBlockTest() { control_init(block, kUid, 7); }

    void write(const std::string& spec) { control_write_plan(block, Text(spec.data(), spec.size()), kArmedAt); }

    bool read() { return control_read_plan(block, kUid, out); }

    std::string spec() const { return {out.spec, out.size}; }

    std::unique_ptr<ControlBlock> storage = std::make_unique<ControlBlock>();
    ControlBlock& block = *storage;
    std::unique_ptr<PlanText> out_storage = std::make_unique<PlanText>();
    PlanText& out = *out_storage;
};

TEST_F(ControlBlockTest, StartsDisarmed) {
    ASSERT_TRUE(read());
    EXPECT_EQ(out.size, 0u);
    EXPECT_EQ(out.revision, 2u);
    EXPECT_EQ(block.header.flag, kFlagIdle);
    EXPECT_EQ(block.header.heartbeat_ns, 7u);
}

TEST_F(ControlBlockTest, PlansAreReadBack) {
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

TEST_F(ControlBlockTest, HoldsTheLongestSpecAndNoLongerOne) {
    write(std::string(kMaxSpec, 'x'));
    ASSERT_TRUE(read());
    EXPECT_EQ(out.size, kMaxSpec);
    write(std::string(kMaxSpec + 1, 'x'));
    ASSERT_TRUE(read());
    EXPECT_EQ(out.size, 0u);
    EXPECT_EQ(block.header.flag, kFlagIdle);
}

TEST_F(ControlBlockTest, NewPlanStartsAtZeroAndKeepsCountsOfPreviousPlan) {
    for (int bank = 0; bank < kBanks; ++bank) {
        block.run_state[bank][3] = {9, 9, 9, 9, 9, 1, 0};
        block.matched[bank][15] = block.fired[bank][15][kFunctionCount - 1] = 9;
    }
    block.event_head = 9;
    const int before = bank_of(block.header.revision);
    write("xid=79");
    const int now = bank_of(block.header.revision);
    ASSERT_NE(now, before);
    const FaultState zero{};
    EXPECT_EQ(std::memcmp(&block.run_state[now][3], &zero, sizeof zero), 0);
    EXPECT_EQ(block.matched[now][15], 0u);
    EXPECT_EQ(block.fired[now][15][kFunctionCount - 1], 0u);
    EXPECT_EQ(block.run_state[before][3].fired, 9u);
    EXPECT_EQ(block.matched[before][15], 9u);
    EXPECT_EQ(block.fired[before][15][kFunctionCount - 1], 9u);
    EXPECT_EQ(block.event_head, 9u) << "events of all plans are in one list";
}

TEST_F(ControlBlockTest, RefusesInvalidBlocks) {
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
    EXPECT_TRUE(read()) << "the block is valid again";
}

TEST_F(ControlBlockTest, RandomBytesAreNeverReadAsAPlan) {
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

TEST(Checksum, IsFnv1a) {
    // 16 zero bytes, then "a".
    uint64_t expected = 0xcbf29ce484222325;
    for (int i = 0; i < 16; ++i) expected *= 0x100000001b3;
    expected = (expected ^ 'a') * 0x100000001b3;
    EXPECT_EQ(control_checksum(0, 0, "a"), expected);
}

}  // namespace
}  // namespace cudafault
