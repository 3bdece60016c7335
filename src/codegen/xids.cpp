// SPDX-License-Identifier: Apache-2.0
// Reads data/xids.yaml and writes the XID table of the program.
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <initializer_list>
#include <iomanip>
#include <map>
#include <sstream>

#include "catalog/entry_json.hpp"  // IWYU pragma: keep (conversions by the JSON library)
#include "codegen/tsv.hpp"
#include "codegen/writers.hpp"
#include "codegen/xid_catalog.hpp"

namespace cudafault::codegen {

namespace {

// Typed access to a YAML map. Throws DataError with file and line. Rejects unknown keys, to detect misspelled keys.
class YamlMap {
public:
    YamlMap(const std::filesystem::path& file, const YAML::Node& node, std::initializer_list<std::string_view> keys)
        : file_(file), node_(node) {
        if (!node.IsMap()) refuse(node, "expected a map");
        for (const auto& entry : node) {
            const std::string key = entry.first.as<std::string>();
            if (std::find(keys.begin(), keys.end(), key) == keys.end())
                refuse(entry.first, "unknown key '" + key + "'");
        }
    }

    template <typename T = std::string>
    T get(const char* key) const {
        return value_of<T>(child(key), key);
    }

    // The value of a node below `key`.
    template <typename T = std::string>
    T value_of(const YAML::Node& node, const char* key) const {
        try {
            return node.as<T>();
        } catch (const YAML::Exception&) {
            refuse(node, std::string("invalid value of '") + key + "'");
        }
    }

    bool has(const char* key) const { return static_cast<bool>(node_[key]); }

    // The value of `key` as a map that may have these keys.
    YamlMap map(const char* key, std::initializer_list<std::string_view> keys) const {
        return {file_, child(key), keys};
    }

    // The entries of the map `key`, in the order of the file.
    std::vector<std::pair<YAML::Node, YAML::Node>> children(const char* key) const {
        const YAML::Node value = child(key);
        if (!value.IsMap()) refuse(value, std::string("expected a map as the value of '") + key + "'");
        std::vector<std::pair<YAML::Node, YAML::Node>> found;
        for (const auto& entry : value) found.emplace_back(entry.first, entry.second);
        return found;
    }

    // The list of words `key`; each must be one of `words`.
    template <typename Words>
    std::vector<std::string> words(const char* key, const Words& words) const {
        std::vector<std::string> found;
        for (const YAML::Node& node : child(key)) {
            const auto word = value_of(node, key);
            if (std::find(std::begin(words), std::end(words), word) == std::end(words))
                refuse(node, std::string("invalid item '") + word + "' of '" + key + "'");
            found.push_back(word);
        }
        return found;
    }

    YAML::Node child(const char* key) const {
        const YAML::Node value = node_[key];
        if (!value) refuse(node_, std::string("key '") + key + "' is missing");
        return value;
    }

