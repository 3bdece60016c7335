// SPDX-License-Identifier: Apache-2.0
// Thin layer over the system calls that several parts need.
#pragma once

#include <sys/types.h>
#include <time.h>

#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace cudafault::local {

// An open file that closes itself.
class Descriptor {
public:
    explicit Descriptor(int number = -1) : number_(number) {}
    Descriptor(Descriptor&& other) noexcept : number_(other.release()) {}
    Descriptor& operator=(Descriptor&& other) noexcept;
    ~Descriptor();

    int get() const { return number_; }
    int release();
    explicit operator bool() const { return number_ >= 0; }

private:
    int number_;
};

std::string error_text(int error = errno);  // "No such file or directory"

uint64_t clock_ns(clockid_t clock);

// When a process started, as field 22 of /proc/PID/stat has it; nothing if it is gone or a zombie.
std::optional<uint64_t> start_time(pid_t pid);

// The whole file; nothing if it cannot be read.
std::optional<std::string> read_file(const std::filesystem::path& path);

// Readers see the old content or the new one, never a part. Throws Error.
void replace_file(const std::filesystem::path& path, const std::string& content);

// Waits for the lock up to two seconds; `what` names in the refusal what is locked. Throws Error.
void lock_file(int descriptor, const std::string& what);

}  // namespace cudafault::local
