// SPDX-License-Identifier: Apache-2.0
#include "local/registry.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "fault/text.hpp"
#include "local/error.hpp"
#include "local/history.hpp"
#include "local/system.hpp"
#include "local/target_variables.hpp"
#include "os/descriptor.hpp"
#include "os/file.hpp"
#include "os/process.hpp"

namespace cudafault::local {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr size_t kLongestName = 64;
constexpr size_t kKeptRuns = 100;  // reports are usually on a memory file system

bool is_own_folder(const char* path) {
    struct stat status{};
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == geteuid();
}

fs::path choose_folder() {
    const char* runtime = std::getenv("XDG_RUNTIME_DIR");
    if (runtime && *runtime && is_own_folder(runtime)) return fs::path(runtime) / "cudafault";
    const char* temporary = std::getenv("TMPDIR");
    return fs::path(temporary && *temporary ? temporary : "/tmp") / fmt::format("cudafault-{}", geteuid());
}

// Returns false if the folder does not exist. Throws Error if another user can write to it, because that user could
// make the tool open another control block.
bool is_trusted(const fs::path& folder) {
    struct stat status{};
    if (lstat(folder.c_str(), &status) != 0) return false;
    const char* problem = !S_ISDIR(status.st_mode)      ? "is not a folder"
                          : status.st_uid != geteuid()  ? "belongs to another user"
                          : (status.st_mode & 077) != 0 ? "is open to other users"
                                                        : nullptr;
    if (!problem) return true;
    throw Error(
        kEnvironment,
        fmt::format("\"{}\" {}, so cudafault does not use it: remove it, or change its mode to 0700 if you own it",
                    folder.string(), problem));
}

void make_folder(const fs::path& folder) {
    if (mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
        throw Error(kEnvironment, fmt::format("cannot create \"{}\": {}", folder.string(), error_text()));
    }
}

// Throws json::exception if the record lacks a member that the other functions need.
void require_shape(const json& record) {
    static_cast<void>(record.at("pid").get<pid_t>());
    static_cast<void>(record.at("started_at").get_ref<const std::string&>());
    static_cast<void>(record.at("command").get<std::vector<std::string>>());
    static_cast<void>(record.at("gpus").get<Machine>());
    static_cast<void>(record.value("target_variables", TargetVariables{}));
    require_history(record);
    const json& plan = record.at("plan");
    if (plan.is_null()) return;
    static_cast<void>(plan.at("spec").get_ref<const std::string&>());
    static_cast<void>(plan.at("revision").get<uint64_t>());
}

RunState determine_state(const Run& run) {
    require_shape(run.record);
    const std::string state = run.record.at("state");
    if (state == "ended") return RunState::ended;
    if (state != "running") return RunState::damaged;
    const Address address = run.address();
    return start_time(address.task) == address.start_time ? RunState::running : RunState::lost;
}

// Removes the first code point from the text and returns it. Returns nullopt if the text does not start with valid
// UTF-8.
std::optional<char32_t> take_code_point(std::string_view& text) {
    const auto first = static_cast<unsigned char>(text[0]);
    const size_t size = first < 0x80 ? 1 : first >> 5 == 6 ? 2 : first >> 4 == 14 ? 3 : first >> 3 == 30 ? 4 : 0;
    if (size == 0 || size > text.size()) return std::nullopt;
    char32_t point = size == 1 ? first : first & (0x7f >> size);
    for (size_t i = 1; i < size; ++i) {
        const auto next = static_cast<unsigned char>(text[i]);
        if (next >> 6 != 2) return std::nullopt;
        point = point << 6 | (next & 0x3f);
    }
    constexpr char32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
    if (point < kLeast[size] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) return std::nullopt;
    text.remove_prefix(size);
    return point;
}

bool is_plain_ascii(char32_t c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
}

// Returns true for characters that are invisible, are spaces, or change the direction of the text around them (D-128).
bool is_invisible(char32_t c) {
    return c < 0xa1 || c == 0xad || (c >= 0x2000 && c <= 0x206f) || c == 0x3000 || c == 0xfeff ||
           (c >= 0xfff0 && c <= 0xffff) || c >= 0xe0000;
}

// Returns true if the text can be a file name and can be printed in a line unchanged.
bool is_safe(std::string_view text) {
    while (!text.empty()) {
        const auto point = take_code_point(text);
        if (!point || (*point < 0x80 ? !is_plain_ascii(*point) : is_invisible(*point))) return false;
    }
    return true;
}

std::string printable(const std::string& text) {
    if (is_safe(text)) return text;
    std::string out;
    for (const char c : text) out += printable_ascii(c);
    return out;
}

std::string join_live(const std::vector<Run>& runs) {
    std::vector<std::string> live;
    for (const Run& run : runs) {
        if (run.state == RunState::running) live.push_back(run.name);
    }
    if (live.empty()) return "no run is live: start one with `cudafault run --name NAME -- COMMAND`";
    return fmt::format("live runs: {}", fmt::join(live, ", "));
}

}  // namespace

