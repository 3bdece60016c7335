// SPDX-License-Identifier: Apache-2.0
// Tests the sequences of failures, with one thread and with several, and compares the fixed-point arithmetic with libm.
#include "fault/schedule.hpp"

#include <atomic>
#include <cmath>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "fault/fault_testing.hpp"

namespace cudafault {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;
constexpr uint64_t kArmed = 1'700'000'000 * kSecond;

Moment at(uint64_t elapsed_ns) { return {kArmed + elapsed_ns, kArmed}; }

// Returns the 1-based numbers of the calls that fail. All calls have the same time.
std::vector<int> failures(const Fault& fault, int calls, int rank = -1, int index = 0) {
    FaultState state{};
    std::vector<int> out;
    for (int call = 1; call <= calls; ++call) {
        if (count_matched_call(fault, state, index, rank, at(0))) out.push_back(call);
    }
    return out;
}

std::vector<int> failures(const std::string& spec, int calls) { return failures(fault_of(spec), calls); }

using Calls = std::vector<int>;

TEST(Schedule, SelectsCallsByAfterEveryAndTimes) {
    EXPECT_EQ(failures("xid=79", 3), (Calls{1, 2, 3}));
    EXPECT_EQ(failures("xid=79 after=2", 4), (Calls{3, 4}));
    EXPECT_EQ(failures("xid=79 every=3", 9), (Calls{3, 6, 9}));
    EXPECT_EQ(failures("xid=79 after=2 every=3", 11), (Calls{5, 8, 11}));
    EXPECT_EQ(failures("xid=79 times=2", 5), (Calls{1, 2}));
    EXPECT_EQ(failures("xid=79 after=1 every=2 times=2", 20), (Calls{3, 5}));
    EXPECT_EQ(failures("xid=79 after=100", 100), Calls{});
    EXPECT_EQ(failures("xid=79 after=18446744073709551615", 3), Calls{});
}

TEST(Schedule, StickyFaultFailsAllLaterCalls) {
    EXPECT_EQ(failures("xid=79 every=3 sticky=yes", 6), (Calls{3, 4, 5, 6}));
    EXPECT_EQ(failures("xid=79 after=2 every=2 sticky=yes times=3", 20), (Calls{4, 5, 6}));
}

TEST(Schedule, ProbabilityIsReproducibleAndNearItsValue) {
    const Calls once = failures("xid=79 probability=0.1 seed=1", 10'000);
    EXPECT_EQ(once, failures("xid=79 probability=0.1 seed=1", 10'000));
    EXPECT_NE(once, failures("xid=79 probability=0.1 seed=2", 10'000));
    EXPECT_NEAR(static_cast<double>(once.size()), 1000, 4 * 30);  // four standard deviations
    EXPECT_EQ(failures("xid=79 probability=1", 50).size(), 50u);
}

TEST(Schedule, ProbabilityAppliesToCallsChosenByEvery) {
    const Calls all = failures("xid=79 probability=0.5 seed=7", 100);
    Calls expected;
    for (int call : all) expected.push_back(5 + call * 3);
    EXPECT_EQ(failures("xid=79 after=5 every=3 probability=0.5 seed=7", 305), expected);
    expected.resize(4);
    EXPECT_EQ(failures("xid=79 after=5 every=3 probability=0.5 seed=7 times=4", 305), expected);
}

TEST(Schedule, RanksAndFaultsHaveDifferentSequences) {
    const Fault fault = fault_of("xid=79 probability=0.5");
    std::set<Calls> sequences;
    for (int rank = -1; rank < 8; ++rank) {
        for (int index = 0; index < 4; ++index) sequences.insert(failures(fault, 64, rank, index));
    }
    EXPECT_EQ(sequences.size(), 9u * 4u);
}

TEST(Schedule, CountingStartsAtTheEndOfAfterDuration) {
    const Fault fault = fault_of("xid=79 after=10s every=2");
    FaultState state{};
    for (int i = 0; i < 3; ++i) EXPECT_FALSE(count_matched_call(fault, state, 0, -1, at(10 * kSecond - 1)));
    EXPECT_FALSE(count_matched_call(fault, state, 0, -1, at(10 * kSecond)));
    EXPECT_TRUE(count_matched_call(fault, state, 0, -1, at(11 * kSecond)));
    EXPECT_FALSE(count_matched_call(fault, state, 0, -1, at(12 * kSecond)));
    EXPECT_EQ(state.matched, 6u);
    EXPECT_EQ(state.fired, 1u);
}

TEST(Schedule, TreatsClockBeforeArmingAsTimeOfArming) {
    const Fault fault = fault_of("xid=79 after=1s for=2s");
    FaultState state{};
    const Moment before{kArmed - kSecond, kArmed};
    EXPECT_FALSE(count_matched_call(fault, state, 0, -1, before));
    EXPECT_TRUE(is_in_window(fault, FaultState{}, before));
}

// Makes one call per second for 100 seconds; returns the seconds at which a call fails.
std::vector<int> failing_seconds(const std::string& spec) {
    const Fault fault = fault_of(spec);
    FaultState state{};
    std::vector<int> out;
    for (int second = 0; second < 100; ++second) {
        const Moment moment = at(static_cast<uint64_t>(second) * kSecond);
        if (is_in_window(fault, state, moment) && count_matched_call(fault, state, 0, -1, moment))
            out.push_back(second);
    }
    return out;
}

TEST(Window, StartsAtTheEndOfAfter) {
    EXPECT_EQ(failing_seconds("xid=79 for=2s"), (Calls{0, 1}));
    EXPECT_EQ(failing_seconds("xid=79 after=60s for=3s"), (Calls{60, 61, 62}));
    EXPECT_EQ(failing_seconds("xid=79 after=50 for=3s"), (Calls{50, 51, 52})) << "the 51st call opens the window";
    EXPECT_EQ(failing_seconds("xid=79 after=1 for=5s every=2"), (Calls{2, 4}));
    EXPECT_EQ(failing_seconds("xid=79 after=200 for=3s"), Calls{});
    EXPECT_EQ(failing_seconds("xid=79 after=213503d for=213503d"), Calls{}) << "the sum must not wrap around";
}

TEST(Window, EndsAtTheEarlierOfForAndUntil) {
    const Fault both = fault_of("xid=79 for=30s until=2023-11-14T22:13:40Z");  // armed at 22:13:20
    EXPECT_TRUE(is_in_window(both, FaultState{}, at(0)));
    EXPECT_TRUE(is_in_window(both, FaultState{}, at(20 * kSecond - 1)));
    EXPECT_FALSE(is_in_window(both, FaultState{}, at(20 * kSecond)));
    const Fault shorter = fault_of("xid=79 for=10s until=2023-11-14T22:13:40Z");
    EXPECT_TRUE(is_in_window(shorter, FaultState{}, at(10 * kSecond - 1)));
    EXPECT_FALSE(is_in_window(shorter, FaultState{}, at(10 * kSecond)));
    EXPECT_TRUE(is_in_window(fault_of("xid=79"), FaultState{}, at(UINT64_MAX - kArmed - 1)));
}

TEST(Mtbf, TripsOncePerDrawnInterval) {
    const Fault fault = fault_of("xid=79 mtbf=1s seed=3");
    FaultState state{};
    std::vector<uint64_t> trips;
    for (uint64_t ms = 0; trips.size() < 400; ++ms) {
        if (count_matched_call(fault, state, 0, -1, at(ms * 1'000'000))) trips.push_back(ms);
    }
    EXPECT_EQ(trips[0], exponential_ns(kSecond, draw(3, 0, -1, 0)) / 1'000'000 + 1);
    EXPECT_NEAR(static_cast<double>(trips.back()) / 400, 1000, 4 * 50);  // four standard deviations
    EXPECT_EQ(state.trips, 400u);
}

TEST(Mtbf, SeveralTripsBetweenTwoCallsFailOneCall) {
    const Fault fault = fault_of("xid=79 mtbf=10us");
    FaultState state{};
    EXPECT_FALSE(count_matched_call(fault, state, 0, -1, at(0)));
    EXPECT_TRUE(count_matched_call(fault, state, 0, -1, at(3600 * kSecond)));
    EXPECT_FALSE(count_matched_call(fault, state, 0, -1, at(3600 * kSecond)));
}

TEST(Mtbf, StartsAtTheEndOfAfter) {
    const Fault timed = fault_of("xid=79 mtbf=1us after=10s");
    FaultState state{};
    EXPECT_FALSE(count_matched_call(timed, state, 0, -1, at(9 * kSecond)));
    EXPECT_TRUE(count_matched_call(timed, state, 0, -1, at(11 * kSecond)));

    const Fault counted = fault_of("xid=79 mtbf=1us after=1 times=1");
    state = {};
    EXPECT_FALSE(count_matched_call(counted, state, 0, -1, at(9 * kSecond)));
    EXPECT_FALSE(count_matched_call(counted, state, 0, -1, at(9 * kSecond))) << "this call starts the first interval";
    EXPECT_TRUE(count_matched_call(counted, state, 0, -1, at(10 * kSecond)));
    EXPECT_FALSE(count_matched_call(counted, state, 0, -1, at(11 * kSecond))) << "times=1 allows no second failure";
}

TEST(Mtbf, StickyFaultFailsAllLaterCalls) {
    const Fault fault = fault_of("xid=79 mtbf=1us sticky=yes");
    FaultState state{};
    EXPECT_FALSE(count_matched_call(fault, state, 0, -1, at(0)));
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(count_matched_call(fault, state, 0, -1, at(kSecond)));
}

// The totals of eight threads, which must equal the totals of one thread that makes all the calls.
struct Totals {
    uint64_t fired, matched;
};

Totals under_threads(const Fault& fault, int calls_each) {
    constexpr int kThreads = 8;
    FaultState state{};
    std::atomic<uint64_t> fired{0};
    std::vector<std::thread> threads;
    threads.reserve(kThreads);
    for (int i = 0; i < kThreads; ++i) {
        threads.emplace_back([&] {
            uint64_t fired_here = 0;
            for (int call = 0; call < calls_each; ++call)
                fired_here += count_matched_call(fault, state, 0, -1, at(kSecond)) ? 1 : 0;
            fired += fired_here;
        });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(state.fired, fired.load());
    return {fired, state.matched};
}

TEST(Threads, CountsAreExact) {
    constexpr int kEach = 20'000;
    EXPECT_EQ(under_threads(fault_of("xid=79"), kEach).matched, 8u * kEach);
    EXPECT_EQ(under_threads(fault_of("xid=79"), kEach).fired, 8u * kEach);
    EXPECT_EQ(under_threads(fault_of("xid=79 times=1000"), kEach).fired, 1000u);
    EXPECT_EQ(under_threads(fault_of("xid=79 after=100 every=7"), kEach).fired, (8u * kEach - 100) / 7);
    EXPECT_EQ(under_threads(fault_of("xid=79 after=500ms every=7"), kEach).fired, 8u * kEach / 7);
    const Fault drawn = fault_of("xid=79 probability=0.1 seed=5");
    EXPECT_EQ(under_threads(drawn, kEach).fired, failures(drawn, 8 * kEach).size());
}

TEST(Threads, MtbfTripFailsOneCall) {
    const Fault fault = fault_of("xid=79 mtbf=1us times=100");
    for (int round = 0; round < 50; ++round) {
        FaultState state{};
        count_matched_call(fault, state, 0, -1, at(0));  // draws the first interval
        std::atomic<int> fired{0};
        std::vector<std::thread> threads;
        threads.reserve(4);
        for (int i = 0; i < 4; ++i) {
            threads.emplace_back([&] { fired += count_matched_call(fault, state, 0, -1, at(kSecond)) ? 1 : 0; });
        }
        for (std::thread& thread : threads) thread.join();
        EXPECT_EQ(fired, 1);
    }
}

TEST(Draw, MatchesRecordedValues) {
    // Recorded values: a seed must give the same sequence in every release.
    EXPECT_EQ(draw(42, 0, -1, 1), 0xc6e336836f360b46u);
    EXPECT_EQ(draw(42, 3, 7, 1000), 0x34d3634265a8ae25u);
}

TEST(Draw, BitsAreBalanced) {
    int ones[64] = {};
    for (uint64_t k = 0; k < 10'000; ++k) {
        for (int bit = 0; bit < 64; ++bit) ones[bit] += static_cast<int>(draw(1, 0, 0, k) >> bit & 1);
    }
    for (int bit = 0; bit < 64; ++bit) EXPECT_NEAR(ones[bit], 5000, 5 * 50) << bit;
}

TEST(Exponential, AgreesWithLibm) {
    std::mt19937_64 random(1);
    const uint64_t mean = kSecond * 365 * 24 * 3600;  // a year
    for (int i = 0; i < 100'000; ++i) {
        uint64_t u = random() >> (random() % 64);  // all magnitudes
        if (i % 2 == 1) u = ~u;                    // and values close to 1
        const long double x = u == 0 ? 1 : static_cast<long double>(u);
        const long double exact = -std::log(x / 18446744073709551616.0L) * static_cast<long double>(mean);
        // std::log of a number close to 1 loses digits even in long double; std::log1p does not.
        const long double near_one = -std::log1p(-static_cast<long double>(-u) / 18446744073709551616.0L) * mean;
        const long double expected = u >> 63 ? near_one : exact;
        EXPECT_NEAR(static_cast<double>(exponential_ns(mean, u)), static_cast<double>(expected),
                    static_cast<double>(expected * 1e-6L + 1))
            << u;
    }
}

TEST(Exponential, HandlesSmallestAndLargestInputs) {
    EXPECT_EQ(exponential_ns(kSecond, UINT64_MAX), 0u);
    EXPECT_NEAR(static_cast<double>(exponential_ns(kSecond, 0)), 64 * std::log(2.0) * 1e9, 1e3);
    EXPECT_EQ(exponential_ns(UINT64_MAX, 1), UINT64_MAX) << "the result must saturate";
}

TEST(Exponential, AverageIsTheMean) {
    long double sum = 0;
    for (uint64_t k = 0; k < 20'000; ++k) sum += static_cast<long double>(exponential_ns(kSecond, draw(9, 0, -1, k)));
    EXPECT_NEAR(static_cast<double>(sum / 20'000), 1e9, 4 * 1e9 / std::sqrt(20'000.0));
}

}  // namespace
}  // namespace cudafault
