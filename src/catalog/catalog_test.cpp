// SPDX-License-Identifier: Apache-2.0
#include "catalog/catalog.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "catalog/page.hpp"

namespace cudafault::catalog {
namespace {

using testing::HasSubstr;

TEST(Catalog, HasEveryXidThatNvidiaDocuments) {
    for (unsigned number = 1; number <= 177; ++number) EXPECT_NE(find_entry(number), nullptr) << number;
    EXPECT_EQ(find_entry(0), nullptr);
    EXPECT_EQ(find_entry(999), nullptr);
}

TEST(Catalog, EntriesWithCompleteFacts) {
    for (const unsigned number : {8,   13,  31,  32,  38,  43,  44,  45,  46,  48,  54,  61,  62,  63,  64,  68,  69,
                                  74,  79,  92,  94,  95,  109, 110, 119, 120, 121, 122, 123, 136, 137, 140, 143, 144,
                                  145, 146, 147, 148, 149, 150, 151, 154, 155, 156, 157, 158, 160, 161, 171, 172}) {
        ASSERT_NE(find_entry(number), nullptr) << number;
        EXPECT_EQ(find_entry(number)->depth, "full") << number;
    }
}

// The codes of the table in the drop-in directory, which existing tests depend on.
TEST(Catalog, SimpleModelKeepsTheCodesOfTheContract) {
    const std::pair<unsigned, int> codes[] = {{79, 100}, {48, 214}, {94, 214}, {95, 999}, {43, 702}, {74, 217}};
    for (const auto& [number, code] : codes) EXPECT_EQ(find_entry(number)->simple.number, code) << number;
}

TEST(Page, DescribesWhatHappensToWhom) {
    const std::string text = page(*find_entry(79));
    EXPECT_THAT(text, testing::StartsWith("## 79 GPU fell off the bus\n"));
    EXPECT_THAT(text, HasSubstr("**running process**: 999 `CUDA_ERROR_UNKNOWN` from the next synchronizing call"));
    EXPECT_THAT(text, HasSubstr("**new process**: the GPU is not enumerated; 100 `CUDA_ERROR_NO_DEVICE`"));
    EXPECT_THAT(text, HasSubstr("**followed by**: XID 154"));
    EXPECT_THAT(text, HasSubstr("xid=79 gpu=0"));
    EXPECT_THAT(text, HasSubstr("\nSources:\n\n1. "));
}

TEST(Page, OfAnXidThatFailsNoCallSaysSo) {
    EXPECT_THAT(page(*find_entry(63)), HasSubstr("No CUDA call fails, so `model=simple` refuses this XID."));
}

TEST(Page, OfAReservedXidGivesTheReason) {
    EXPECT_EQ(find_entry(3)->depth, "reserved");
    EXPECT_THAT(page(*find_entry(3)), HasSubstr(find_entry(3)->reason));
}

}  // namespace
}  // namespace cudafault::catalog
