// SPDX-License-Identifier: Apache-2.0
#include "simgpu/notice.hpp"

#include <fcntl.h>

#include <atomic>

#include "os/process_stat.hpp"
#include "os/system_call.hpp"

namespace cudafault::sim {

namespace {

constexpr int kStandardError = 2;
constexpr int kMaxGenerations = 64;

void write_once(std::atomic<bool>& written, Text line) {
    if (!written.exchange(true)) write_file(kStandardError, line.data, line.size);
}

// The path /proc/PID/NAME.
struct ProcPath {
    ProcPath(int process, Text name) {
        char digits[12];
        size_t count = 0;
        for (int number = process; number > 0; number /= 10) digits[count++] = static_cast<char>('0' + number % 10);
        add("/proc/");
        while (count > 0) add(Text(&digits[--count], 1));
        add("/");
        add(name);
        text[size] = '\0';
    }

    void add(Text part) {
        for (size_t i = 0; i < part.size && size + 1 < sizeof text; ++i) text[size++] = part[i];
    }

    char text[64];
    size_t size = 0;
};

// Reads the first bytes of a file.
template <size_t N>
Text read_start(const char* path, char (&buffer)[N]) {
    const int file = open_file(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return {};
    const long size = read_file(file, buffer, N);
    close_file(file);
    return {buffer, size > 0 ? static_cast<size_t>(size) : 0};
}

bool contains(Text text, Text part) {
    for (size_t i = 0; i + part.size <= text.size; ++i) {
        if (text.from(i).first(part.size) == part) return true;
    }
    return false;
}

bool is_fault_library_loaded() {
    constexpr Text kName("/libcudafault.so");
    const int file = open_file("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    if (file < 0) return true;  // unknown, so do not warn
    char buffer[4096];
    size_t kept = 0;  // bytes kept from the previous read, because a name may be split between two reads
    bool found = false;
    for (long got; !found && (got = read_file(file, buffer + kept, sizeof buffer - kept)) > 0;) {
        const Text text(buffer, kept + static_cast<size_t>(got));
        found = contains(text, kName);
        kept = text.size < kName.size ? text.size : kName.size - 1;
        for (size_t i = 0; i < kept; ++i) buffer[i] = text[text.size - kept + i];
    }
    close_file(file);
    return found;
}

// Returns true if the command line starts with `cudafault run`.
bool is_run_command(Text command_line) {
    size_t end = 0, name = 0;
    for (; end < command_line.size && command_line[end] != '\0'; ++end) {
        if (command_line[end] == '/') name = end + 1;
    }
    const Text program = command_line.from(name).first(end - name);
    return program == Text("cudafault") && starts_with(command_line.from(end), Text("\0run\0", 5));
}

// Searches the ancestors, because programs such as tox remove CUDAFAULT_RUN (D-130).
bool is_inside_run() {
    int process = process_id();
    for (int i = 0; i < kMaxGenerations && process > 1; ++i) {
        char stat[1024], command_line[4096];
        process = parent_in(read_start(ProcPath(process, "stat").text, stat));
        if (process > 0 && is_run_command(read_start(ProcPath(process, "cmdline").text, command_line))) return true;
    }
    return false;
}

}  // namespace

void warn_if_not_preloaded() {
    static std::atomic<bool> checked, written;
    if (checked.exchange(true) || is_fault_library_loaded() || !is_inside_run()) return;
    write_once(
        written,
        "cudafault: this process uses simulated GPUs without the fault library, so faults cannot be injected: keep "
        "LD_PRELOAD and CUDAFAULT_* in its environment (tox: pass_env; sudo: --preserve-env)\n");
}

void warn_about_static_runtime() {
    static std::atomic<bool> written;
    write_once(written,
               "cudafault: this program contains a statically linked CUDA runtime, which rejects simulated GPUs (error "
               "103): link it with `-cudart shared`, use the driver API, or run it on a real GPU\n");
}

}  // namespace cudafault::sim
