// SPDX-License-Identifier: Apache-2.0
#include "kernel_log/sink.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "os/clock.hpp"

namespace cudafault::kernel_log {

namespace {

std::string advice(const std::string& target, int error) {
    if (error == ENOENT && target.starts_with("\"/dev/"))
        return ": it does not exist and cudafault does not create it; use --to with a file, or mount the host's "
               "/dev/kmsg";
    const char* way_out = error == EACCES || error == EPERM ? "; run as root, or use --to with a file" : "";
    return fmt::format(": {}{}", std::strerror(error), way_out);
}

std::string in_quotes(const std::string& target) { return "\"" + target + "\""; }

[[noreturn]] void refuse(const std::string& name, int error) {
    throw std::runtime_error(fmt::format("cannot write to {}{}", name, advice(name, error)));
}

// Returns the target without links, `.`, `..` and repeated slashes.
std::string canonical(const std::string& target) {
    std::error_code error;
    const std::filesystem::path path = std::filesystem::weakly_canonical(target, error);
    return error ? target : path.string();
}

bool is_below_dev(const std::string& target) { return canonical(target).starts_with("/dev/"); }

Descriptor open_target(const std::string& target) {
    const int create = is_below_dev(target) ? 0 : O_CREAT;
    Descriptor file(open(target.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC | create, 0644));
    if (!file) refuse(in_quotes(create ? target : canonical(target)), errno);
    return file;
}

// The kernel accepts and drops what programs write to /dev/kmsg if printk_devkmsg is "off".
void require_kernel_log() {
    std::ifstream setting("/proc/sys/kernel/printk_devkmsg");
    std::string value;
    if (setting >> value && value == "off")
        throw std::runtime_error(
            "cannot write to \"/dev/kmsg\": the kernel drops what programs write, because printk_devkmsg "
            "is off; use --to with a file");
}

}  // namespace

bool is_device(const std::string& target) {
    struct stat status = {};
    return stat(target.c_str(), &status) == 0 && S_ISCHR(status.st_mode);
}

Sink::Sink(const std::string& target, Format format) : target_(target), format_(format) {
    if (target == "-") return;
    file_ = open_target(target);
    is_device_ = is_device(target);
    if (is_device_ && canonical(target) == "/dev/kmsg") require_kernel_log();
}

void Sink::write(const Line& line) {
    std::string text = line.text + "\n";
    if (is_device_) {
        // The kernel drops lines after the tenth within 5 seconds of one open file.
        file_ = open_target(target_);
        text = fmt::format("<{}>{}", line.level, text);
    } else if (format_ == Format::record) {
        // The driver prints with KERN_CONT, which the kernel marks with c.
        const char flag = line.text.starts_with("NVRM: ") ? 'c' : '-';
        text = fmt::format("{},{},{},{};{}", line.level, ++sequence_, monotonic_ns() / 1000, flag, text);
    }
    write_text(text);
}

void Sink::write_text(std::string_view text) {
    while (!text.empty()) {
        const ssize_t written = ::write(file_ ? file_.get() : STDOUT_FILENO, text.data(), text.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) refuse(target_ == "-" ? "standard output" : in_quotes(target_), errno);
        text.remove_prefix(static_cast<size_t>(written));
    }
}

}  // namespace cudafault::kernel_log
