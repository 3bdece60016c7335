// SPDX-License-Identifier: Apache-2.0
#include "local/machine.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <set>

#include "local/error.hpp"

namespace cudafault::local {

namespace {

TEST(Machine, SimulatedGpusHaveUniqueIds) {
    const Machine machine = find_machine("sim:H100:2,L4");
    EXPECT_TRUE(machine.simulated);
    EXPECT_TRUE(machine.known);
    EXPECT_EQ(machine.simulation, "H100:2,L4");
    ASSERT_EQ(machine.gpus.size(), 3u);
    std::set<std::string> uuids, pcis;
    for (const Gpu& gpu : machine.gpus) uuids.insert(gpu.uuid), pcis.insert(gpu.pci);
    EXPECT_EQ(uuids.size(), 3u);
    EXPECT_EQ(pcis.size(), 3u);
    EXPECT_EQ(machine.gpus[2].name, "NVIDIA L4");
}

TEST(Machine, HasOneSimulatedGpuByDefault) { EXPECT_EQ(find_machine("sim").gpus.size(), 1u); }

TEST(Machine, AnInnerRunInheritsTheGpus) {
    setenv("CUDAFAULT_SIM_DIR", "/somewhere", 1);
    setenv("CUDAFAULT_SIM_GPUS", "3", 1);
    const Machine inner = find_machine(std::nullopt);
    const Machine real = find_machine("real");
    unsetenv("CUDAFAULT_SIM_DIR");
    unsetenv("CUDAFAULT_SIM_GPUS");
    EXPECT_EQ(inner.gpus.size(), 3u);
    EXPECT_FALSE(real.simulated);
    EXPECT_FALSE(real.known);
    EXPECT_FALSE(find_machine(std::nullopt).simulated);
}

TEST(Machine, UsesTheVariableCudafaultSimGpus) {
    setenv("CUDAFAULT_SIM_GPUS", "L4:2", 1);
    const Machine without_option = find_machine(std::nullopt), sim = find_machine("sim"), three = find_machine("sim:3");
    setenv("CUDAFAULT_SIM_GPUS", "Voodoo", 1);
    EXPECT_THROW(find_machine(std::nullopt), Error);
    unsetenv("CUDAFAULT_SIM_GPUS");
    EXPECT_TRUE(without_option.simulated);
    EXPECT_EQ(without_option.gpus.size(), 2u);
    EXPECT_EQ(sim.gpus.size(), 2u);
    EXPECT_EQ(sim.gpus[0].name, "NVIDIA L4");
    EXPECT_EQ(three.gpus.size(), 3u);
}

TEST(Machine, SuggestsThePrefixSim) {
    for (const auto& [option, hint] :
         {std::pair{"2", "did you mean sim:2?"}, {"A100:4,L4", "sim:A100:4,L4?"}, {"two", ""}}) {
        try {
            find_machine(option);
            ADD_FAILURE() << option << " was accepted";
        } catch (const Error& error) {
            const std::string text = error.what();
            EXPECT_EQ(text.find("did you mean") != std::string::npos, *hint != '\0') << text;
            EXPECT_NE(text.find(hint), std::string::npos) << text;
        }
    }
}

TEST(Machine, RefusesInvalidValues) {
    for (const char* option : {"", "sim:", "2", "sim2", "sim:0x2", "sim:Voodoo:2", "sim:65", "simulated",
                               "sim:L4/1g.10gb", "sim:H100/8g.90gb"}) {
        try {
            find_machine(option);
            ADD_FAILURE() << option << " was accepted";
        } catch (const Error& error) {
            EXPECT_EQ(error.exit_code, kUsage);
            EXPECT_NE(std::string(error.what()).find("--gpus"), std::string::npos) << error.what();
            EXPECT_NE(std::string(error.what()).find("expected"), std::string::npos) << error.what();
        }
    }
}

TEST(Machine, SimulatedGpusCanHaveMigDevices) {
    const Machine machine = find_machine("sim:H100/1g.10gb:2,L4");
    ASSERT_EQ(machine.gpus.size(), 2u);
    ASSERT_EQ(machine.gpus[0].mig_devices.size(), 2u);
    EXPECT_EQ(machine.gpus[0].mig_devices[0].name, "NVIDIA H100 80GB HBM3 MIG 1g.10gb");
    EXPECT_TRUE(machine.gpus[0].mig_devices[0].uuid.starts_with("MIG-"));
    const auto after = nlohmann::json::parse(nlohmann::json(machine).dump()).get<Machine>();
    EXPECT_EQ(after.gpus[0].mig_devices[1].uuid, machine.gpus[0].mig_devices[1].uuid);
    EXPECT_TRUE(after.gpus[1].mig_devices.empty());
}

TEST(Machine, ErrorsNameTheInvalidValue) {
    for (const char* option : {"sim:2:H100", "sim:99", "sim:X100"}) {
        try {
            find_machine(option);
            ADD_FAILURE() << option << " was accepted";
        } catch (const Error& error) {
            const std::string text = error.what();
            EXPECT_EQ(text.find(std::string("invalid --gpus \"") + option + "\": expected "), 0U) << text;
            EXPECT_EQ(text.find("CUDAFAULT_SIM_GPUS"), std::string::npos) << text;
        }
    }
    setenv("CUDAFAULT_SIM_MEMORY", "much", 1);
    try {
        find_machine("sim:2");
        ADD_FAILURE() << "an invalid CUDAFAULT_SIM_MEMORY was accepted";
    } catch (const Error& error) {
        EXPECT_EQ(std::string(error.what()).find("invalid CUDAFAULT_SIM_MEMORY \"much\""), 0U) << error.what();
    }
    unsetenv("CUDAFAULT_SIM_MEMORY");
}

TEST(Machine, IsWrittenAndReadAsJson) {
    const Machine before = find_machine("sim:2");
    const auto after = nlohmann::json::parse(nlohmann::json(before).dump()).get<Machine>();
    ASSERT_EQ(after.gpus.size(), 2u);
    EXPECT_EQ(after.gpus[1].uuid, before.gpus[1].uuid);
    EXPECT_EQ(after.gpus[1].pci, before.gpus[1].pci);
    EXPECT_TRUE(after.known);
}

}  // namespace

}  // namespace cudafault::local
