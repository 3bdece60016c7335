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

TEST(Resolve, ReplacesIndicesInEachFault) {
    EXPECT_EQ(
        resolved("xid=79 gpu=0; xid=48 calls=cuInit,cuMemAlloc gpu=0 1"),
        std::string("xid=79 gpu=") + kUuids[0] + "; xid=48 calls=cuInit,cuMemAlloc gpu=" + kUuids[0] + " " + kUuids[1]);
}

TEST(Resolve, KeepsSelectorsThatTheMachineCannotResolve) {
    for (const std::string spec :
         {"xid=79", "xid=79 gpu=all", "xid=79 gpu=local:1", "error=719 calls=cuInit times=1"}) {
        EXPECT_EQ(resolved(spec), spec);
    }
    Machine real = two_gpus();
    real.simulated = false;
    const std::string mig = "xid=79 gpu=MIG-22222222-2222-2222-2222-222222222222";
    EXPECT_EQ(resolve_gpus(mig, real).spec, mig) << "the GPU list of a real machine contains no MIG devices";
}

TEST(Resolve, RangesAndFirstDigitsBecomeUuids) {
    const std::string both = std::string("xid=79 gpu=") + kUuids[0] + "," + kUuids[1];
    EXPECT_EQ(resolved("xid=79 gpu=0-1"), both);
    EXPECT_EQ(resolved("xid=79 gpu=GPU-0,GPU-111"), both);
    EXPECT_EQ(resolved("xid=79 gpu=local:0-1"), "xid=79 gpu=local:0-1");
    EXPECT_EQ(refusal_of("xid=79 gpu=0-2").column, 12u);
    EXPECT_EQ(refusal_of("xid=79 gpu=GPU-2").column, 12u);
    Machine alike = two_gpus();
    alike.gpus[1].uuid = "GPU-00000000-0000-0000-0000-000000000001";
    try {
        resolve_gpus("xid=79 gpu=GPU-000", alike);
        ADD_FAILURE() << "an ambiguous UUID was accepted";
    } catch (const SpecRefused& refused) {
        EXPECT_NE(refused.message.find("2 GPUs have a UUID that starts with these digits"), std::string::npos)
            << refused.message;
    }
}

TEST(Resolve, RefusesAMigDeviceIfTheSimulatedGpusHaveNone) {
    const SpecRefused refused = refusal_of("xid=79 gpu=MIG-22222222-2222-2222-2222-222222222222");
    EXPECT_NE(refused.message.find("simulated GPUs have no MIG devices"), std::string::npos) << refused.message;
}

TEST(Resolve, FirstDigitsOfAMigDeviceBecomeItsUuid) {
    const std::string first = "MIG-00000000-0000-0000-0000-000000000001";
    const std::string second = "MIG-00000000-0000-0000-0000-100000000002";
    Machine machine = two_gpus();
    machine.gpus[0].mig_devices = {{first, "A MIG 1g"}, {second, "A MIG 1g"}};
    EXPECT_EQ(resolve_gpus("xid=79 gpu=" + second, machine).spec, "xid=79 gpu=" + second);
    EXPECT_EQ(resolve_gpus("xid=79 gpu=MIG-00000000-0000-0000-0000-1", machine).spec, "xid=79 gpu=" + second);
    EXPECT_EQ(resolve_gpus("xid=79 gpu=GPU-0", machine).spec, std::string("xid=79 gpu=") + kUuids[0])
        << "GPU- must not select a MIG device";
    for (const auto& [word, reason] : {std::pair{"MIG-0", "2 MIG devices have a UUID that starts with these digits"},
                                       {"MIG-3", "such as MIG-00000000"}}) {
        try {
            resolve_gpus(std::string("xid=79 gpu=") + word, machine);
            ADD_FAILURE() << word << " was accepted";
        } catch (const SpecRefused& refused) {
            EXPECT_NE(refused.message.find(reason), std::string::npos) << refused.message;
        }
    }
}

TEST(Resolve, RefusesOrdinalsThatNoProcessHas) {
    const SpecRefused refused = refusal_of("xid=79 gpu=local:0,local:2-3");
    EXPECT_EQ(refused.column, 20u);
    EXPECT_NE(refused.message.find("expected local:0 to local:1"), std::string::npos) << refused.message;
    EXPECT_EQ(resolved("xid=79 gpu=local:1-3"), "xid=79 gpu=local:1-3") << "ordinal 1 exists";
    Machine real = two_gpus();
    real.simulated = false;
    EXPECT_EQ(resolve_gpus("xid=79 gpu=local:2", real).spec, "xid=79 gpu=local:2") << "the ordinal may be a MIG device";
}

