// SPDX-License-Identifier: Apache-2.0
// Tests the description of the simulated machine and CUDA's numbering of its GPUs.
#include "simgpu/device.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <set>

#include "simgpu/mig.hpp"

namespace cudafault::sim {
namespace {

std::vector<Gpu> machine_of(const char* gpus, const char* memory = "") {
    std::string error;
    std::vector<Gpu> result = parse_machine(gpus, memory, error);
    EXPECT_EQ(error, "");
    return result;
}

std::string error_of(const char* gpus, const char* memory = "") {
    std::string error;
    EXPECT_TRUE(parse_machine(gpus, memory, error).empty());
    return error;
}

std::vector<int> visible(const std::vector<Gpu>& gpus, const char* list, const char* order = nullptr) {
    std::vector<int> indices;
    for (const Gpu* gpu : visible_gpus(gpus, list, order)) indices.push_back(gpu->index);
    return indices;
}

TEST(Machine, IsOneH100ByDefault) {
    const auto gpus = machine_of("");
    ASSERT_EQ(gpus.size(), 1u);
    EXPECT_STREQ(gpus[0].model->key, "H100");
}

TEST(Machine, ParsesNumbersModelsAndLists) {
    EXPECT_EQ(machine_of("3").size(), 3u);
    EXPECT_EQ(machine_of("0").size(), 0u);
    EXPECT_STREQ(machine_of("b200")[0].model->name, "NVIDIA B200");
    const auto mixed = machine_of("A100:2,L4");
    ASSERT_EQ(mixed.size(), 3u);
    EXPECT_STREQ(mixed[1].model->key, "A100");
    EXPECT_STREQ(mixed[2].model->key, "L4");
    EXPECT_EQ(mixed[2].index, 2);
}

TEST(Machine, ErrorQuotesTheInvalidValue) {
    for (const char* invalid :
         {"V100", "H100:", "H100:x", "-1", "H100:2,", "65", "H100:60,L4:5", "1.5", " 2", ",", "1,,1"}) {
        EXPECT_NE(error_of(invalid).find(std::string("\"") + invalid + "\""), std::string::npos) << invalid;
    }
    for (const char* invalid : {"0", "-1", "12Q", "G", "1.5G", "2000000G"}) {
        EXPECT_NE(error_of("1", invalid).find("CUDAFAULT_SIM_MEMORY"), std::string::npos) << invalid;
    }
}

TEST(Machine, MemoryCanBeSet) {
    EXPECT_EQ(machine_of("1", "512M")[0].usable_bytes(), size_t{512} << 20);
    EXPECT_EQ(machine_of("1", "2g")[0].memory_bytes, size_t{2} << 30);
    EXPECT_EQ(machine_of("1", "4096")[0].memory_bytes, 4096u);
    EXPECT_LT(machine_of("1")[0].usable_bytes(), machine_of("1")[0].memory_bytes);
}

TEST(Machine, GpuIdentifiersAreStableAndUnique) {
    std::set<std::string> identities;
    for (const char* description : {"H100:8", "A100:8", "L4:8"}) {
        for (const Gpu& gpu : machine_of(description)) {
            EXPECT_EQ(uuid_text(gpu).size(), 40u);
            identities.insert(uuid_text(gpu));
        }
    }
    EXPECT_EQ(identities.size(), 24u);
    EXPECT_EQ(uuid_text(machine_of("H100:8")[3]), uuid_text(machine_of("H100:4")[3]));
    EXPECT_EQ(pci_text(machine_of("2")[1]), "0000:11:00.0");
}

TEST(Machine, EveryModelHasPlausibleValues) {
    for (size_t i = 0; i < kGpuModelCount; ++i) {
        const GpuModel& m = kGpuModels[i];
        EXPECT_EQ(std::strncmp(m.name, "NVIDIA ", 7), 0) << m.key;
        EXPECT_GT(m.memory_bytes, uint64_t{20} << 30) << m.key;
        EXPECT_LT(m.reserved_bytes, m.memory_bytes / 20) << m.key;
        EXPECT_GE(m.major, 8) << m.key;
        EXPECT_LT(m.shared_per_block_optin, m.shared_per_multiprocessor) << m.key;
        EXPECT_EQ(m.pci_device_id & 0xffff, 0x10deu) << m.key;
        EXPECT_EQ(m.pci_subsystem_id & 0xffff, 0x10deu) << m.key;
    }
    EXPECT_EQ(kGpuModelCount, 5u);
}

std::vector<std::string> mig_devices(const Gpu& gpu) {
    std::vector<std::string> devices;
    for (const Gpu& device : gpu.mig_devices) {
        devices.push_back(std::to_string(gpu_instance_id(device)) + " " + device.profile->name + " at " +
                          std::to_string(device.first_slice));
    }
    return devices;
}

// The expected instances are those that nvidia-smi shows after it creates these profiles in this order.
TEST(MigDevices, HaveThePlacementOfTheRealDriver) {
    using List = std::vector<std::string>;
    EXPECT_EQ(mig_devices(machine_of("A100/1g.10gb+2g.20gb+4g.40gb")[0]),
              (List{"1 4g.40gb at 0", "5 2g.20gb at 4", "13 1g.10gb at 6"}));
    EXPECT_EQ(mig_devices(machine_of("H100/3g.40gb:2")[0]), (List{"1 3g.40gb at 0", "2 3g.40gb at 4"}));
    EXPECT_EQ(mig_devices(machine_of("B200/7g.180gb")[0]), (List{"0 7g.180gb at 0"}));
    EXPECT_EQ(mig_devices(machine_of("H100/1g.10gb:7")[0]).front(), "7 1g.10gb at 0");
    EXPECT_EQ(mig_devices(machine_of("H100/1g.10gb:4+3g.40gb")[0]).size(), 5u) << "3g.40gb fits into the upper half";
    EXPECT_TRUE(mig_devices(machine_of("H100")[0]).empty());
}

TEST(MigDevices, BelongToEachGpuOfTheGroup) {
    const auto gpus = machine_of("H100:2/1g.10gb:2,L4");
    ASSERT_EQ(gpus.size(), 3u);
    std::set<std::string> uuids;
    for (const Gpu& gpu : gpus) {
        uuids.insert(uuid_text(gpu));
        for (const Gpu& device : gpu.mig_devices) {
            EXPECT_EQ(uuid_text(device).substr(0, 4), "MIG-");
            EXPECT_EQ(whole_gpu(gpus, &device), &gpu);
            uuids.insert(uuid_text(device));
        }
    }
    EXPECT_EQ(uuids.size(), 7u);
    EXPECT_EQ(machine_of("1/7g.80gb")[0].mig_devices.size(), 1u) << "a number selects the default model";
}

TEST(MigDevices, ProfilesThatDoNotFitAreRefused) {
    for (const char* wrong :
         {"H100/", "H100/1g.5gb", "H100/1g.10gb:8", "H100/1g.10gb:0", "H100/1g.10gb:x", "H100/4g.40gb:2",
          "H100/4g.40gb+3g.40gb+1g.10gb", "H100/7g.80gb+1g.10gb", "H100/1g.10gb+", "H100/2g.20gb:4"}) {
        EXPECT_NE(error_of(wrong).find("fit on one GPU, such as 1g.10gb:7, of the profiles"), std::string::npos)
            << wrong;
    }
    EXPECT_NE(error_of("L4/1g.10gb").find("the model L4 does not support MIG"), std::string::npos);
}

TEST(MigDevices, HaveTheResourcesOfTheirProfile) {
    const auto gpus = machine_of("H100/3g.40gb+1g.10gb");
    const Gpu& half = gpus[0].mig_devices[0];
    EXPECT_STREQ(half.model->name, "NVIDIA H100 80GB HBM3 MIG 3g.40gb");
    EXPECT_EQ(half.usable_bytes(), uint64_t{40448} << 20);
    EXPECT_EQ(half.model->multiprocessors, 60);
    EXPECT_EQ(half.model->l2_bytes * 2, gpus[0].model->l2_bytes);
    EXPECT_EQ(half.model->nvlinks, 0);
    EXPECT_EQ(machine_of("H100/1g.10gb", "800M")[0].mig_devices[0].memory_bytes, size_t{100} << 20);
}

TEST(MigDevices, EveryModelsProfilesArePlausible) {
    for (size_t i = 0; i < kGpuModelCount; ++i) {
        const GpuModel& model = kGpuModels[i];
        EXPECT_EQ(model.mig_profile_count, model.nvlinks ? 6u : 0u) << model.key;
        for (size_t j = 0; j < model.mig_profile_count; ++j) {
            const MigProfile& profile = model.mig_profiles[j];
            EXPECT_TRUE(can_start_at(profile, 0)) << profile.name;
            EXPECT_LE(profile.device.memory_bytes, model.memory_bytes) << profile.name;
            EXPECT_LE(profile.device.multiprocessors, model.multiprocessors) << profile.name;
            EXPECT_EQ(std::string(profile.device.name), std::string(model.name) + " MIG " + profile.name);
        }
    }
}

TEST(VisibleDevices, AreAllGpusIfUnset) { EXPECT_EQ(visible(machine_of("3"), nullptr), (std::vector<int>{0, 1, 2})); }

TEST(VisibleDevices, KeepTheOrderOfTheList) {
    const auto gpus = machine_of("4");
    EXPECT_EQ(visible(gpus, "2,0"), (std::vector<int>{2, 0}));
    EXPECT_EQ(visible(gpus, " 1 , 3"), (std::vector<int>{1, 3}));
    EXPECT_EQ(visible(gpus, ""), std::vector<int>{});
}

TEST(VisibleDevices, ListEndsAtAnInvalidItem) {
    const auto gpus = machine_of("4");
    EXPECT_EQ(visible(gpus, "1,7,0"), std::vector<int>{1});
    EXPECT_EQ(visible(gpus, "0, 1, 2, -1, 3"), (std::vector<int>{0, 1, 2}));
    EXPECT_EQ(visible(gpus, "-1"), std::vector<int>{});
    EXPECT_EQ(visible(gpus, "0,,1"), std::vector<int>{0});
    EXPECT_EQ(visible(gpus, "NoDevFiles"), std::vector<int>{});
    EXPECT_EQ(visible(gpus, "99999999999999999999,0"), std::vector<int>{});
}

TEST(VisibleDevices, NumbersAreReadLikeStrtoul) {
    const auto gpus = machine_of("4");
    EXPECT_EQ(visible(gpus, "1gpu2,0ampere"), (std::vector<int>{1, 0}));
    EXPECT_EQ(visible(gpus, "+2,0x1"), (std::vector<int>{2, 0}));
    EXPECT_EQ(visible(gpus, "gpu0,1"), std::vector<int>{});
}

TEST(VisibleDevices, RepeatedItemHidesAllGpus) {
    const auto gpus = machine_of("4");
    const std::string uuid = uuid_text(gpus[2]), prefix = uuid.substr(0, 12);
    for (const std::string& list : {std::string("0,0"), std::string("0,1,1gpu"), std::string("1,9,9"),
                                    uuid + "," + uuid, prefix + "," + uuid, prefix + ",GPU-ffffffff," + prefix}) {
        EXPECT_EQ(visible(gpus, list.c_str()), std::vector<int>{}) << list;
    }
}

TEST(VisibleDevices, AcceptUuidsAndTheirPrefixes) {
    const auto gpus = machine_of("4");
    const std::string uuid = uuid_text(gpus[2]), second_uuid = uuid_text(gpus[1]);
    EXPECT_EQ(visible(gpus, uuid.c_str()), std::vector<int>{2});
    EXPECT_EQ(visible(gpus, (uuid.substr(0, 12) + "," + second_uuid).c_str()), (std::vector<int>{2, 1}));
    EXPECT_EQ(visible(gpus, "GPU-"), std::vector<int>{});
    EXPECT_EQ(visible(gpus, "GPU-ffffffffff"), std::vector<int>{});
}

TEST(VisibleDevices, ListEndsIfIndexesAndUuidsAreMixed) {
    const auto gpus = machine_of("4");
    const std::string uuid = uuid_text(gpus[2]);
    EXPECT_EQ(visible(gpus, (uuid + ",1").c_str()), std::vector<int>{2});
    EXPECT_EQ(visible(gpus, ("1," + uuid).c_str()), std::vector<int>{1});
    EXPECT_EQ(visible(gpus, (uuid + ", " + uuid_text(gpus[1])).c_str()), std::vector<int>{2});
}

TEST(VisibleDevices, AreSortedBySpeedOrByBusId) {
    const auto gpus = machine_of("L4,H100");
    EXPECT_EQ(visible(gpus, nullptr), (std::vector<int>{1, 0}));
    EXPECT_EQ(visible(gpus, nullptr, "FASTEST_FIRST"), (std::vector<int>{1, 0}));
    EXPECT_EQ(visible(gpus, nullptr, "PCI_BUS_ID"), (std::vector<int>{0, 1}));
    EXPECT_EQ(visible(gpus, "0", "PCI_BUS_ID"), std::vector<int>{0});
    EXPECT_EQ(visible(gpus, "0"), std::vector<int>{1});
}

// Returns the UUIDs of the visible devices.
std::vector<std::string> visible_uuids(const std::vector<Gpu>& gpus, const char* list) {
    std::vector<std::string> uuids;
    for (const Gpu* gpu : visible_gpus(gpus, list, nullptr)) uuids.push_back(uuid_text(*gpu));
    return uuids;
}

TEST(VisibleDevices, IncludeAtMostOneMigDevice) {
    using List = std::vector<std::string>;
    const auto gpus = machine_of("H100:2/1g.10gb:2,H100");
    const std::string first = uuid_text(gpus[0].mig_devices[0]), second = uuid_text(gpus[0].mig_devices[1]);
    const std::string other = uuid_text(gpus[1].mig_devices[0]), undivided = uuid_text(gpus[2]);
    EXPECT_EQ(visible_uuids(gpus, nullptr), List{first});
    EXPECT_EQ(visible_uuids(gpus, "0"), List{first});
    EXPECT_EQ(visible_uuids(gpus, "1"), List{other});
    EXPECT_EQ(visible_uuids(gpus, "2"), List{undivided});
    EXPECT_EQ(visible_uuids(gpus, "2,1"), List{other}) << "CUDA enumerates no GPU together with a MIG device";
    EXPECT_EQ(visible_uuids(gpus, uuid_text(gpus[1]).c_str()), List{other});
    EXPECT_EQ(visible_uuids(gpus, second.c_str()), List{second});
    EXPECT_EQ(visible_uuids(gpus, (second + "," + first).c_str()), List{second});
    EXPECT_EQ(visible_uuids(gpus, second.substr(0, 12).c_str()), List{second});
    const std::string pre_r470_name = "MIG-" + uuid_text(gpus[1]) + "/7/0";
    EXPECT_EQ(visible_uuids(gpus, pre_r470_name.c_str()).size(), 0u) << "the IDs of the GPU instances are 12 and 13";
    EXPECT_EQ(visible_uuids(gpus, ("MIG-" + uuid_text(gpus[1]) + "/12/0").c_str()), List{other});
    EXPECT_EQ(visible_uuids(gpus, "MIG-ffffffff"), List{});
}

TEST(PciAddress, IsParsedInEachCommonForm) {
    unsigned domain = 9, bus = 0, device = 9;
    for (const char* text : {"0000:1a:00.0", "00000000:1A:00.0", "1a:00.0", "1A:00"}) {
        EXPECT_TRUE(parse_pci(text, domain, bus, device)) << text;
        EXPECT_EQ(domain, 0u);
        EXPECT_EQ(bus, 0x1au);
        EXPECT_EQ(device, 0u);
    }
    for (const char* text : {"", "1a", "xx:00.0", "0:0:0:0"}) {
        EXPECT_FALSE(parse_pci(text, domain, bus, device)) << text;
    }
}

}  // namespace
}  // namespace cudafault::sim
