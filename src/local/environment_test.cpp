// SPDX-License-Identifier: Apache-2.0
#include "local/environment.hpp"

#include <gtest/gtest.h>

namespace cudafault::local {

namespace {

const Products kProducts{"/opt/lib/libcudafault.so", "/opt/lib/simgpu"};
const std::string kRuntimes =
    "/opt/lib/simgpu/libcudart.so.11.0:/opt/lib/simgpu/libcudart.so.12:/opt/lib/simgpu/libcudart.so.13";

const std::string kDeviceFiles = ":/opt/lib/simgpu/libdevicefiles.so";

Environment environment_of(std::vector<std::string> entries) {
    std::vector<char*> pointers;
    pointers.reserve(entries.size() + 1);
    for (std::string& entry : entries) pointers.push_back(entry.data());
    pointers.push_back(nullptr);
    return Environment(pointers.data());
}

Machine simulated(const std::string& text) { return {true, true, text, {}}; }

std::string value(const Environment& environment, const char* name) {
    return environment.get(name).value_or("(unset)");
}

TEST(Environment, FindsWholeNamesOnly) {
    const Environment environment = environment_of({"PATHS=1", "PATH=2", "PATH=3", "EMPTY="});
    EXPECT_EQ(value(environment, "PATH"), "2");
    EXPECT_EQ(value(environment, "EMPTY"), "");
    EXPECT_EQ(environment.get("PAT"), std::nullopt);
}

TEST(Environment, SetReplacesAllEntriesOfTheName) {
    Environment environment = environment_of({"A=1", "B=2", "A=3"});
    environment.set("A", "4");
    std::vector<std::string> entries;
    for (char* entry : environment.pointers()) {
        if (entry) entries.emplace_back(entry);
    }
    EXPECT_EQ(entries, (std::vector<std::string>{"B=2", "A=4"}));
}

TEST(EnterRun, AddsOnlyTheLibraryForRealGpus) {
    Environment environment = environment_of({"HOME=/"});
    enter_run(environment, "1:2:3:4", kProducts, Machine{});
    EXPECT_EQ(value(environment, "CUDAFAULT_RUN"), "1:2:3:4");
    EXPECT_EQ(value(environment, "LD_PRELOAD"), "/opt/lib/libcudafault.so");
    EXPECT_EQ(environment.get("LD_LIBRARY_PATH"), std::nullopt);
    EXPECT_EQ(environment.get("CUDAFAULT_SIM_DIR"), std::nullopt);
}

TEST(EnterRun, KeepsOtherPreloadsAfterTheLibrary) {
    Environment environment = environment_of({"LD_PRELOAD=/a.so /b.so", "LD_LIBRARY_PATH=/x:"});
    enter_run(environment, "1:2:3:4", kProducts, simulated("2"));
    EXPECT_EQ(value(environment, "LD_PRELOAD"),
              "/opt/lib/libcudafault.so:" + kRuntimes + ":/a.so:/b.so" + kDeviceFiles);
    EXPECT_EQ(value(environment, "LD_LIBRARY_PATH"), "/opt/lib/simgpu:/x:");
    EXPECT_EQ(value(environment, "CUDAFAULT_SIM_GPUS"), "2");
    EXPECT_EQ(value(environment, "CUDAFAULT_SIM_DIR"), "/opt/lib/simgpu");
}

TEST(EnterRun, KeepsSanitizersFirst) {
    Environment environment = environment_of({"LD_PRELOAD=/a.so /usr/lib/libasan.so.8:libclang_rt.tsan-x86_64.so"});
    enter_run(environment, "1:2:3:4", kProducts, Machine{});
    EXPECT_EQ(value(environment, "LD_PRELOAD"),
              "/usr/lib/libasan.so.8:libclang_rt.tsan-x86_64.so:/opt/lib/libcudafault.so:/a.so");
}

TEST(EnterRun, DisablesTheLinkOrderCheckOfAddressSanitizer) {
    Environment environment = environment_of({"ASAN_OPTIONS=detect_leaks=0"});
    enter_run(environment, "1:2:3:4", kProducts, Machine{});
    EXPECT_EQ(value(environment, "ASAN_OPTIONS"), "verify_asan_link_order=0:detect_leaks=0");
    enter_run(environment, "5:6:7:8", kProducts, Machine{});
    EXPECT_EQ(value(environment, "ASAN_OPTIONS"), "verify_asan_link_order=0:detect_leaks=0")
        << "a second run must not add the option again";
    Environment chosen = environment_of({"ASAN_OPTIONS=verify_asan_link_order=1"});
    enter_run(chosen, "1:2:3:4", kProducts, Machine{});
    EXPECT_EQ(value(chosen, "ASAN_OPTIONS"), "verify_asan_link_order=1") << "an explicit value must be kept";
}

TEST(EnterRun, ReplacesAnEnclosingRun) {
    Environment environment = environment_of({"LD_PRELOAD=/a.so"});
    enter_run(environment, "1:2:3:4", kProducts, simulated("2"));
    enter_run(environment, "5:6:7:8", kProducts, simulated("L4"));
    EXPECT_EQ(value(environment, "CUDAFAULT_RUN"), "5:6:7:8");
    EXPECT_EQ(value(environment, "LD_PRELOAD"), "/opt/lib/libcudafault.so:" + kRuntimes + ":/a.so" + kDeviceFiles);
    EXPECT_EQ(value(environment, "LD_LIBRARY_PATH"), "/opt/lib/simgpu");
    EXPECT_EQ(value(environment, "CUDAFAULT_SIM_GPUS"), "L4");
}

TEST(EnterRun, AddsDeviceFilesForSimulatedGpusUnlessDisabled) {
    const Machine machine{true, true, "2", {{}, {}}};
    Environment environment = environment_of({});
    enter_run(environment, "1:2:3:4", kProducts, machine);
    EXPECT_EQ(value(environment, "CUDAFAULT_SIM_DEVICE_FILES"), "2");
    environment = environment_of({"CUDAFAULT_SIM_DEVICE_FILES=0"});
    enter_run(environment, "1:2:3:4", kProducts, machine);
    EXPECT_EQ(value(environment, "CUDAFAULT_SIM_DEVICE_FILES"), "0");
    EXPECT_EQ(value(environment, "LD_PRELOAD"), "/opt/lib/libcudafault.so:" + kRuntimes);
    enter_run(environment, "5:6:7:8", kProducts, Machine{});
    EXPECT_EQ(environment.get("CUDAFAULT_SIM_DEVICE_FILES"), std::nullopt);
}

TEST(EnterRun, ReplacesAnEnclosingRunOfAnotherBuild) {
    Environment environment = environment_of({});
    enter_run(environment, "1:2:3:4", {"/other/libcudafault.so", "/other/simgpu"}, simulated("2"));
    enter_run(environment, "5:6:7:8", kProducts, simulated("1"));
    EXPECT_EQ(value(environment, "LD_PRELOAD"), "/opt/lib/libcudafault.so:" + kRuntimes + kDeviceFiles);
    EXPECT_EQ(value(environment, "LD_LIBRARY_PATH"), "/opt/lib/simgpu");
}

TEST(EnterRun, RemovesSimulatedGpusForRealGpus) {
    Environment environment = environment_of({"LD_LIBRARY_PATH=/x"});
    enter_run(environment, "1:2:3:4", kProducts, simulated("2"));
    enter_run(environment, "5:6:7:8", kProducts, Machine{});
    EXPECT_EQ(value(environment, "LD_PRELOAD"), "/opt/lib/libcudafault.so");
    EXPECT_EQ(value(environment, "LD_LIBRARY_PATH"), "/x");
    EXPECT_EQ(environment.get("CUDAFAULT_SIM_GPUS"), std::nullopt);
    EXPECT_EQ(environment.get("CUDAFAULT_SIM_DIR"), std::nullopt);
}

}  // namespace

}  // namespace cudafault::local
