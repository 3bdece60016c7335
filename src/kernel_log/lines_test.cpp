// SPDX-License-Identifier: Apache-2.0
#include "kernel_log/lines.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "catalog/catalog.hpp"

namespace cudafault::kernel_log {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::EndsWith;
using testing::IsEmpty;

const Gpu kGpu{"0000:65:00.0", "GPU-11111111-2222-3333-4444-555555555555", "", 1, {}, {}};
const Owner kPython{4242, "python3"};

std::vector<std::string> texts(const std::vector<Line>& lines) {
    std::vector<std::string> found;
    for (const Line& line : lines) found.push_back(line.text);
    return found;
}

std::vector<std::string> xid(unsigned number, unsigned branch, const std::optional<Owner>& owner = {},
                             unsigned cause = 0, const Gpu& gpu = kGpu) {
    const catalog::Entry* entry = catalog::find_entry(number);
    EXPECT_NE(entry, nullptr) << number;
    return texts(xid_lines(*entry, branch, gpu, owner, cause ? catalog::find_entry(cause) : nullptr));
}

TEST(XidLines, UnknownOwnerIsOmittedFromBranch570On) {
    EXPECT_EQ(xid(79, 535)[0],
              "NVRM: Xid (PCI:0000:65:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus.");
    EXPECT_EQ(xid(79, 550)[0],
              "NVRM: Xid (PCI:0000:65:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus.");
    EXPECT_EQ(xid(79, 570)[0], "NVRM: Xid (PCI:0000:65:00): 79, GPU has fallen off the bus.");
    EXPECT_THAT(xid(79, 570), Contains("NVRM: GPU 0000:65:00.0: GPU has fallen off the bus."));
}

TEST(XidLines, NameTheProcessThatOwnsTheChannel) {
    EXPECT_THAT(xid(43, 550, kPython),
                ElementsAre("NVRM: Xid (PCI:0000:65:00): 43, pid=4242, name=python3, Ch 00000008"));
    EXPECT_THAT(xid(43, 580, kPython),
                ElementsAre("NVRM: Xid (PCI:0000:65:00): 43, pid=4242, name=python3, channel 0x00000008"));
    EXPECT_THAT(xid(43, 550),
                ElementsAre("NVRM: Xid (PCI:0000:65:00): 43, pid='<unknown>', name=<unknown>, Ch 00000008"));
}

TEST(XidLines, NameTheXidThatCausedThem) {
    EXPECT_THAT(xid(45, 570, kPython, 149)[0], EndsWith("Ch 00000001"));
    EXPECT_THAT(xid(45, 580, kPython, 149)[0], EndsWith(" caused by previous Xid 149"));
    EXPECT_THAT(xid(45, 580, kPython)[0], testing::Not(testing::HasSubstr("caused")));
}

TEST(XidLines, NameTheMigDevice) {
    Gpu gpu = kGpu;
    gpu.gpu_instance = 5;
    EXPECT_EQ(xid(79, 580, {}, 0, gpu)[0], "NVRM: Xid (PCI:0000:65:00 GPU-I:05): 79, GPU has fallen off the bus.");
    gpu.compute_instance = 0;
    EXPECT_EQ(xid(79, 580, {}, 0, gpu)[0],
              "NVRM: Xid (PCI:0000:65:00 GPU-I:05 GPU-CI:00): 79, GPU has fallen off the bus.");
}

TEST(XidLines, RecoveryActionIsThatOfTheCause) {
    EXPECT_THAT(xid(154, 580, {}, 48)[0], EndsWith(" to 0x4 (Drain and Reset)"));
    EXPECT_THAT(xid(154, 580, {}, 79)[0], EndsWith(" to 0x1 (GPU Reset Required)"));
    EXPECT_THAT(xid(154, 615, {}, 79)[0], EndsWith(" to 0x1 (PF FLR)"));
}

TEST(XidLines, AreEmptyIfTheBranchDoesNotPrintTheXid) {
    EXPECT_THAT(xid(154, 550), IsEmpty());
    EXPECT_EQ(first_branch(*catalog::find_entry(154)), 570u);
    EXPECT_THAT(xid(154, 570), testing::Not(IsEmpty()));
}

TEST(XidLines, EveryEntryHasLinesInTheNewestBranch) {
    for (const catalog::Entry& entry : catalog::entries()) {
        if (entry.depth == "reserved") continue;
        if (first_branch(entry) > driver_branches().back()) continue;
        const auto lines = xid(entry.number, driver_branches().back(), kPython, 48);
        EXPECT_THAT(lines, testing::Not(IsEmpty())) << entry.number;
        for (const std::string& line : lines) {
            EXPECT_THAT(line, testing::StartsWith("NVRM: "));
            EXPECT_EQ(line.find_first_of("{}\n"), std::string::npos) << line;
            EXPECT_LE(line.size(), 976u) << "longer than a record of the kernel log";
        }
    }
}

TEST(FirstLines, OmitUnknownValues) {
    EXPECT_THAT(texts(first_lines(kGpu)),
                ElementsAre("NVRM: GPU at PCI:0000:65:00: GPU-11111111-2222-3333-4444-555555555555"));
    EXPECT_THAT(texts(first_lines({"0000:65:00.0", "", "1321021036987", 0, {}, {}})),
                ElementsAre("NVRM: GPU Board Serial Number: 1321021036987"));
}

TEST(SwitchLines, HaveTheErrorLevelAndTheFunction) {
    ASSERT_NE(find_switch_error(20034), nullptr);
    const std::vector<Line> lines = switch_lines(*find_switch_error(20034), {3, "0000:c1:00.0", 30});
    EXPECT_EQ(lines[0].text, "nvidia-nvswitch3: SXid (PCI:0000:c1:00.0): 20034, Fatal, Link 30 LTSSM Fault Up (First)");
    EXPECT_EQ(lines[1].text,
              "nvidia-nvswitch3: SXid (PCI:0000:c1:00.0): 20034, Severity 1 Engine instance 30 Sub-engine instance 00");
    for (const Line& line : lines) EXPECT_EQ(line.level, 3);
    EXPECT_EQ(find_switch_error(1), nullptr);
}

}  // namespace
}  // namespace cudafault::kernel_log
