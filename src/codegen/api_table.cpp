// SPDX-License-Identifier: Apache-2.0
#include "codegen/api_table.hpp"

#include <algorithm>
#include <iterator>
#include <tuple>

#include "codegen/tsv.hpp"

namespace cudafault::codegen {

namespace {

const std::vector<std::string> kColumns = {"export", "symbol", "version", "mode",   "since", "sonames",
                                           "class",  "device", "returns", "simple", "source"};
enum Column { kExport, kSymbol, kVersion, kMode, kSince, kSonameList, kClass, kDevice, kReturns, kSimple, kSource };

// A kind in the device column, and the name of its DeviceFrom (src/fault).
struct DeviceKind {
    std::string_view name;
    std::string_view from;
};
constexpr DeviceKind kCudaKinds[] = {{"device", "device"},         {"context", "context"},
                                     {"stream", "stream"},         {"event", "event"},
                                     {"pointer", "pointer"},       {"pci", "lookup"},
                                     {"location", "location"},     {"location_value", "location_value"},
                                     {"properties", "properties"}, {"copy", "copy"}};
// Units and vGPU types are not GPUs, and NVML does not report the GPU of a vGPU instance.
constexpr DeviceKind kNvmlKinds[] = {{"handle", "handle"},
                                     {"index", "lookup"},
                                     {"uuid", "lookup"},
                                     {"serial", "lookup"},
                                     {"pci", "lookup"},
                                     {"pci_info", "pci_info"},
                                     {"gpu_instance", "gpu_instance"},
                                     {"compute_instance", "compute_instance"},
                                     {"vgpu_instance", "none"},
                                     {"vgpu_type", "none"},
                                     {"unit", "none"}};
constexpr unsigned kMaxSlot = 15;

template <typename Kinds>
std::string_view find_kind(const Kinds& kinds, std::string_view name) {
    const auto found =
        std::find_if(std::begin(kinds), std::end(kinds), [&](const auto& kind) { return kind.name == name; });
    return found == std::end(kinds) ? std::string_view() : found->from;
}

// A pattern that ends in * matches all names with that prefix.
struct HookRule {
    std::string_view pattern;
    std::string_view hook;
};
constexpr HookRule kHookRules[] = {
    {"__cudaRegister*", "registration"},
    {"__cudaUnregister*", "registration"},
    {"__cudaInitModule", "registration"},
    {"cuGetProcAddress*", "resolver"},
    {"cudaGetDriverEntryPoint*", "resolver"},
    {"__cudaGetProcAddress*", "resolver"},
    {"cudaGetLastError*", "last_error"},
    {"cudaPeekAtLastError*", "last_error"},
    {"cuInit", "enumerate"},
    {"cuDeviceGetCount", "enumerate"},
    {"cudaGetDeviceCount*", "enumerate"},
};

bool is_match(std::string_view pattern, std::string_view name) {
    if (pattern.back() == '*') return name.starts_with(pattern.substr(0, pattern.size() - 1));
    return name == pattern;
}

template <typename Range>
bool contains(const Range& range, std::string_view value) {
    return std::find(std::begin(range), std::end(range), value) != std::end(range);
}

bool is_identifier(std::string_view text) {
    const auto word = [](char c) { return c == '_' || (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z'); };
    return !text.empty() && !(text[0] >= '0' && text[0] <= '9') && std::all_of(text.begin(), text.end(), word);
}

// Converts the fields of one line to rows. Throws DataError if a field is invalid.
class LineReader {
public:
    LineReader(const std::filesystem::path& file, std::string_view api, const TsvRow& row)
        : file_(file), api_(api), row_(row) {}

    void append_to(std::vector<ApiRow>& rows) const {
        ApiRow row = common();
        for (unsigned soname : sonames()) {
            row.soname = soname;
            rows.push_back(row);
        }
    }

private:
    const std::string& field(Column column) const { return row_.fields[column]; }

    [[noreturn]] void refuse(Column column, const std::string& expected) const {
        throw DataError(file_, row_.line,
                        "invalid " + kColumns[column] + " '" + field(column) + "': expected " + expected);
    }

    ApiRow common() const {
        ApiRow row;
        row.name = field(kExport);
        if (!is_identifier(row.name)) refuse(kExport, "a symbol name");
        row.symbol = field(kSymbol);
        row.api = api_;
        row.version = version();
        row.per_thread = read_flag(kMode, "per_thread", "any");
        row.since = field(kSince);
        row.call_class = field(kClass);
        if (!contains(kClasses, row.call_class)) refuse(kClass, "a call class such as memory");
        read_device(row);
        row.returns = field(kReturns);
        row.simple_fails = read_flag(kSimple, "fail", "pass");
        if (row.simple_fails && !row.returns_status()) refuse(kSimple, "pass, because the function returns no status");
        if (row.simple_fails && (api_ == "nvml" || api_ == "nccl")) {
            refuse(kSimple, "pass, because model=simple does not affect NVML and NCCL");
        }
        row.source = field(kSource);
        row.file = file_;
        row.line = row_.line;
        return row;
    }

    bool read_flag(Column column, const std::string& yes, const std::string& no) const {
        if (field(column) != yes && field(column) != no) refuse(column, yes + " or " + no);
        return field(column) == yes;
    }

    unsigned version() const {
        if (field(kVersion) == "-") return 0;
        unsigned value = 0;
        if (api_ != "driver" || !parse_number(field(kVersion), value) || value > 65535) {
            refuse(kVersion, "an ABI version such as 3020 (driver only) or -");
        }
        return value;
    }

    std::vector<unsigned> sonames() const {
        if (api_ != "runtime") {
            if (field(kSonameList) != "-") refuse(kSonameList, "- for a function that is not in the runtime");
            return {0};
        }
        std::vector<unsigned> found;
        for (const std::string& soname : split(field(kSonameList), ',')) {
            const auto at = std::find(std::begin(kSonames), std::end(kSonames), soname);
            if (at == std::end(kSonames)) refuse(kSonameList, "a list such as 11.0,12,13");
            found.push_back(static_cast<unsigned>(at - std::begin(kSonames)));
        }
        return found;
    }

    // Parses K, or D,S for a copy. For a copy, the lower four bits of `out` are D and the upper four bits are S.
    static bool parse_slots(const std::string& text, bool is_copy, unsigned& out) {
        const size_t comma = is_copy ? text.find(',') : std::string::npos;
        if (is_copy && comma == std::string::npos) return false;
        unsigned source = 0;
        if (is_copy && !parse_number(text.substr(comma + 1), source)) return false;
        if (!parse_number(text.substr(0, comma), out) || out > kMaxSlot || source > kMaxSlot) return false;
        out |= source << 4;
        return true;
    }

    void read_device(ApiRow& row) const {
        const std::string& text = field(kDevice);
        const bool is_nvml = api_ == "nvml";
        row.device_slot = 0;
        if (text == "none" || ((text == "-" || text == "unread") && !is_nvml)) {
            row.device_from = text == "-" ? "current" : text;
            return;
        }
        const size_t colon = text.find(':');
        const std::string kind = text.substr(0, colon);
        const std::string slot = colon == std::string::npos ? "" : text.substr(colon + 1);
        row.device_from = is_nvml ? find_kind(kNvmlKinds, kind) : find_kind(kCudaKinds, kind);
        if (row.device_from.empty() || !parse_slots(slot, row.device_from == "copy", row.device_slot)) {
            refuse(kDevice, is_nvml ? "none, or a kind of argument and its slot, such as handle:0 or index:0"
                                    : "-, none, unread, or a kind of argument and its slot, such as stream:1");
        }
        if (row.device_from == "none") row.device_slot = 0;
    }

    const std::filesystem::path& file_;
    const std::string api_;
    const TsvRow& row_;
};

struct Source {
    std::string_view file;
    std::string_view api;
};
constexpr Source kSources[] = {
    {"cuda_driver.tsv", "driver"}, {"cuda_runtime.tsv", "runtime"}, {"nvml.tsv", "nvml"}, {"nccl.tsv", "nccl"}};

auto sort_key(const ApiRow& row) { return std::tie(row.name, row.soname); }

}  // namespace

std::string_view hook_of(std::string_view name) {
    for (const HookRule& rule : kHookRules) {
        if (is_match(rule.pattern, name)) return rule.hook;
    }
    return "none";
}

std::vector<ApiRow> read_api_table(const std::filesystem::path& data) {
    std::vector<ApiRow> rows;
    for (const Source& source : kSources) {
        const std::filesystem::path file = data / source.file;
        for (const TsvRow& line : read_tsv(file, kColumns)) LineReader(file, source.api, line).append_to(rows);
    }
    std::sort(rows.begin(), rows.end(), [](const ApiRow& a, const ApiRow& b) { return sort_key(a) < sort_key(b); });
    const auto duplicate = std::adjacent_find(rows.begin(), rows.end(), [](const ApiRow& a, const ApiRow& b) {
        return a.name == b.name && (a.soname == b.soname || a.api != b.api);
    });
    if (duplicate != rows.end()) {
        const ApiRow& first = duplicate[0];
        const std::string place = first.file.string() + ":" + std::to_string(first.line);
        throw DataError(duplicate[1].file, duplicate[1].line, duplicate[1].name + " is already defined in " + place);
    }
    return rows;
}

}  // namespace cudafault::codegen
