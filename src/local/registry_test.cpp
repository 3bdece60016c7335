// SPDX-License-Identifier: Apache-2.0
#include "local/registry.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "local/error.hpp"
#include "local/history.hpp"
#include "os/process.hpp"

namespace cudafault::local {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// Gives each test its own runtime folder.
class RegistryTest : public testing::Test {
protected:
    RegistryTest() {
        char folder[] = "/tmp/cudafault-registry-test-XXXXXX";
        base_ = mkdtemp(folder);
        setenv("XDG_RUNTIME_DIR", base_.c_str(), 1);
    }
    ~RegistryTest() override { fs::remove_all(base_); }

    fs::path folder() const { return base_ / "cudafault"; }
    fs::path file(const std::string& name) const { return folder() / (name + ".json"); }

    static json record(const char* state, uint64_t start) {
        json record = {{"state", state},    {"pid", getpid()}, {"task", getpid()},     {"start_time", start},
                       {"fd", 3},           {"inode", 4},      {"started_at", "2026"}, {"command", {"true"}},
                       {"gpus", Machine{}}, {"plan", nullptr}};
        start_history(record);
        return record;
    }
    // The record names this process as `cudafault run`.
    static json live() { return record("running", start_time(getpid()).value()); }
    static json lost() { return record("running", 1); }
    static json ended() { return record("ended", 1); }

    static std::string refusal(const std::function<void()>& action) {
        try {
            action();
        } catch (const Error& error) {
            return error.what();
        }
        return "(not refused)";
    }

private:
    fs::path base_;
};

TEST_F(RegistryTest, ListingCreatesNoFolder) {
    EXPECT_TRUE(Registry().list().empty());
    EXPECT_FALSE(fs::exists(folder()));
}

TEST_F(RegistryTest, OnlyTheUserCanAccessTheFolderAndFiles) {
    Registry().claim("a", live());
    struct stat status{};
    ASSERT_EQ(stat(folder().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0700u);
    ASSERT_EQ(stat(file("a").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(RegistryTest, DistinguishesTheStates) {
    Registry registry;
    registry.claim("live", live());
    registry.claim("lost", lost());
    registry.claim("ended", ended());
    std::ofstream(file("damaged")) << "{\"state\": \"running\"";
    json mistyped = live();
    mistyped["pid"] = "one";
    std::ofstream(file("mistyped")) << mistyped;
    EXPECT_EQ(registry.find("live").state, RunState::running);
    EXPECT_EQ(registry.find("lost").state, RunState::lost);
    EXPECT_EQ(registry.find("ended").state, RunState::ended);
    EXPECT_EQ(registry.find("damaged").state, RunState::damaged);
    EXPECT_EQ(registry.find("mistyped").state, RunState::damaged);
    EXPECT_EQ(registry.list().size(), 5u);
}

TEST_F(RegistryTest, TheErrorForAnUnknownRunNamesTheLiveRuns) {
    Registry registry;
    registry.claim("here", live());
    registry.claim("gone", ended());
    const std::string text = refusal([&] { registry.find("her"); });
    EXPECT_NE(text.find("live runs: here"), std::string::npos) << text;
    EXPECT_EQ(text.find("gone"), std::string::npos) << text;
}

TEST_F(RegistryTest, OnlyALiveRunReservesItsName) {
    Registry registry;
    for (const json& old : {lost(), ended()}) {
        registry.claim("name", old);
        registry.claim("name", old);
    }
    registry.claim("name", live());
    EXPECT_NE(refusal([&] { registry.claim("name", live()); }).find("already live"), std::string::npos);
}

TEST_F(RegistryTest, RefusesAFolderOpenToOtherUsers) {
    fs::create_directory(folder());
    fs::permissions(folder(), fs::perms(0777));
    EXPECT_NE(refusal([] { Registry(); }).find("open to other users"), std::string::npos);
}

TEST_F(RegistryTest, RefusesALinkToAFolder) {
    fs::create_directory(folder().string() + ".real");
    fs::create_symlink(folder().string() + ".real", folder());
    EXPECT_NE(refusal([] { Registry(); }).find("not a folder"), std::string::npos);
}

TEST_F(RegistryTest, RefusesAFolderOfAnotherUser) {
    if (geteuid() != 0) GTEST_SKIP() << "only root can change the owner of a folder";
    fs::create_directory(folder());
    fs::permissions(folder(), fs::perms(0700));
    ASSERT_EQ(chown(folder().c_str(), 12345, 12345), 0);
    EXPECT_NE(refusal([] { Registry(); }).find("belongs to another user"), std::string::npos);
}

TEST_F(RegistryTest, RemovesTheOldestEndedRuns) {
    Registry registry;
    registry.claim("live", live());
    fs::last_write_time(file("live"), fs::file_time_type::clock::now() - std::chrono::hours(1));
    for (int i = 0; i < 105; ++i) {
        registry.claim("old-" + std::to_string(i), ended());
        const auto age = std::chrono::seconds(200 - i);
        fs::last_write_time(file("old-" + std::to_string(i)), fs::file_time_type::clock::now() - age);
    }
    EXPECT_EQ(registry.find("live").state, RunState::running);
    EXPECT_FALSE(fs::exists(file("old-0")));
    EXPECT_TRUE(fs::exists(file("old-104")));
    EXPECT_LE(registry.list().size(), 101u);
}

TEST_F(RegistryTest, WritesACommandThatIsNotUtf8) {
    json record = ended();
    record["command"] = {"\xff"};
    Registry registry;
    registry.claim("bytes", record);
    EXPECT_EQ(registry.find("bytes").state, RunState::ended);
}

TEST(RunName, IsVisibleTextThatCanBeAFileName) {
    for (const char* good : {"a", "run-1", "A_b.c", "0", "ä", "größe-1", "試験", "🔥"})
        EXPECT_NO_THROW(check_name(good)) << good;
    for (const std::string bad : {"", ".", "..", "-a", ".a", "a/b", "a b", "a\n", "a\x1b[31m", "a\x7f"})
        EXPECT_THROW(check_name(bad), Error) << bad;
    const std::string invisible[] = {"a\u0085", "a\u00a0b", "a\u200bb", "a\u202eb",
                                     "a\u2028", "a\u2066b", "\ufeffa",  "a\u3000b"};
    for (const std::string& bad : invisible) EXPECT_THROW(check_name(bad), Error) << bad;
    const std::string invalid_utf8[] = {"\xff", "a\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\x80"};
    for (const std::string& bad : invalid_utf8) EXPECT_THROW(check_name(bad), Error) << bad;
    try {
        check_name("a\x1b[31m");
    } catch (const Error& error) {
        EXPECT_NE(std::string(error.what()).find("\"a?[31m\""), std::string::npos) << error.what();
    }
    EXPECT_NO_THROW(check_name(std::string(64, 'a')));
    EXPECT_THROW(check_name(std::string(65, 'a')), Error);
}

}  // namespace

}  // namespace cudafault::local
