// SPDX-License-Identifier: Apache-2.0
#include "local/system.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>
#include <utility>

#include "local/error.hpp"

namespace cudafault::local {

namespace {

constexpr int kLockAttempts = 2000;
constexpr useconds_t kLockPauseUs = 1000;

bool write_all(int descriptor, const std::string& content) {
    for (size_t done = 0; done < content.size();) {
        const ssize_t written = write(descriptor, content.data() + done, content.size() - done);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return false;
        done += static_cast<size_t>(written);
    }
    return true;
}

}  // namespace

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
}

Descriptor::~Descriptor() {
    if (number_ >= 0) close(number_);
}

int Descriptor::release() { return std::exchange(number_, -1); }

std::string error_text(int error) { return std::strerror(error); }

uint64_t clock_ns(clockid_t clock) {
    timespec now{};
    clock_gettime(clock, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

std::optional<uint64_t> start_time(pid_t pid) {
    const auto stat = read_file(fmt::format("/proc/{}/stat", pid));
    if (!stat) return std::nullopt;
    // The second field is the program's name in brackets, which may hold anything.
    const size_t name_end = stat->rfind(')');
    if (name_end == std::string::npos) return std::nullopt;
    std::istringstream fields(stat->substr(name_end + 1));
    std::string state, skipped;
    fields >> state;
    if (state == "Z" || state == "X") return std::nullopt;
    constexpr int kState = 3, kStartTime = 22;
    for (int field = kState + 1; field < kStartTime; ++field) fields >> skipped;
    uint64_t time = 0;
    return fields >> time ? std::optional(time) : std::nullopt;
}

std::optional<std::string> read_file(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) return std::nullopt;
    std::string content(std::istreambuf_iterator<char>(file), {});
    return file.bad() ? std::nullopt : std::optional(std::move(content));
}

void replace_file(const std::filesystem::path& path, const std::string& content) {
    const std::string temporary = fmt::format("{}.{}.tmp", path.string(), getpid());
    unlink(temporary.c_str());
    const Descriptor file(open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (file && write_all(file.get(), content) && rename(temporary.c_str(), path.c_str()) == 0) return;
    const std::string why = error_text();
    unlink(temporary.c_str());
    throw Error(kEnvironment, fmt::format("{} cannot be written: {}", path.string(), why));
}

void lock_file(int descriptor, const std::string& what) {
    for (int attempt = 0; attempt < kLockAttempts; ++attempt) {
        if (flock(descriptor, LOCK_EX | LOCK_NB) == 0) return;
        usleep(kLockPauseUs);
    }
    throw Error(kEnvironment, what + " is locked by another cudafault that does not finish: end that one first");
}

}  // namespace cudafault::local
