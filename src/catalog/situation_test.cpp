// SPDX-License-Identifier: Apache-2.0
#include "catalog/situation.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "catalog/catalog.hpp"

namespace cudafault::catalog {
namespace {

std::string refusal_of(unsigned xid, const Situation& situation) {
    try {
        check_situation(*find_entry(xid), situation);
    } catch (const UnknownSituation& unknown) {
        return unknown.what();
    }
    return "(known)";
}

TEST(Situation, CodeDependsOnTheCudaVersion) {
    const Observation& running = find_entry(94)->running;
    EXPECT_EQ(code_at(running, "11.8", "H100")->number, 214);
    EXPECT_EQ(code_at(running, "12.6", "H100")->number, 214);
    EXPECT_EQ(code_at(running, "12.8", "H100")->number, 226);
    EXPECT_EQ(code_at(running, "13.5", "H100")->number, 226);
    EXPECT_EQ(code_at(find_entry(94)->new_process, "13.5", "H100"), nullptr);
}

TEST(Situation, UnknownVersionsAndModelsAreRefusedWithTheNearest) {
    EXPECT_EQ(refusal_of(94, {"12.4", "H100"}), "(known)");
    EXPECT_THAT(refusal_of(94, {"12.7", "H100"}),
                testing::AllOf(testing::StartsWith("unknown CUDA version \"12.7\": expected one of 11.8, "),
                               testing::EndsWith("the nearest is 12.6")));
    EXPECT_THAT(refusal_of(94, {"14.0", "H100"}), testing::EndsWith("the nearest is 13.5"));
    EXPECT_THAT(refusal_of(94, {"12.4", "H800"}), testing::EndsWith("the nearest is H100"));
    EXPECT_THAT(refusal_of(94, {"12.4", "h100"}), testing::EndsWith("the nearest is H100"));
    EXPECT_THAT(refusal_of(94, {"12.4", "xyz"}), testing::Not(testing::HasSubstr("nearest")));
    EXPECT_THAT(refusal_of(94, {"twelve", "H100"}), testing::Not(testing::HasSubstr("nearest")));
}

TEST(Situation, CodeDependsOnTheGpuModel) {
    const Observation& running = find_entry(48)->running;
    EXPECT_EQ(code_at(running, "12.8", "H100")->number, 226);
    EXPECT_EQ(code_at(running, "12.8", "T4")->number, 214);
    EXPECT_TRUE(can_occur_on(*find_entry(94), "H100"));
    EXPECT_FALSE(can_occur_on(*find_entry(94), "T4"));
}

TEST(Situation, GpuWithoutTheFeatureIsRefused) {
    EXPECT_EQ(refusal_of(94, {"12.4", "L4"}),
              "XID 94 does not occur on L4: it needs error containment, which this GPU does not have");
    EXPECT_EQ(refusal_of(74, {"12.4", "T4"}),
              "XID 74 does not occur on T4: it needs NVLink up to version 4, which this GPU does not have");
}

}  // namespace
}  // namespace cudafault::catalog