TEST(Resolve, PointsAtAGpuThatDoesNotExist) {
    const SpecRefused index = refusal_of("xid=79 gpu=0,2");
    EXPECT_EQ(index.column, 14u);
    EXPECT_EQ(index.length, 1u);
    EXPECT_NE(index.message.find("expected 0 to 1"), std::string::npos) << index.message;
    EXPECT_EQ(refusal_of("xid=79 gpu=0; xid=48 gpu=0000:12:00.0").column, 26u);
    EXPECT_EQ(refusal_of("xid=79 gpu=GPU-33333333-3333-3333-3333-333333333333").column, 12u);
}

TEST(Resolve, KeepsIndicesIfTheGpusAreUnknown) {
    const Resolved unknown = resolve_gpus("xid=79 gpu=3", Machine{});
    EXPECT_EQ(unknown.spec, "xid=79 gpu=3");
    EXPECT_EQ(unknown.unresolved, "3");
    EXPECT_EQ(resolve_gpus("xid=79 gpu=local:0", Machine{}).unresolved, "");
}

TEST(Resolve, RefusesAPlanThatBecomesTooLong) {
    std::string spec;
    for (int fault = 0; fault < kMaxFaults; ++fault) spec += "xid=79 gpu=0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0;";
    spec += std::string(kMaxSpec - spec.size(), ' ');
    EXPECT_EQ(parse_spec(spec)->count, kMaxFaults);
    EXPECT_THROW(resolve_gpus(spec, two_gpus()), Error);
}

TEST(Refusal, PointsAtTheError) {
    const std::string text = refusal_of("xid=79 gpu=zero after=1").what();
    EXPECT_EQ(text.substr(text.find('\n')), "\n  xid=79 gpu=zero after=1\n             ^~~~");
    EXPECT_EQ(text.find("plan refused at column 12: "), 0u);
}

TEST(Refusal, ShowsOnlyTheContextInALongSpec) {
    const std::string text = refusal_of(std::string(500, ' ') + "xid=999" + std::string(500, ' ')).what();
    const size_t line = text.find('\n') + 1, caret = text.find('\n', line) + 1;
    EXPECT_LT(text.size() - line, 300u);
    EXPECT_EQ(text[text.find('^') - caret + line], '9');
}

TEST(Refusal, HidesControlCharacters) {
    const std::string text = refusal_of("xid=\033[31m").what();
    EXPECT_EQ(text.find('\033'), std::string::npos);
}

TEST(SplitFaults, FindsAsManyFaultsAsTheParser) {
    for (const std::string spec : {"", " ; ", "xid=79", "xid=79;", "; xid=79 ;;  xid=48,gpu=0 ,;"}) {
        EXPECT_EQ(split_faults(spec).size(), static_cast<size_t>(parse_spec(spec)->count)) << spec;
    }
    EXPECT_EQ(split_faults("; xid=79 ;;  xid=48,gpu=0 ,;"), (std::vector<std::string>{"xid=79", "xid=48,gpu=0"}));
}

TEST(SplitFaults, RemovesComments) {
    EXPECT_EQ(split_faults("# first; second\nxid=79 # a\n gpu=0 #; b\n; xid=48 process=a#b"),
              (std::vector<std::string>{"xid=79 \n gpu=0", "xid=48 process=a#b"}));
    EXPECT_EQ(split_faults("# nothing"), std::vector<std::string>{});
}

TEST(JoinSpecs, EndsACommentBeforeTheNextSpec) {
    EXPECT_EQ(join_specs({"xid=79", "xid=48"}), "xid=79; xid=48");
    EXPECT_EQ(split_faults(join_specs({"xid=79 # a", "xid=48"})), (std::vector<std::string>{"xid=79", "xid=48"}));
    EXPECT_EQ(join_specs({}), "");
}

TEST(RankList, ShowsNumbersAndRanges) {
    EXPECT_EQ(rank_list(parse_spec("xid=79 rank=3")->faults[0]), "3");
    EXPECT_EQ(rank_list(parse_spec("xid=79 rank=0,2-5")->faults[0]), "0, 2 to 5");
}

}  // namespace

}  // namespace cudafault::local
