// SPDX-License-Identifier: Apache-2.0
#include "cli/explain.hpp"

#include <gtest/gtest.h>

#include "cli/verbs.hpp"
#include "local/spec.hpp"

namespace cudafault::cli {

namespace {

std::string answer(const std::string& spec, const std::string& question) {
    const auto plan = local::parse_spec(spec);
    for (const auto& [row_question, text] : explain(plan->faults[0])) {
        if (row_question == question) return text;
    }
    return "(missing)";
}

nlohmann::json fields(const std::string& spec) { return fault_json(local::parse_spec(spec)->faults[0]); }

TEST(Explain, DescribesTheEffect) {
    EXPECT_EQ(answer("xid=79", "what"),
              "XID 79, GPU fell off the bus: the call does nothing and returns 100 (CUDA_ERROR_NO_DEVICE, "
              "cudaErrorNoDevice)");
    EXPECT_EQ(answer("error=719 calls=cuInit", "what"),
              "the call does nothing and returns 719 (CUDA_ERROR_LAUNCH_FAILED)");
    EXPECT_EQ(answer("error=5555", "what"), "the call does nothing and returns 5555");
    EXPECT_EQ(answer("effect=delay:1500ms", "what"), "the call is made, but 1500 ms later");
    EXPECT_EQ(answer("effect=exit:3", "what"), "the process exits immediately with exit code 3");
    EXPECT_EQ(answer("effect=signal:KILL", "what"), "the process receives SIGKILL (9)");
    EXPECT_NE(answer("effect=hang", "what").find("until the fault is disarmed"), std::string::npos);
}

TEST(Explain, DescribesTheCalls) {
    EXPECT_EQ(answer("error=719 calls=cuInit", "calls"), "cuInit");
    EXPECT_NE(answer("error=719 calls=cudaMalloc,cuMemAlloc", "calls")
                  .find("driver calls of @memory inside a shared libcudart do not count"),
              std::string::npos);
    EXPECT_NE(answer("xid=79", "calls").find(" functions that fail by default ("), std::string::npos);
    EXPECT_NE(answer("xid=79 calls=@copy", "calls").find("@copy"), std::string::npos);
}

TEST(Explain, DescribesTheGpus) {
    EXPECT_EQ(answer("xid=79", "GPU"), "all");
    EXPECT_EQ(answer("xid=79 gpu=1", "GPU").find("GPU 1 in the numbering of nvidia-smi"), 0u);
    EXPECT_EQ(answer("xid=79 gpu=local:1", "GPU").find("GPU 1 in the process's own numbering"), 0u);
    EXPECT_EQ(answer("xid=79 gpu=0001:a5:00.0", "GPU").find("the GPU with PCI id 0001:a5:00.0"), 0u);
    EXPECT_EQ(answer("xid=79 gpu=GPU-01234567-89ab-cdef-0123-456789abcdef", "GPU")
                  .find("the GPU with UUID 01234567-89ab-cdef-0123-456789abcdef"),
              0u);
}

TEST(Explain, CountsOfTheClassesAddUpToTheNumberOfFunctions) {
    for (const char* spec : {"error=719 calls=@sync", "error=719 calls=@memory,@copy,cuInit", "xid=79",
                             "error=719 calls=cu*", "error=15 calls=nvml*", "effect=hang calls=*"}) {
        const nlohmann::json calls = fields(spec)["calls"];
        size_t in_classes = 0;
        for (const auto& [name, count] : calls["classes"].items()) in_classes += count.get<size_t>();
        EXPECT_EQ(in_classes, calls["functions"].size()) << spec;
        EXPECT_NE(answer(spec, "calls").find(std::to_string(in_classes) + " functions"), std::string::npos) << spec;
    }
    EXPECT_EQ(answer("error=719 calls=@sync", "calls").find("11 functions (5 driver, 6 runtime; @sync 11)"), 0u);
}

// Expects that the explanation of gpu= has the words for every function whose GPU has this source.
void expect_words_for(DeviceFrom source, const char* words) {
    Plan plan;
    SpecError error{};
    for (int row = 0; row < kFunctionCount; ++row) {
        if (!can_fail(kFunctions[row])) continue;
        const std::string name = local::string_of(function_name(row));
        const std::string spec = "effect=hang gpu=1 calls=" + name;
        ASSERT_TRUE(parse_plan(local::text_of(spec), plan, error)) << spec;
        const bool is_named = answer(spec, "GPU").find(words) != std::string::npos;
        EXPECT_TRUE(is_named || kFunctions[row].device != source) << name;
    }
}

TEST(Explain, NamesTheCallsThatDoNotConcernASingleGpu) {
    expect_words_for(DeviceFrom::none, "not concern a single GPU");
    EXPECT_EQ(answer("error=15 calls=nvmlDeviceGetHandleByUUID gpu=1", "GPU"), "GPU 1 in the numbering of nvidia-smi");
    EXPECT_NE(answer("xid=79 gpu=1", "GPU").find("of the calls, cuDeviceGetCount, cuInit, "), std::string::npos);
}

TEST(Explain, NamesTheCallsWhoseArgumentsDoNotDetermineTheirGpu) {
    expect_words_for(DeviceFrom::unread, "gpu= uses the GPU of the current context");
    EXPECT_EQ(answer("error=1 calls=cuMemCreate,cudaMemcpy gpu=1", "GPU"), "GPU 1 in the numbering of nvidia-smi");
    EXPECT_EQ(answer("error=1 calls=cuMemcpy2D_v2", "GPU"), "all");
    EXPECT_NE(answer("xid=79 gpu=1", "GPU").find(" more, not the GPU in the arguments"), std::string::npos);
}

TEST(Explain, DescribesTheSchedule) {
    EXPECT_EQ(answer("xid=79", "when"), "each matched call");
    EXPECT_EQ(answer("xid=79 after=1 every=3 probability=0.25 seed=4 times=1 sticky=yes", "when"),
              "after the first 1 matched call; one in 3 matched calls; each of these with probability 0.25 (seed 4); "
              "after the fault has fired, every further matched call; at most 1 failure");
    EXPECT_EQ(answer("xid=79 after=90s mtbf=2h", "when"),
              "not in the first 90 s after arming; at random times, on average every 2 h (seed 0)");
}

TEST(Explain, DescribesTheWindowAndTheProcesses) {
    EXPECT_EQ(answer("xid=79", "until"), "it is disarmed");
    EXPECT_EQ(answer("xid=79 for=30s until=2030-01-01T00:00:00Z", "until"),
              "30 s after arming or 2030-01-01T00:00:00.000000000Z, or it is disarmed");
    EXPECT_EQ(answer("xid=79 process=train*.py rank=3 node=n pod=p* scope=run", "where"),
              "programs called train*.py, rank 3, node n, pods called p*; all processes of the run count together");
}

TEST(FaultJson, HasEachKey) {
    const auto fault = fields("xid=79 gpu=0 after=5 times=2 for=1s rank=0 calls=cuInit");
    EXPECT_EQ(fault["xid"], 79);
    EXPECT_EQ(fault["effect"]["code"], 100);
    EXPECT_EQ(fault["effect"]["names"], nlohmann::json::array({"CUDA_ERROR_NO_DEVICE"}));
    EXPECT_EQ(fault["calls"]["functions"], nlohmann::json::array({"cuInit"}));
    EXPECT_EQ(fault["calls"]["default"], false);
    EXPECT_EQ(fault["gpus"][0]["value"], 0);
    EXPECT_EQ(fault["after_calls"], 5);
    EXPECT_EQ(fault["times"], 2);
    EXPECT_EQ(fault["for_ns"], 1'000'000'000);
    EXPECT_EQ(fault["rank"], 0);
    EXPECT_TRUE(fault["mtbf_ns"].is_null());
    EXPECT_EQ(fields("xid=79")["gpus"], "all");
    EXPECT_EQ(fields("xid=79")["calls"]["default"], true);
}

std::vector<std::string> command_of(std::vector<std::string> words, int& argc) {
    std::vector<char*> arguments;
    arguments.reserve(words.size());
    for (std::string& word : words) arguments.push_back(word.data());
    argc = static_cast<int>(words.size());
    return take_command(argc, arguments.data());
}

TEST(TakeCommand, KeepsWordsThatLookLikeOptions) {
    using Words = std::vector<std::string>;
    int argc = 0;
    EXPECT_EQ(command_of({"cudafault", "run", "--name", "--", "--", "ls", "--name", "x", "--"}, argc),
              (Words{"ls", "--name", "x", "--"}));
    EXPECT_EQ(argc, 4);
    EXPECT_EQ(command_of({"cudafault", "run", "--gpus=sim:2", "ls", "-l"}, argc), (Words{"ls", "-l"}));
    EXPECT_EQ(argc, 3);
    EXPECT_EQ(command_of({"cudafault", "run", "--plan"}, argc), Words{});
    EXPECT_EQ(argc, 3);
    EXPECT_EQ(command_of({"cudafault", "check", "--", "ls"}, argc), Words{});
    EXPECT_EQ(argc, 4);
}

}  // namespace

}  // namespace cudafault::cli
