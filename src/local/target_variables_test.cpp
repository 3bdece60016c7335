// SPDX-License-Identifier: Apache-2.0
#include "local/target_variables.hpp"

#include <gmock/gmock.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <utility>

#include "local/spec.hpp"

namespace cudafault::local {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> notes(const std::string& spec, const TargetVariables& variables) {
    return target_notes(*parse_spec(spec), variables);
}

TEST(TargetVariables, ReportsNodeAndPodThatTheEnvironmentDoesNotMatch) {
    EXPECT_THAT(notes("xid=79 node=gpu-7", {}),
                ElementsAre(HasSubstr("node=gpu-7 selects no process of a run on this machine, because CUDAFAULT_NODE "
                                      "is not set, so the fault cannot fire: remove node=, or")));
    EXPECT_THAT(notes("xid=79; xid=48 pod=web-*", {0, "", "db-0"}),
                ElementsAre(HasSubstr("because CUDAFAULT_POD is \"db-0\"")));
    EXPECT_THAT(notes("xid=79 node=a; xid=48 node=b pod=c", {}), ElementsAre(HasSubstr("node=a"), HasSubstr("node=b")));
}

TEST(TargetVariables, AcceptsNodeAndPodThatTheEnvironmentMatches) {
    EXPECT_THAT(notes("xid=79 node=gpu-7 pod=web-*", {0, "gpu-7", "web-0"}), IsEmpty());
    EXPECT_THAT(notes("xid=79 process=x rank=3", {}), IsEmpty());
}

TEST(TargetVariables, ReadsTheJobSizeOnlyInARank) {
    setenv("RANK", "1", 1);
    EXPECT_EQ(target_variables().ranks, 0U);
    setenv("WORLD_SIZE", "4", 1);
    EXPECT_EQ(target_variables().ranks, 4U);
    unsetenv("RANK");
    EXPECT_EQ(target_variables().ranks, 0U) << "WORLD_SIZE must be ignored if RANK is not set";
    unsetenv("WORLD_SIZE");
}

TEST(TargetVariables, ReadsTheJobSizeOfEachLauncher) {
    constexpr std::pair<const char*, const char*> kLaunchers[] = {
        {"RANK", "WORLD_SIZE"}, {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"}, {"PMI_RANK", "PMI_SIZE"}};
    for (const auto& [rank, size] : kLaunchers) {
        setenv(rank, "1", 1);
        setenv(size, "2", 1);
        EXPECT_EQ(target_variables().ranks, 2U) << rank;
        unsetenv(rank);
        unsetenv(size);
    }
}

TEST(TargetVariables, IgnoresSlurmBecauseATaskMayStartALargerJob) {
    setenv("SLURM_PROCID", "0", 1);
    setenv("SLURM_NTASKS", "2", 1);
    EXPECT_EQ(target_variables().ranks, 0U);
    unsetenv("SLURM_PROCID");
    unsetenv("SLURM_NTASKS");
}

TEST(TargetVariables, RoundTripThroughJson) {
    const auto after = nlohmann::json(TargetVariables{4, "n", "p"}).get<TargetVariables>();
    EXPECT_EQ(after.ranks, 4U);
    EXPECT_EQ(after.node, "n");
    EXPECT_EQ(after.pod, "p");
}

}  // namespace
}  // namespace cudafault::local
