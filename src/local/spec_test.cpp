// SPDX-License-Identifier: Apache-2.0
#include "local/spec.hpp"

#include <gtest/gtest.h>

namespace cudafault::local {

namespace {

constexpr const char* kUuids[] = {"GPU-00000000-0000-0000-0000-000000000000",
                                  "GPU-11111111-1111-1111-1111-111111111111"};

Machine two_gpus() {
    return {true, true, "2", {{0, kUuids[0], "0000:10:00.0", "A"}, {1, kUuids[1], "00000000:AB:00.0", "B"}}};
}

std::string resolved(const std::string& spec) { return resolve_gpus(spec, two_gpus()).spec; }

SpecRefused refusal_of(const std::string& spec) {
    try {
        parse_spec(spec);
        resolve_gpus(spec, two_gpus());
    } catch (const SpecRefused& refused) {
        return refused;
    }
    ADD_FAILURE() << spec << " was accepted";
    return {"", SpecError{}};
}

TEST(Resolve, IndexAndPciBecomeUuids) {
    EXPECT_EQ(resolved("xid=79 gpu=1 after=1"), std::string("xid=79 gpu=") + kUuids[1] + " after=1");
    EXPECT_EQ(resolved("gpu=0000:10:00.0,1 xid=79"), std::string("gpu=") + kUuids[0] + "," + kUuids[1] + " xid=79");
    EXPECT_EQ(resolved("xid=79 gpu=0000:ab:00.0"), std::string("xid=79 gpu=") + kUuids[1]);
}

TEST(Resolve, EachFaultOfAPlan) {
    EXPECT_EQ(
        resolved("xid=79 gpu=0; xid=48 calls=cuInit,cuMemAlloc gpu=0 1"),
        std::string("xid=79 gpu=") + kUuids[0] + "; xid=48 calls=cuInit,cuMemAlloc gpu=" + kUuids[0] + " " + kUuids[1]);
}

TEST(Resolve, LeavesWhatIsNotOnTheListOfTheMachine) {
    const std::string mig = "MIG-22222222-2222-2222-2222-222222222222";
    for (const std::string spec :
         {"xid=79", "xid=79 gpu=all", "xid=79 gpu=local:7", "error=719 calls=cuInit times=1"}) {
        EXPECT_EQ(resolved(spec), spec);
    }
    EXPECT_EQ(resolved("xid=79 gpu=" + mig), "xid=79 gpu=" + mig);
}

TEST(Resolve, RefusesAGpuThatIsNotThereAtItsPlace) {
    const SpecRefused index = refusal_of("xid=79 gpu=0,2");
    EXPECT_EQ(index.column, 14u);
    EXPECT_EQ(index.length, 1u);
    EXPECT_NE(index.message.find("expected 0 to 1"), std::string::npos) << index.message;
    EXPECT_EQ(refusal_of("xid=79 gpu=0; xid=48 gpu=0000:12:00.0").column, 26u);
    EXPECT_EQ(refusal_of("xid=79 gpu=GPU-33333333-3333-3333-3333-333333333333").column, 12u);
}

TEST(Resolve, WithoutAListIndicesStay) {
    const Resolved unknown = resolve_gpus("xid=79 gpu=3", Machine{});
    EXPECT_EQ(unknown.spec, "xid=79 gpu=3");
    EXPECT_EQ(unknown.unresolved, "3");
    EXPECT_EQ(resolve_gpus("xid=79 gpu=local:0", Machine{}).unresolved, "");
}

TEST(Resolve, RefusesWhatGrowsTooLong) {
    std::string spec;
    for (int fault = 0; fault < kMaxFaults; ++fault) spec += "xid=79 gpu=0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0;";
    spec += std::string(kMaxSpec - spec.size(), ' ');
    EXPECT_EQ(parse_spec(spec)->count, kMaxFaults);
    EXPECT_THROW(resolve_gpus(spec, two_gpus()), Error);
}

TEST(Refusal, PointsAtThePlace) {
    const std::string text = refusal_of("xid=79 gpu=zero after=1").what();
    EXPECT_EQ(text.substr(text.find('\n')), "\n  xid=79 gpu=zero after=1\n             ^~~~");
    EXPECT_EQ(text.find("plan refused at column 12: "), 0u);
}

TEST(Refusal, ShowsOnlyTheSurroundingsInALongSpec) {
    const std::string text = refusal_of(std::string(500, ' ') + "xid=80" + std::string(500, ' ')).what();
    const size_t line = text.find('\n') + 1, caret = text.find('\n', line) + 1;
    EXPECT_LT(text.size() - line, 300u);
    EXPECT_EQ(text[text.find('^') - caret + line], '8');
}

TEST(Refusal, HidesControlCharacters) {
    const std::string text = refusal_of("xid=\033[31m").what();
    EXPECT_EQ(text.find('\033'), std::string::npos);
}

TEST(SplitFaults, AsManyAsTheParserFinds) {
    for (const std::string spec : {"", " ; ", "xid=79", "xid=79;", "; xid=79 ;;  xid=48,gpu=0 ,;"}) {
        EXPECT_EQ(split_faults(spec).size(), static_cast<size_t>(parse_spec(spec)->count)) << spec;
    }
    EXPECT_EQ(split_faults("; xid=79 ;;  xid=48,gpu=0 ,;"), (std::vector<std::string>{"xid=79", "xid=48,gpu=0"}));
}

}  // namespace

}  // namespace cudafault::local
