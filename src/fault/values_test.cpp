// SPDX-License-Identifier: Apache-2.0
// Tests the values of a spec at their limits.
#include "fault/values.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <random>
#include <string>

namespace cudafault {
namespace {

using Value = std::optional<uint64_t>;

Value number(const char* text) {
    uint64_t out = 0;
    return parse_number(text, out) ? Value(out) : std::nullopt;
}

Value duration(const std::string& text) {
    uint64_t out = 0;
    return parse_duration(Text(text.data(), text.size()), out) ? Value(out) : std::nullopt;
}

Value timestamp(const char* text) {
    uint64_t out = 0;
    return parse_timestamp(text, out) ? Value(out) : std::nullopt;
}

Value probability(const std::string& text) {
    uint64_t out = 0;
    return parse_probability(Text(text.data(), text.size()), out) == ProbabilityResult::ok ? Value(out) : std::nullopt;
}

TEST(Number, AcceptsAtMost64Bits) {
    EXPECT_EQ(number("0"), 0u);
    EXPECT_EQ(number("007"), 7u);
    EXPECT_EQ(number("18446744073709551615"), UINT64_MAX);
    EXPECT_EQ(number("18446744073709551616"), std::nullopt);
    EXPECT_EQ(number("99999999999999999999"), std::nullopt);
    for (const char* bad : {"", "+1", "-1", "1 ", "0x10", "1e3", "\xd9\xa1"})
        EXPECT_EQ(number(bad), std::nullopt) << bad;
}

TEST(Duration, RequiresAUnit) {
    EXPECT_EQ(duration("10us"), 10'000u);
    EXPECT_EQ(duration("500ms"), 500'000'000u);
    EXPECT_EQ(duration("90s"), 90'000'000'000u);
    EXPECT_EQ(duration("1m"), 60'000'000'000u);
    EXPECT_EQ(duration("2h"), 7'200'000'000'000u);
    EXPECT_EQ(duration("0s"), 0u);
    EXPECT_EQ(duration("1d"), 86'400'000'000'000u);
    EXPECT_EQ(duration("213503d"), 213503 * 86'400'000'000'000u);
    EXPECT_EQ(duration("18446744073s"), 18'446'744'073'000'000'000u);
    EXPECT_EQ(duration("18446744074s"), std::nullopt);
    for (const char* bad : {"", "s", "5", "5w", "5S", "5 s", "1m30s", "-1s", "1.s", ".5s", "1.5", "1.5.5s", "213504d"})
        EXPECT_EQ(duration(bad), std::nullopt) << bad;
}

TEST(Duration, AcceptsAFraction) {
    EXPECT_EQ(duration("1.5s"), 1'500'000'000u);
    EXPECT_EQ(duration("0.25ms"), 250'000u);
    EXPECT_EQ(duration("1.5h"), 5'400'000'000'000u);
    EXPECT_EQ(duration("0.000000001s"), 1u);
    EXPECT_EQ(duration("0.0000000019s"), 1u);
    EXPECT_EQ(duration("0.0001us"), 0u);
    EXPECT_EQ(duration("1.999999999d"), 172'799'999'913'600u);
    EXPECT_LT(duration("1." + std::string(500, '9') + "d"), 2 * 86'400'000'000'000u);
    EXPECT_EQ(duration("18446744073.709551614s"), UINT64_MAX - 1);
    EXPECT_EQ(duration("18446744073.709551615s"), std::nullopt);
}

TEST(Duration, AcceptsSecondsWithoutAUnitOnRequest) {
    uint64_t ns = 0;
    ASSERT_TRUE(parse_duration("90", ns, BareNumber::seconds));
    EXPECT_EQ(ns, 90'000'000'000u);
    ASSERT_TRUE(parse_duration("2m", ns, BareNumber::seconds));
    EXPECT_EQ(ns, 120'000'000'000u);
    EXPECT_FALSE(parse_duration("", ns, BareNumber::seconds));
    EXPECT_FALSE(parse_duration("1.", ns, BareNumber::seconds));
}

TEST(Timestamp, ReadsDatesAndTimes) {
    EXPECT_EQ(timestamp("1970-01-01T00:00:00Z"), 0u);
    EXPECT_EQ(timestamp("2026-11-23T12:00:00Z"), 1795435200'000000000u);
    EXPECT_EQ(timestamp("2000-02-29T23:59:59Z"), 951868799'000000000u);
    EXPECT_EQ(timestamp("2024-12-31T00:00:00.25Z"), 1735603200'250000000u);
    EXPECT_EQ(timestamp("2024-12-31T00:00:00.000000001Z"), 1735603200'000000001u);
    EXPECT_EQ(timestamp("2500-12-31T23:59:59Z"), 16756761599'000000000u);
    for (const char* bad :
         {"", "2026-11-23", "2026-11-23T12:00:00", "2026-11-23 12:00:00Z", "1969-12-31T23:59:59Z",
          "2501-01-01T00:00:00Z", "2100-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
          "2026-04-31T00:00:00Z", "2026-01-00T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z",
          "2026-01-01T00:00:60Z", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00.1234567890Z", "2026-01-01T00:00:00z",
          "2026-1-01T00:00:00ZZ", "26-01-01T00:00:00Z"}) {
        EXPECT_EQ(timestamp(bad), std::nullopt) << bad;
    }
}

TEST(Timestamp, ReadsTimeZones) {
    EXPECT_EQ(timestamp("2026-11-23T13:30:00+01:30"), 1795435200'000000000u);
    EXPECT_EQ(timestamp("2026-11-23T10:00:00.5-02:00"), 1795435200'500000000u);
    EXPECT_EQ(timestamp("1970-01-01T01:00:00+01:00"), 0u);
    for (const char* bad : {"1970-01-01T00:59:59+01:00", "2026-11-23T12:00:00+1:00", "2026-11-23T12:00:00+01:0",
                            "2026-11-23T12:00:00+0100", "2026-11-23T12:00:00 01:00", "2026-11-23T12:00:00+24:00",
                            "2026-11-23T12:00:00+01:60", "2026-11-23T12:00:00+01:00Z"}) {
        EXPECT_EQ(timestamp(bad), std::nullopt) << bad;
    }
}

TEST(Probability, IsExactTo64Bits) {
    EXPECT_EQ(probability("1"), kAlways);
    EXPECT_EQ(probability("1.000"), kAlways);
    EXPECT_EQ(probability("10e-1"), kAlways);
    EXPECT_EQ(probability("0.001e3"), kAlways);
    EXPECT_EQ(probability("0.5"), uint64_t{1} << 63);
    EXPECT_EQ(probability(".25"), uint64_t{1} << 62);
    EXPECT_EQ(probability("0.1"), 0x1999999999999999u);
    EXPECT_EQ(probability("1e-1"), 0x1999999999999999u);
    EXPECT_EQ(probability("0.01E+1"), 0x1999999999999999u);
    EXPECT_EQ(probability("0.001"), 0x004189374bc6a7efu);
    // 2^-64 with all its decimals, and the same number with its last decimal reduced by one.
    EXPECT_EQ(probability("0.0000000000000000000542101086242752217003726400434970855712890625"), 1u);
    EXPECT_EQ(probability("0.0000000000000000000542101086242752217003726400434970855712890624"), std::nullopt);
    EXPECT_EQ(probability("0.99999999999999999999999999"), UINT64_MAX);
}

TEST(Probability, AcceptsPercent) {
    EXPECT_EQ(probability("100%"), kAlways);
    EXPECT_EQ(probability("10%"), probability("0.1"));
    EXPECT_EQ(probability("0.5%"), probability("0.005"));
    EXPECT_EQ(probability("1e-3%"), probability("1e-5"));
}

TEST(Probability, MatchesIntegerArithmetic) {
    std::mt19937_64 random(1);
    for (int i = 0; i < 1000; ++i) {
        const uint64_t digits = 1 + random() % 9'999'999'999;
        const std::string text = "0." + std::to_string(digits + 10'000'000'000).substr(1);
        const unsigned __int128 scaled = static_cast<unsigned __int128>(digits) << 64;
        EXPECT_EQ(probability(text), static_cast<uint64_t>(scaled / 10'000'000'000)) << text;
    }
}

TEST(Probability, RefusesInvalidValues) {
    for (const char* bad : {"",    ".",   "1.",    "0",       "0.0",     "0e5",  "-0.5", "+0.5", "1.0001",
                            "2",   "11",  "1e1",   "1e9999",  "1e99999", "1e",   "1e-",  "0.5x", "0,5",
                            "nan", "inf", "1e-20", "1e-9999", "%",       "101%", "0%",   "50%%", "5 %"}) {
        EXPECT_EQ(probability(bad), std::nullopt) << bad;
    }
    EXPECT_EQ(probability("0." + std::string(96, '0') + "1"), std::nullopt);
    EXPECT_EQ(probability("0.5" + std::string(500, '0')), uint64_t{1} << 63);
}

TEST(Gpu, ReadsPciIds) {
    GpuSelector gpu;
    for (const char* form : {"0000:65:00.0", "00000000:65:00.0", "0000:65:00"}) {
        ASSERT_TRUE(parse_gpu(form, gpu)) << form;
        EXPECT_EQ(gpu.kind, GpuKind::pci);
        EXPECT_EQ(gpu.number, 0x6500u);
    }
    ASSERT_TRUE(parse_gpu("FFFF:fF:1F.0", gpu));
    EXPECT_EQ(gpu.number, 0xffffff1fu);
    for (const char* bad :
         {"65:00.0", "0000:65:00.", "0000:65:0", "0000:65:00.00", "000g:65:00.0", "0000-65-00.0", ":::", ""}) {
        EXPECT_FALSE(parse_gpu(bad, gpu)) << bad;
    }
}

}  // namespace
}  // namespace cudafault
