// SPDX-License-Identifier: Apache-2.0
#include "local/control.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "local/error.hpp"
#include "local/spec.hpp"
#include "os/clock.hpp"

namespace cudafault::local {

namespace {

PlanCopy plan_of(const Control& control) {
    PlanCopy copy{};
    EXPECT_TRUE(control_read_plan(control.block(), getuid(), copy));
    return copy;
}

TEST(Control, StartsEmptyAndDisarmed) {
    const Control control = Control::create();
    EXPECT_EQ(plan_of(control).size, 0u);
    EXPECT_EQ(control.block().header.flag, kFlagIdle);
}

TEST(Control, AcceptsAPlanThatExpiredAfterItWasParsed) {
    Control control = Control::create();
    control.write_plan("xid=79 until=2020-01-01T00:00:00Z");
    EXPECT_EQ(plan_of(control).plan.count, 1);
}

TEST(Control, CannotShrinkOrGrow) {
    const Control control = Control::create();
    EXPECT_EQ(ftruncate(control.address(getpid()).descriptor, 0), -1);
    EXPECT_EQ(ftruncate(control.address(getpid()).descriptor, 1 << 30), -1);
}

TEST(Control, OpenMapsTheSameMemory) {
    const Control first = Control::create();
    Control second = Control::open(first.address(getpid()));
    const uint64_t revision = second.write_plan("xid=79");
    const PlanCopy copy = plan_of(first);
    EXPECT_EQ(copy.revision, revision);
    EXPECT_EQ(std::string(copy.spec, copy.size), "xid=79");
    EXPECT_EQ(first.block().header.flag, kFlagArmed);
}

TEST(Control, RefusesAnotherFileWithTheSameDescriptor) {
    const Control control = Control::create();
    Address address = control.address(getpid());
    ++address.inode;
    EXPECT_THROW(Control::open(address), Error);
}

TEST(Control, RefusesABlockThatCouldShrink) {
    Control genuine = Control::create();
    const Descriptor unsealed(memfd_create("unsealed", MFD_CLOEXEC));
    ASSERT_EQ(ftruncate(unsealed.get(), lseek(genuine.address(getpid()).descriptor, 0, SEEK_END)), 0);
    struct stat status{};
    ASSERT_EQ(fstat(unsealed.get(), &status), 0);
    EXPECT_THROW(Control::open({getpid(), genuine.address(getpid()).start_time, unsealed.get(), status.st_ino}), Error);
}

TEST(Control, RefusesToWriteAPlanThatNoProcessCanRead) {
    Control control = Control::create();
    control.block().header.version = 99;
    EXPECT_THROW(control.write_plan("xid=79"), Error);
}

TEST(Control, RenewsTheHeartbeat) {
    Control control = Control::create();
    control.block().header.heartbeat_ns = 0;
    const uint64_t before = monotonic_ns();
    control.renew_heartbeat();
    EXPECT_GE(control.block().header.heartbeat_ns, before);
}

TEST(Address, TextHasTheFormatOfTheVariableCudafaultRun) { EXPECT_EQ((Address{12, 345, 6, 78}).text(), "12:6:345:78"); }

}  // namespace

}  // namespace cudafault::local
