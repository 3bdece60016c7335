// SPDX-License-Identifier: Apache-2.0
#include "local/child.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

#include "local/error.hpp"

namespace cudafault::local {

namespace {

End run_shell(const std::string& script) {
    Environment environment(environ);
    return run_command({"sh", "-c", script}, environment, [] {});
}

ExitCode exit_code_of(const std::string& program) {
    Environment environment(environ);
    try {
        run_command({program}, environment, [] {});
    } catch (const Error& error) {
        return error.exit_code;
    }
    return kDone;
}

TEST(Child, EndsWithItsExitCode) {
    const End end = run_shell("exit 7");
    EXPECT_FALSE(end.by_signal);
    EXPECT_EQ(end.code(), 7);
}

TEST(Child, EndsWithItsSignal) {
    const End end = run_shell("kill -KILL $$");
    EXPECT_TRUE(end.by_signal);
    EXPECT_EQ(end.value, SIGKILL);
    EXPECT_EQ(end.code(), 137);
}

TEST(Child, DistinguishesMissingAndNotExecutableCommands) {
    EXPECT_EQ(exit_code_of("no-such-program-anywhere"), kNotFound);
    EXPECT_EQ(exit_code_of("/etc/passwd"), kNotExecutable);
    EXPECT_EQ(exit_code_of("/"), kNotExecutable);
}

TEST(Child, HasTheGivenEnvironment) {
    Environment environment(environ);
    environment.set("CHILD_TEST", "yes");
    EXPECT_EQ(run_command({"sh", "-c", "test \"$CHILD_TEST\" = yes"}, environment, [] {}).code(), 0);
}

TEST(Child, ReceivesSignalsSentToThisProcess) {
    EXPECT_EQ(run_shell("trap 'exit 5' USR1; kill -USR1 $PPID; while :; do sleep 0.05; done").code(), 5);
}

TEST(Child, ReceivesEverySignalThatCanBeCaught) {
    for (const int number :
         {SIGABRT, SIGPIPE, SIGPWR, SIGIO, SIGPROF, SIGVTALRM, SIGXCPU, SIGXFSZ, SIGURG, SIGRTMIN, SIGRTMAX}) {
        const std::string word = std::to_string(number);
        EXPECT_EQ(
            run_shell("trap 'exit 5' " + word + "; kill -" + word + " $PPID; while :; do sleep 0.02; done").code(), 5)
            << strsignal(number);
    }
}

TEST(Child, ContinuesIfItHandlesTheStopSignal) {
    EXPECT_EQ(run_shell("trap 'exit 5' TSTP; kill -TSTP $PPID; while :; do sleep 0.02; done").code(), 5);
}

TEST(Child, StoppingOnlyTheCommandDoesNotStopThisProcess) {
    EXPECT_EQ(run_shell("(sleep 0.3; kill -CONT $$) & kill -STOP $$; exit 5").code(), 5);
}

TEST(Child, CallsTickWhileTheCommandRuns) {
    Environment environment(environ);
    int ticks = 0;
    run_command({"sleep", "1.5"}, environment, [&] { ++ticks; });
    EXPECT_GE(ticks, 2);
}

TEST(Child, InheritsIgnoredSignals) {
    signal(SIGUSR2, SIG_IGN);
    const End ignored = run_shell("kill -USR2 $$; exit 3");
    signal(SIGUSR2, SIG_DFL);
    EXPECT_EQ(ignored.code(), 3);
    EXPECT_EQ(run_shell("kill -USR2 $$; exit 3").value, SIGUSR2);
}

TEST(Child, IsReapedEvenIfSigchldIsIgnored) {
    signal(SIGCHLD, SIG_IGN);
    const End end = run_shell("exit 4");
    signal(SIGCHLD, SIG_DFL);
    EXPECT_EQ(end.code(), 4);
}

TEST(Child, RestoresTheSignalMask) {
    sigset_t before, after;
    sigprocmask(SIG_BLOCK, nullptr, &before);
    run_shell(":");
    sigprocmask(SIG_BLOCK, nullptr, &after);
    for (int number = 1; number < SIGRTMAX; ++number)
        EXPECT_EQ(sigismember(&before, number), sigismember(&after, number));
}

TEST(EndLike, EndsWithTheExitCodeOrTheSignal) {
    EXPECT_EXIT(end_like({false, 9}), testing::ExitedWithCode(9), "");
    EXPECT_EXIT(end_like({true, SIGTERM}), testing::KilledBySignal(SIGTERM), "");
}

}  // namespace

}  // namespace cudafault::local
