// SPDX-License-Identifier: Apache-2.0
#include "local/system.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "local/error.hpp"
#include "os/descriptor.hpp"

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

std::string error_text(int error) { return std::strerror(error); }

std::string environment_variable(const char* name) {
    const char* value = std::getenv(name);
    return value ? value : "";
}

void replace_file(const std::filesystem::path& path, const std::string& content) {
    const std::string temporary = fmt::format("{}.{}.tmp", path.string(), getpid());
    unlink(temporary.c_str());
    const Descriptor file(open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (file && write_all(file.get(), content) && rename(temporary.c_str(), path.c_str()) == 0) return;
    const std::string reason = error_text();
    unlink(temporary.c_str());
    throw Error(kEnvironment, fmt::format("cannot write \"{}\": {}", path.string(), reason));
}

void lock_file(int descriptor, const std::string& object) {
    for (int attempt = 0; attempt < kLockAttempts; ++attempt) {
        if (flock(descriptor, LOCK_EX | LOCK_NB) == 0) return;
        usleep(kLockPauseUs);
    }
    throw Error(kEnvironment,
                object + " is locked by another cudafault process that does not finish: end that process first");
}

}  // namespace cudafault::local