    [[noreturn]] void refuse(const YAML::Node& at, const std::string& message) const {
        throw DataError(file_, static_cast<size_t>(at.Mark().line + 1), message);
    }

private:
    const std::filesystem::path& file_;
    const YAML::Node node_;
};

using catalog::Code;
using catalog::Entry;
using catalog::Fact;
using catalog::FollowUp;
using catalog::LogLine;
using catalog::LogText;
using catalog::Observation;
using catalog::Provenance;

// The file, and what its entries refer to.
struct Context {
    const std::filesystem::path& file;
    std::map<std::string, std::string> sources;
    std::map<std::string, int> errors;  // codes of CUresult by name
};

using Words = std::initializer_list<std::string_view>;

constexpr std::string_view kFeatures[] = {"ecc", "containment", "row_remapping", "nvlink", "nvlink5", "gsp", "c2c"};

template <typename Words = std::initializer_list<std::string_view>>
std::string choice(const YamlMap& map, const char* key, const Words& words) {
    const auto value = map.get(key);
    if (std::find(std::begin(words), std::end(words), value) == std::end(words)) {
        std::string expected;
        for (const std::string_view word : words) expected.append(expected.empty() ? "" : ", ").append(word);
        map.refuse(map.child(key), "invalid " + std::string(key) + " '" + value + "': expected one of " + expected);
    }
    return value;
}

std::string optional(const YamlMap& map, const char* key) { return map.has(key) ? map.get(key) : ""; }

std::string read_source(const Context& context, const YamlMap& map, const YAML::Node& node) {
    auto name = map.value_of(node, "source");
    const auto found = context.sources.find(name);
    if (found != context.sources.end()) return found->second;
    if (name.rfind("https://", 0) != 0)
        map.refuse(node, "invalid source '" + name + "': expected a URL or a name of `sources`");
    return name;
}

Provenance read_provenance(const Context& context, const YamlMap& map) {
    Provenance found;
    const YAML::Node source = map.child("source");
    if (source.IsSequence()) {
        for (const YAML::Node& item : source) found.sources.push_back(read_source(context, map, item));
    } else {
        found.sources.push_back(read_source(context, map, source));
    }
    if (found.sources.empty()) map.refuse(source, "expected at least one source");
    found.confidence = choice(map, "confidence", {"documented", "observed", "inferred"});
    return found;
}

// Returns the number of nanoseconds of a duration such as 100ms.
uint64_t nanoseconds(const YamlMap& map, const YAML::Node& node, const char* key) {
    static const std::map<std::string, uint64_t> units = {{"ms", 1'000'000}, {"s", 1'000'000'000}};
    const auto text = map.value_of(node, key);
    const size_t unit = text.find_first_not_of("0123456789");
    if (unit == 0 || unit > 6 || units.count(text.substr(unit)) == 0)
        map.refuse(node, std::string("invalid ") + key + " '" + text + "': expected a duration such as 100ms or 6s");
    return std::stoull(text) * units.at(text.substr(unit));
}

Code read_code(const Context& context, const YamlMap& map, const YAML::Node& node, const std::string& cuda) {
    if (node.IsMap()) {
        const YamlMap code(context.file, node, {"error", "needs"});
        Code found = read_code(context, map, code.child("error"), cuda);
        found.needs = choice(code, "needs", kFeatures);
        return found;
    }
    const auto name = map.value_of(node, "code");
    const auto found = context.errors.find(name);
    if (found == context.errors.end())
        map.refuse(node, "unknown error '" + name + "': expected a driver error of errors.tsv");
    return {cuda, name, found->second, ""};
}

// "12.8" as (12, 8). Text that is not a version is (0, 0).
std::pair<int, int> version_number(const std::string& version) {
    int major = 0, minor = 0;
    std::istringstream(version) >> major >> std::ws;
    const size_t period = version.find('.');
    if (period != std::string::npos) std::istringstream(version.substr(period + 1)) >> minor;
    return {major, minor};
}

std::vector<Code> read_codes(const Context& context, const YamlMap& map) {
    std::vector<Code> codes;
    for (const auto& [cuda, error] : map.children("codes")) {
        codes.push_back(read_code(context, map, error, map.value_of(cuda, "codes")));
        if (codes.size() > 1 && version_number(codes[codes.size() - 2].cuda) >= version_number(codes.back().cuda))
            map.refuse(cuda, "CUDA versions must be in ascending order");
    }
    if (codes.empty() || codes.front().cuda != "0")
        map.refuse(map.child("codes"), "expected a first code with the CUDA version \"0\"");
    return codes;
}

Observation read_observation(const Context& context, const YamlMap& entry, const char* key) {
    const YamlMap map = entry.map(key, {"pattern", "codes", "stall", "lasts", "text", "source", "confidence"});
    Observation found;
    found.pattern = choice(map, "pattern", {"none", "asynchronous", "context", "init", "missing"});
    if (found.pattern != "none") found.codes = read_codes(context, map);
    if (found.pattern == "none" && map.has("codes")) map.refuse(map.child("codes"), "pattern none has no codes");
    if (found.pattern != "none" && std::string_view(key) == "running") {
        found.lasts = choice(map, "lasts", {"process", "call"});
    }
    found.stall = optional(map, "stall");
    if (map.has("stall")) nanoseconds(map, map.child("stall"), "stall");
    found.text = optional(map, "text");
    found.provenance = read_provenance(context, map);
    return found;
}

Fact read_fact(const Context& context, const YamlMap& map, const char* key, Words words) {
    return {words.size() > 0 ? choice(map, key, words) : map.get(key), optional(map, "text"),
            read_provenance(context, map)};
}

std::vector<LogText> read_log_texts(const YamlMap& map) {
    std::vector<LogText> texts;
    for (const auto& [branch, text] : map.children("texts")) {
        texts.push_back({map.value_of<unsigned>(branch, "texts"), map.value_of(text, "texts")});
        if (texts.size() > 1 && texts[texts.size() - 2].branch >= texts.back().branch)
            map.refuse(branch, "driver branches must be in ascending order");
    }
    if (texts.empty()) map.refuse(map.child("texts"), "expected at least one text");
    return texts;
}

std::vector<LogLine> read_log(const Context& context, const YamlMap& entry) {
    std::vector<LogLine> lines;
    for (const YAML::Node& node : entry.child("log")) {
        const YamlMap map(context.file, node, {"form", "owner", "texts", "source", "confidence"});
        LogLine line;
        line.form = choice(map, "form", {"xid", "driver"});
        if (line.form == "xid") line.owner = choice(map, "owner", {"process", "none"});
        line.texts = read_log_texts(map);
        line.provenance = read_provenance(context, map);
        lines.push_back(std::move(line));
    }
    if (std::none_of(lines.begin(), lines.end(), [](const LogLine& line) { return line.form == "xid"; }))
        entry.refuse(entry.child("log"), "expected at least one line of form xid");
    return lines;
}

std::vector<FollowUp> read_follow_ups(const Context& context, const YamlMap& entry) {
    std::vector<FollowUp> found;
    uint64_t previous = 0;
    if (!entry.has("follow_ups")) return found;
    for (const YAML::Node& node : entry.child("follow_ups")) {
        const YamlMap map(context.file, node, {"xid", "delay", "source", "confidence"});
        const uint64_t delay = nanoseconds(map, map.child("delay"), "delay");
        if (delay < previous) map.refuse(node, "delays must be in ascending order");
        previous = delay;
        found.push_back({map.get<unsigned>("xid"), map.get("delay"), read_provenance(context, map)});
    }
    return found;
}

void read_simple(const Context& context, const YamlMap& entry, Entry& found) {
    if (entry.has("simple")) {
        const YamlMap map = entry.map("simple", {"code", "remark", "source", "confidence"});
        found.simple = read_code(context, map, map.child("code"), "0");
        found.simple_remark = optional(map, "remark");
        found.simple_provenance = read_provenance(context, map);
    } else if (!found.running.codes.empty()) {
        found.simple = found.running.codes.front();
    }
}

void read_nvml(const Context& context, const YamlMap& entry, Entry& found) {
    const YamlMap map = entry.map("nvml", {"state", "event", "counters", "text", "source", "confidence"});
    found.nvml = read_fact(context, map, "state", {"healthy", "degraded", "reset_required", "lost"});
    found.has_event = map.get<bool>("event");
    if (!map.has("counters")) return;
    found.counters =
        map.words("counters", Words{"ecc_dram", "ecc_sram", "remapped_rows", "remap_pending", "remap_failure",
                                    "retired_pages", "nvlink_errors", "nvlink_down", "pcie_replay"});
}

void read_recovery(const Context& context, const YamlMap& entry, Entry& found) {
    const YamlMap map = entry.map("recovery", {"immediate", "next", "source", "confidence"});
    found.recovery = read_fact(context, map, "immediate", {});
    found.next_recovery = map.get("next");
}

Fact read_fact_of(const Context& context, const YamlMap& entry, const char* key, const char* value, Words words) {
    return read_fact(context, entry.map(key, {value, "text", "source", "confidence"}), value, words);
}

// An incident that leaves the GPU unusable cannot end with a weaker means than the GPU needs.
void check_consistency(const YamlMap& entry, const Entry& found) {
    const std::string& state = found.nvml.value;
    const std::string& means = found.heals_by.value;
    if ((state == "reset_required" && means == "restart") ||
        (state == "lost" && (means == "restart" || means == "reset")))
        entry.refuse(entry.child("heals_by"), "'" + means + "' does not end the state '" + state + "'");
    if (state == "healthy" && means != "restart")
        entry.refuse(entry.child("heals_by"), "a healthy GPU needs no '" + means + "'");
    if (found.scope.value == "process" && state != "healthy" && state != "degraded")
        entry.refuse(entry.child("scope"), "scope process contradicts the state '" + state + "'");
    if (state == "lost" && found.new_process.pattern != "missing" && found.new_process.pattern != "init")
        entry.refuse(entry.child("new_process"), "expected pattern missing or init, because the GPU is lost");
}

void read_behavior(const Context& context, const YamlMap& entry, Entry& found) {
    found.running = read_observation(context, entry, "running");
    found.new_process = read_observation(context, entry, "new_process");
    found.others = read_observation(context, entry, "others");
    found.heals_by = read_fact_of(context, entry, "heals_by", "means", {"restart", "reset", "driver-reload", "reboot"});
    found.scope = read_fact_of(context, entry, "scope", "who", {"call", "process", "gpu", "link", "node"});
    read_nvml(context, entry, found);
    check_consistency(entry, found);
}

// No page and no verb would show the facts of keys that an entry of this depth does not use.
void refuse_unused_keys(const YamlMap& map, const std::string& depth) {
    constexpr const char* kOfFull[] = {"scope", "running", "new_process", "others", "heals_by"};
    constexpr const char* kOfNvml[] = {"nvml", "action"};
    const auto refuse_keys = [&](const auto& keys) {
        for (const char* key : keys) {
            if (map.has(key)) map.refuse(map.child(key), "depth " + depth + " does not use '" + key + "'");
        }
    };
    if (depth != "full") refuse_keys(kOfFull);
    if (depth == "log") refuse_keys(kOfNvml);
}

Entry read_entry(const Context& context, const YAML::Node& node) {
    const YamlMap map(context.file, node,
                      {"number", "depth",  "mnemonic", "driver_mnemonic", "title",    "use_case",    "reason",
                       "needs",  "scope",  "recovery", "simple",          "running",  "new_process", "others",
                       "nvml",   "action", "log",      "follow_ups",      "heals_by", "goe"});
    Entry found{};
    found.number = map.get<unsigned>("number");
    found.depth = choice(map, "depth", {"full", "nvml", "log", "reserved"});
    found.mnemonic = map.get("mnemonic");
    found.driver_mnemonic = optional(map, "driver_mnemonic");
    found.title = map.get("title");
    if (found.depth == "reserved") {
        found.reason = map.get("reason");
        return found;
    }
    found.use_case = optional(map, "use_case");
    if (map.has("needs")) found.needs = map.words("needs", kFeatures);
    read_recovery(context, map, found);
    found.log = read_log(context, map);
    if (found.depth == "full") {
        read_behavior(context, map, found);
    } else if (found.depth == "nvml") {
        read_nvml(context, map, found);
    }
    if (found.depth != "log")
        found.action = read_fact_of(context, map, "action", "value",
                                    {"none", "gpu_reset", "node_reboot", "drain_p2p", "drain_and_reset",
                                     "recover_imex_domain", "bus_reset", "system_reboot"});
    read_simple(context, map, found);
    found.follow_ups = read_follow_ups(context, map);
    refuse_unused_keys(map, found.depth);
    if (map.has("goe")) found.goe = read_fact_of(context, map, "goe", "code", {});
    return found;
}

std::map<std::string, int> driver_errors(const std::filesystem::path& data) {
    std::map<std::string, int> errors;
    for (const TsvRow& row : read_tsv(data / "errors.tsv", {"api", "name", "code"})) {
        if (row.fields[0] == "driver") errors[row.fields[1]] = std::stoi(row.fields[2]);
    }
    return errors;
}

void check_follow_ups(const std::filesystem::path& file, const std::vector<Entry>& entries) {
    const auto is_usable = [&](unsigned number) {
        return std::any_of(entries.begin(), entries.end(),
                           [&](const Entry& entry) { return entry.number == number && entry.depth != "reserved"; });
    };
    for (const Entry& entry : entries) {
        for (const FollowUp& next : entry.follow_ups) {
            if (!is_usable(next.xid))
                throw DataError(file, 0,
                                "XID " + std::to_string(entry.number) + " is followed by XID " +
                                    std::to_string(next.xid) + ", which has no entry that can be injected");
        }
    }
}

YAML::Node load(const std::filesystem::path& file) {
    try {
        return YAML::LoadFile(file.string());
    } catch (const YAML::ParserException& e) {
        throw DataError(file, static_cast<size_t>(e.mark.line + 1), e.msg);
    } catch (const YAML::BadFile&) {
        throw DataError(file, 0, "cannot read the file");
    }
}

}  // namespace

std::vector<Entry> read_xid_catalog(const std::filesystem::path& data) {
    const std::filesystem::path file = data / "xids.yaml";
    const YAML::Node root = load(file);
    const YamlMap map(file, root, {"sources", "xids"});
    Context context{file, {}, driver_errors(data)};
    for (const auto& [name, text] : map.children("sources"))
        context.sources[map.value_of(name, "sources")] = map.value_of(text, "sources");
    std::vector<Entry> entries;
    for (const YAML::Node& node : map.child("xids")) {
        entries.push_back(read_entry(context, node));
        if (entries.size() > 1 && entries[entries.size() - 2].number >= entries.back().number) {
            throw DataError(file, static_cast<size_t>(node.Mark().line + 1), "XIDs must be in ascending order");
        }
    }
    check_follow_ups(file, entries);
    return entries;
}

void write_xids(const std::filesystem::path& data, std::ostream& out) {
    out << "// Generated from data/xids.yaml by cudafault-codegen; do not edit.\n";
    for (const Entry& entry : read_xid_catalog(data)) {
        out << "CUDAFAULT_XID(" << entry.number << ", " << entry.simple.number << ", \"" << entry.simple.error << "\", "
            << std::quoted(entry.depth == "reserved" ? entry.reason : entry.title) << ", "
            << (entry.depth == "reserved") << ")\n";
    }
}

void write_xid_catalog(const std::filesystem::path& data, std::ostream& out) {
    const char* separator = "[";
    for (const Entry& entry : read_xid_catalog(data)) {
        out << "R\"json(" << separator << nlohmann::json(entry) << ")json\"\n";
        separator = ",";
    }
    out << "\"]\"\n";
}

void write_gpu_features(const std::filesystem::path& data, std::ostream& out) {
    const std::filesystem::path file = data / "gpu_features.tsv";
    out << "// Generated from data/gpu_features.tsv by cudafault-codegen; do not edit.\n";
    for (const TsvRow& row : read_tsv(file, {"model", "features", "source", "confidence"})) {
        out << "CUDAFAULT_GPU_MODEL(" << std::quoted(row.fields[0]);
        for (const std::string& feature : split(row.fields[1], ',')) {
            if (std::find(std::begin(kFeatures), std::end(kFeatures), feature) == std::end(kFeatures))
                throw DataError(file, row.line, "invalid feature '" + feature + "'");
            out << ", " << std::quoted(feature);
        }
        out << ")\n";
    }
}

}  // namespace cudafault::codegen
