// SPDX-License-Identifier: Apache-2.0
#include "preload/process/environment.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <string.h>

#include <string>

namespace cudafault {
namespace {

TEST(Environment, KeepsCopiedVariablesWhenProgramClearsEnvironment) {
    char plan[] = "CUDAFAULT_PLAN=xid=48";
    putenv(plan);
    setenv("RANK", "3", 1);
    setenv("UNRELATED", "1", 1);
    copy_environment();
    const char* value = environment("CUDAFAULT_PLAN");
    memset(plan, 'x', strlen(plan));  // as setproctitle does
    EXPECT_STREQ(value, "xid=48");
    clearenv();
    EXPECT_STREQ(environment("CUDAFAULT_PLAN"), "xid=48");
    EXPECT_STREQ(environment("RANK"), "3");
    EXPECT_EQ(environment("UNRELATED"), nullptr);
    EXPECT_EQ(environment("CUDAFAULT"), nullptr);
}

TEST(Environment, PrefersTheValueThatTheProgramSet) {
    setenv("RANK", "3", 1);
    copy_environment();
    setenv("RANK", "4", 1);
    setenv("CUDAFAULT_NODE", "n", 1);
    EXPECT_STREQ(environment("RANK"), "4");
    EXPECT_STREQ(environment("CUDAFAULT_NODE"), "n");
}

TEST(Environment, IgnoresVariablesThatDoNotFit) {
    const std::string large(40000, 'x');
    setenv("CUDAFAULT_PLAN", large.c_str(), 1);
    setenv("SLURM_PROCID", "5", 1);
    copy_environment();
    EXPECT_EQ(environment("CUDAFAULT_PLAN"), large);
    clearenv();
    EXPECT_EQ(environment("CUDAFAULT_PLAN"), nullptr);
    EXPECT_STREQ(environment("SLURM_PROCID"), "5");
}

}  // namespace
}  // namespace cudafault