const char* state_name(RunState state) {
    switch (state) {
        case RunState::running: return "running";
        case RunState::ended: return "ended";
        case RunState::lost: return "lost";
        case RunState::damaged: break;
    }
    return "damaged";
}

Address Run::address() const {
    return {record.at("task").get<pid_t>(), record.at("start_time").get<uint64_t>(), record.at("fd").get<int>(),
            record.at("inode").get<uint64_t>()};
}

Registry::Registry() : folder_(choose_folder()), exists_(is_trusted(folder_)) {}

void Registry::claim(const std::string& name, const json& record) {
    if (!exists_) make_folder(folder_);
    exists_ = is_trusted(folder_);
    const Descriptor folder(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder) throw Error(kEnvironment, fmt::format("cannot open \"{}\": {}", folder_.string(), error_text()));
    lock_file(folder.get(), folder_.string());
    if (fs::exists(path(name))) {
        const Run existing = read(name);
        if (existing.state == RunState::running) {
            throw Error(kEnvironment, fmt::format("run {} is already live (pid {}): choose another --name", name,
                                                  existing.record.at("pid").get<pid_t>()));
        }
    }
    replace(name, record);
    remove_oldest();
}

void Registry::replace(const std::string& name, const json& record) const {
    // An argument of the command may be invalid UTF-8.
    replace_file(path(name), record.dump(-1, ' ', false, json::error_handler_t::replace) + "\n");
}

void Registry::remove(const std::string& name) const { unlink(path(name).c_str()); }

Run Registry::find(const std::string& name) const {
    check_name(name);
    if (exists_ && fs::exists(path(name))) return read(name);
    throw Error(kEnvironment, fmt::format("unknown run \"{}\"; {}", name, join_live(list())));
}

Run Registry::find_readable(const std::string& name) const {
    Run run = find(name);
    if (run.state != RunState::damaged) return run;
    throw Error(kEnvironment,
                fmt::format("\"{}\" is damaged, so run {} cannot be read: remove that file", run.file.string(), name));
}

std::vector<Run> Registry::list() const {
    std::vector<Run> runs;
    if (!exists_) return runs;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder_, error)) {
        if (entry.path().extension() == ".json") runs.push_back(read(entry.path().stem()));
    }
    const auto started = [](const Run& run) {
        return run.state == RunState::damaged ? "" : run.record.at("started_at").get<std::string>();
    };
    std::sort(runs.begin(), runs.end(), [&](const Run& a, const Run& b) {
        return std::pair(started(a), a.name) < std::pair(started(b), b.name);
    });
    return runs;
}

fs::path Registry::path(const std::string& name) const { return folder_ / (name + ".json"); }

Run Registry::read(const std::string& name) const {
    Run run{name, RunState::damaged, path(name), json::parse(read_whole_file(path(name)).value_or(""), nullptr, false)};
    try {
        run.state = determine_state(run);
    } catch (const json::exception&) {
        run.record = nullptr;
    }
    return run;
}

void Registry::remove_oldest() const {
    std::vector<std::pair<fs::file_time_type, std::string>> files;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder_, error)) {
        if (entry.path().extension() == ".json") files.emplace_back(entry.last_write_time(error), entry.path().stem());
    }
    if (files.size() <= kKeptRuns) return;
    std::sort(files.begin(), files.end());
    files.resize(files.size() - kKeptRuns);
    for (const auto& [time, name] : files) {
        if (read(name).state != RunState::running) remove(name);
    }
}

void check_name(const std::string& name) {
    const bool valid =
        !name.empty() && name.size() <= kLongestName && name[0] != '.' && name[0] != '-' && is_safe(name);
    if (valid) return;
    throw Error(kUsage,
                fmt::format("invalid run name \"{}\": expected letters, digits and '-_.', starting with a letter "
                            "or digit, at most {} bytes",
                            printable(name), kLongestName));
}

}  // namespace cudafault::local
