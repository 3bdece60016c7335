// SPDX-License-Identifier: Apache-2.0
#include "kernel_log/sink.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace cudafault::kernel_log {
namespace {

class SinkTest : public testing::Test {
protected:
    ~SinkTest() override { std::remove(path.c_str()); }

    std::string content() const {
        std::ifstream file(path);
        return {std::istreambuf_iterator<char>(file), {}};
    }

    std::string path = testing::TempDir() + "cudafault-sink-" + std::to_string(getpid());
};

TEST_F(SinkTest, AppendsTextToAFile) {
    Sink(path, Format::text).write({4, "first"});
    Sink(path, Format::text).write({3, "second"});
    EXPECT_EQ(content(), "first\nsecond\n");
}

TEST_F(SinkTest, WritesRecordsWithLevelAndSequenceNumber) {
    Sink sink(path, Format::record);
    sink.write({4, "NVRM: first"});
    sink.write({3, "second"});
    EXPECT_THAT(content(), testing::MatchesRegex("4,1,[0-9]+,c;NVRM: first\n3,2,[0-9]+,-;second\n"));
}

std::string refusal_of(const std::string& target) {
    try {
        Sink(target, Format::text);
    } catch (const std::runtime_error& error) {
        return error.what();
    }
    return "(opened)";
}

TEST_F(SinkTest, DoesNotCreateDevices) {
    EXPECT_THAT(
        refusal_of("/dev/cudafault-no-such-log"),
        testing::StartsWith(
            "cannot write to \"/dev/cudafault-no-such-log\": it does not exist and cudafault does not create it"));
    EXPECT_NE(access("/dev/cudafault-no-such-log", F_OK), 0);
}

TEST_F(SinkTest, DoesNotCreateDevicesUnderAnotherSpelling) {
    EXPECT_THAT(refusal_of("//dev/./cudafault-no-such-log"), testing::HasSubstr("does not create it"));
    EXPECT_NE(access("/dev/cudafault-no-such-log", F_OK), 0);
}

TEST_F(SinkTest, ReportsAFullDevice) {
    try {
        Sink("/dev/full", Format::text).write({4, "text"});
        ADD_FAILURE() << "written";
    } catch (const std::runtime_error& error) {
        EXPECT_STREQ(error.what(), "cannot write to \"/dev/full\": No space left on device");
    }
}

TEST_F(SinkTest, RefusesATargetThatCannotBeOpened) {
    EXPECT_EQ(refusal_of(testing::TempDir() + "no-such-folder/log"),
              "cannot write to \"" + testing::TempDir() + "no-such-folder/log\": No such file or directory");
}

}  // namespace
}  // namespace cudafault::kernel_log
