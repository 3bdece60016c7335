// SPDX-License-Identifier: Apache-2.0
#include "kube/api/common/encoding.hpp"

#include <gtest/gtest.h>

namespace cudafault::kube {

namespace {

TEST(Base64, EncodesKnownValues) {
    EXPECT_EQ(base64_encode(""), "");
    EXPECT_EQ(base64_encode("f"), "Zg==");
    EXPECT_EQ(base64_encode("fo"), "Zm8=");
    EXPECT_EQ(base64_encode("foo"), "Zm9v");
    EXPECT_EQ(base64_encode("\xff\xfe"), "//4=");
}

TEST(Base64, RoundTripsEveryByte) {
    std::string bytes;
    for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
    for (size_t size = 250; size <= 256; ++size) {
        EXPECT_EQ(base64_decode(base64_encode(bytes.substr(0, size))), bytes.substr(0, size));
    }
}

TEST(Base64, SkipsWhiteSpace) { EXPECT_EQ(base64_decode(" Zm\n9v\r\n"), "foo"); }

TEST(Base64, RejectsInvalidText) {
    for (const char* text : {"Zg", "Zg=", "Z===", "Z*==", "Zg==Zg==", "===="}) {
        EXPECT_EQ(base64_decode(text), std::nullopt) << text;
    }
}

TEST(PercentEncode, KeepsUnreservedCharacters) {
    EXPECT_EQ(percent_encode("aZ09-._~"), "aZ09-._~");
    EXPECT_EQ(percent_encode("a/b c?\xc3\xa4%"), "a%2Fb%20c%3F%C3%A4%25");
}

TEST(LowerCase, ChangesOnlyAsciiLetters) { EXPECT_EQ(lower_case("X-Aé-Z9"), "x-aé-z9"); }

TEST(QueryString, JoinsAndEncodes) {
    EXPECT_EQ(query_string({}), "");
    EXPECT_EQ(query_string({{"labelSelector", "a=b,c"}, {"limit", "5"}}), "?labelSelector=a%3Db%2Cc&limit=5");
}

}  // namespace

}  // namespace cudafault::kube
