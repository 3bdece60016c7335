// SPDX-License-Identifier: Apache-2.0
#include "catalog/situation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "catalog/gpu_models.hpp"

namespace cudafault::catalog {

namespace {

// "12.8" as 1208. Text that is not a version is 0.
long number_of(const std::string& version) {
    char* end = nullptr;
    const long major = std::strtol(version.c_str(), &end, 10);
    const long minor = *end == '.' ? std::strtol(end + 1, nullptr, 10) : 0;
    return major * 100 + minor;
}

size_t common_prefix(const std::string& a, const std::string& b) {
    return static_cast<size_t>(
        std::mismatch(a.begin(), a.begin() + static_cast<long>(std::min(a.size(), b.size())), b.begin()).first -
        a.begin());
}

const GpuModel* find_model(const std::string& name) {
    const auto& all = gpu_models();
    const auto found = std::find_if(all.begin(), all.end(), [&](const GpuModel& model) { return model.name == name; });
    return found == all.end() ? nullptr : &*found;
}

// The model whose name begins like this one.
std::string nearest_model(const std::string& name) {
    const auto& all = gpu_models();
    return std::max_element(all.begin(), all.end(),
                            [&](const GpuModel& a, const GpuModel& b) {
                                return common_prefix(a.name, name) < common_prefix(b.name, name);
                            })
        ->name;
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

std::string nearest_version(const std::vector<std::string>& known, const std::string& version) {
    const auto distance = [&](const std::string& other) { return std::labs(number_of(other) - number_of(version)); };
    return *std::min_element(known.begin(), known.end(),
                             [&](const std::string& a, const std::string& b) { return distance(a) < distance(b); });
}

void check_situation(const Entry& entry, const Situation& situation) {
    const auto& versions = cuda_versions();
    if (std::find(versions.begin(), versions.end(), situation.cuda) == versions.end()) {
        throw UnknownSituation(fmt::format("unknown CUDA version \"{}\": the nearest known is {}", situation.cuda,
                                           nearest_version(versions, situation.cuda)));
    }
    const GpuModel* model = find_model(situation.gpu_model);
    if (!model) {
        throw UnknownSituation(fmt::format("unknown GPU model \"{}\": expected one of {}; the nearest is {}",
                                           situation.gpu_model, model_names(), nearest_model(situation.gpu_model)));
    }
    for (const std::string& feature : entry.needs) {
        if (std::find(model->features.begin(), model->features.end(), feature) == model->features.end()) {
            throw UnknownSituation(fmt::format("XID {} does not occur on {}: it needs {}, which this GPU does not have",
                                               entry.number, model->name, feature_text(feature)));
        }
    }
}

const Code* code_at(const Observation& seen, const std::string& cuda) {
    const Code* found = nullptr;
    for (const Code& code : seen.codes) {
        if (number_of(code.cuda) <= number_of(cuda)) found = &code;
    }
    return found;
}

std::string feature_text(const std::string& feature) {
    if (feature == "ecc") return "memory with ECC";
    if (feature == "containment") return "error containment";
    if (feature == "row_remapping") return "row remapping";
    if (feature == "nvlink") return "NVLink up to version 4";
    if (feature == "nvlink5") return "NVLink 5";
    if (feature == "gsp") return "a GPU System Processor";
    return "NVLink-C2C";
}

}  // namespace cudafault::catalog
