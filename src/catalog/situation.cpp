// SPDX-License-Identifier: Apache-2.0
#include "catalog/situation.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdlib>
#include <map>
#include <optional>

#include "catalog/gpu_models.hpp"

namespace cudafault::catalog {

namespace {

// "12.8" as 1208; nullopt: not a version.
std::optional<int> number_of(const std::string& version) {
    int major = 0, minor = 0;
    const char* end = version.data() + version.size();
    const auto first = std::from_chars(version.data(), end, major);
    if (first.ec != std::errc() || major < 0 || major > 1000) return std::nullopt;
    if (first.ptr == end) return major * 100;
    const auto second = std::from_chars(first.ptr + 1, end, minor);
    if (*first.ptr != '.' || second.ec != std::errc() || second.ptr != end || minor < 0 || minor > 99)
        return std::nullopt;
    return major * 100 + minor;
}

// "; the nearest is 12.6", or nothing if the text is not a version.
std::string nearest_version_text(const std::vector<std::string>& known, const std::string& version) {
    const auto wanted = number_of(version);
    if (!wanted) return "";
    const auto distance = [&](const std::string& other) { return std::abs(*number_of(other) - *wanted); };
    return "; the nearest is " + *std::min_element(known.begin(), known.end(), [&](const auto& a, const auto& b) {
               return distance(a) < distance(b);
           });
}

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
    return text;
}

size_t common_prefix(const std::string& a, const std::string& b) {
    size_t length = 0;
    while (length < a.size() && length < b.size() && a[length] == b[length]) ++length;
    return length;
}

const GpuModel* find_model(const std::string& name) {
    const auto& all = gpu_models();
    const auto found = std::find_if(all.begin(), all.end(), [&](const GpuModel& model) { return model.name == name; });
    return found == all.end() ? nullptr : &*found;
}

// "; the nearest is H100": the model whose name begins like this one. Nothing if no name does.
std::string nearest_model_text(const std::string& name) {
    const GpuModel* nearest = nullptr;
    size_t longest = 0;
    for (const GpuModel& model : gpu_models()) {
        const size_t length = common_prefix(lower(model.name), lower(name));
        if (length > longest) nearest = &model;
        longest = std::max(longest, length);
    }
    return nearest ? "; the nearest is " + nearest->name : "";
}

// The features of Entry::needs, in words.
std::string feature_text(const std::string& feature) {
    static const std::map<std::string, std::string> words = {
        {"ecc", "memory with ECC"},
        {"containment", "error containment"},
        {"row_remapping", "row remapping"},
        {"nvlink", "NVLink up to version 4"},
        {"nvlink5", "NVLink 5"},
        {"gsp", "a GPU System Processor"},
        {"c2c", "NVLink-C2C"},
    };
    return words.at(feature);
}

bool has_feature(const GpuModel& model, const std::string& feature) {
    return std::find(model.features.begin(), model.features.end(), feature) != model.features.end();
}

std::string model_names() {
    std::string names;
    for (const GpuModel& model : gpu_models()) names += (names.empty() ? "" : ", ") + model.name;
    return names;
}

}  // namespace

const std::vector<std::string>& cuda_versions() {
    static const std::vector<std::string> versions = {"11.8", "12.0", "12.1", "12.2", "12.3", "12.4", "12.5", "12.6",
                                                      "12.8", "12.9", "13.0", "13.1", "13.2", "13.3", "13.4", "13.5"};
    return versions;
}

void check_situation(const Entry& entry, const Situation& situation) {
    const auto& versions = cuda_versions();
    if (std::find(versions.begin(), versions.end(), situation.cuda) == versions.end()) {
        throw UnknownSituation(fmt::format("unknown CUDA version \"{}\": expected one of {}{}", situation.cuda,
                                           fmt::join(versions, ", "), nearest_version_text(versions, situation.cuda)));
    }
    const GpuModel* model = find_model(situation.gpu_model);
    if (!model) {
        throw UnknownSituation(fmt::format("unknown GPU model \"{}\": expected one of {}{}", situation.gpu_model,
                                           model_names(), nearest_model_text(situation.gpu_model)));
    }
    for (const std::string& feature : entry.needs) {
        if (!has_feature(*model, feature)) {
            throw UnknownSituation(fmt::format("XID {} does not occur on {}: it needs {}, which this GPU does not have",
                                               entry.number, model->name, feature_text(feature)));
        }
    }
}

bool can_occur_on(const Entry& entry, const std::string& gpu_model) {
    const GpuModel& model = *find_model(gpu_model);
    return std::all_of(entry.needs.begin(), entry.needs.end(),
                       [&](const std::string& feature) { return has_feature(model, feature); });
}

const Code* code_at(const Observation& seen, const std::string& cuda, const std::string& gpu_model) {
    const GpuModel& model = *find_model(gpu_model);
    const Code* found = nullptr;
    for (const Code& code : seen.codes) {
        const bool is_available = code.needs.empty() || has_feature(model, code.needs);
        if (is_available && number_of(code.cuda) <= number_of(cuda)) found = &code;
    }
    return found;
}

}  // namespace cudafault::catalog
