// SPDX-License-Identifier: Apache-2.0
#include "os/process.hpp"

#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <sstream>
#include <string>

#include "os/process_stat.hpp"

namespace cudafault {
namespace {

std::string stat_line(const std::string& name, const std::string& state, const std::string& threads) {
    return "42 (" + name + ") " + state + " 1 42 42 0 -1 4194560 9 0 0 0 0 0 0 0 20 0 " + threads + " 0 1234567 8 9\n";
}

uint64_t start_in(const std::string& line) { return start_time_in({line.data(), line.size()}); }

TEST(StartTimeIn, IsFieldTwentyTwo) {
    for (const char* state : {"R", "S", "D", "T", "t", "I"}) EXPECT_EQ(start_in(stat_line("sh", state, "1")), 1234567U);
}

TEST(StartTimeIn, AcceptsAnyProcessName) {
    for (const char* name : {"a b", ") Z 1 1", "((", ")", "a\nb"})
        EXPECT_EQ(start_in(stat_line(name, "S", "1")), 1234567U);
}

TEST(StartTimeIn, IsZeroForAZombie) {
    for (const char* state : {"Z", "X", "x"}) EXPECT_EQ(start_in(stat_line("sh", state, "1")), 0U);
    EXPECT_EQ(start_in(stat_line("sh", "X", "0")), 0U);
}

TEST(StartTimeIn, ZombieMainThreadWithOtherThreadsIsAlive) { EXPECT_EQ(start_in(stat_line("sh", "Z", "2")), 1234567U); }

TEST(StartTimeIn, RefusesMalformedContent) {
    for (const char* text :
         {"", "42", "42 (sh", "42 (sh)", "42 (sh) S 1 2 3", "42 (sh) S 1 42 42 0 -1 4 9 0 0 0 0 0 0 0 2 0 1 0 12x"}) {
        EXPECT_EQ(start_in(text), 0U) << text;
    }
}

TEST(ParentIn, IsFieldFour) {
    const std::string line = stat_line(") 9 9 (", "S", "1");
    EXPECT_EQ(parent_in({line.data(), line.size()}), 1);
    EXPECT_EQ(parent_in("42 (sh"), 0);
}

TEST(StartTime, EqualsFieldOfProcStat) {
    std::ifstream file("/proc/self/stat");
    std::string whole((std::istreambuf_iterator<char>(file)), {});
    std::istringstream rest(whole.substr(whole.rfind(')') + 1));
    std::string field;
    for (int i = 3; i <= 22; ++i) rest >> field;
    EXPECT_EQ(std::to_string(start_time(getpid()).value()), field);
    EXPECT_FALSE(start_time(0));
    EXPECT_FALSE(start_time(-1));
}

TEST(StartTime, IsEmptyForAZombie) {
    const pid_t child = fork();
    if (child == 0) _exit(0);
    siginfo_t info;
    ASSERT_EQ(waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT), 0);
    EXPECT_FALSE(start_time(child));
    waitpid(child, nullptr, 0);
    EXPECT_FALSE(start_time(child));
}

void* sleep_until_killed(void*) {
    for (;;) pause();
}

TEST(StartTime, ExistsWhileAnyThreadRuns) {
    const pid_t child = fork();
    if (child == 0) {
        pthread_t sleeper;
        pthread_create(&sleeper, nullptr, sleep_until_killed, nullptr);
        syscall(SYS_exit, 0);  // ends this thread only
    }
    usleep(100'000);
    EXPECT_TRUE(start_time(child));
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
}

TEST(BootId, IsAUuid) { EXPECT_EQ(boot_id().size(), 36u); }

}  // namespace
}  // namespace cudafault
