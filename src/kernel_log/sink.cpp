// SPDX-License-Identifier: Apache-2.0
#include "kernel_log/sink.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "os/clock.hpp"

namespace cudafault::kernel_log {

namespace {

std::string advice(const std::string& target, int error) {
    if (error == ENOENT && target.starts_with("/dev/"))
        return ": it does not exist and cudafault does not create it; use --to with a file, or mount the host's "
               "/dev/kmsg";
    const char* way_out = error == EACCES || error == EPERM ? "; run as root, or use --to with a file" : "";
    return fmt::format(": {}{}", std::strerror(error), way_out);
}

[[noreturn]] void refuse(const std::string& target, int error) {
    throw std::runtime_error(fmt::format("cannot write to \"{}\"{}", target, advice(target, error)));
}

bool is_device(int file) {
    struct stat status = {};
    return fstat(file, &status) == 0 && S_ISCHR(status.st_mode);
}

}  // namespace

Sink::Sink(const std::string& target, Format format) : target_(target), format_(format) {
    if (target == "-") return;
    const int create = target.starts_with("/dev/") ? 0 : O_CREAT;
    file_ = Descriptor(open(target.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC | create, 0644));
    if (!file_) refuse(target, errno);
    is_device_ = is_device(file_.get());
}

void Sink::write(const Line& line) {
    std::string text = line.text + "\n";
    if (is_device_) {
        text = fmt::format("<{}>{}", line.level, text);
    } else if (format_ == Format::record) {
        text = fmt::format("{},{},{},-;{}", line.level, ++sequence_, monotonic_ns() / 1000, text);
    }
    const ssize_t written = ::write(file_ ? file_.get() : STDOUT_FILENO, text.data(), text.size());
    if (written != static_cast<ssize_t>(text.size())) refuse(target_, written < 0 ? errno : EIO);
}

}  // namespace cudafault::kernel_log
