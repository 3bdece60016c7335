// SPDX-License-Identifier: Apache-2.0
#include "local/machine.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string_view>

#include "local/error.hpp"
#include "local/nvml.hpp"
#include "local/system.hpp"
#include "simgpu/device.hpp"

namespace cudafault::local {

namespace {

// In an error of sim::parse_machine, replaces the variable with the option that contains the value.
std::string with_option_name(const std::string& option, const std::string& simulation, const std::string& error) {
    const std::string variable = fmt::format("invalid CUDAFAULT_SIM_GPUS \"{}\"", simulation);
    if (option.empty() || !error.starts_with(variable)) return error;
    return fmt::format("invalid --gpus \"{}\"{}", option, error.substr(variable.size()));
}

Machine simulated_machine(const std::string& simulation, const std::string& option) {
    Machine machine{true, true, simulation, {}};
    std::string error;
    for (const sim::Gpu& gpu : sim::parse_machine(simulation, environment_variable("CUDAFAULT_SIM_MEMORY"), error)) {
        Gpu& added =
            machine.gpus.emplace_back(Gpu{gpu.index, sim::uuid_text(gpu), sim::pci_text(gpu), gpu.model->name});
        for (const sim::Gpu& mig : gpu.mig_devices) {
            added.mig_devices.push_back({sim::uuid_text(mig), mig.model->name});
        }
    }
    if (!error.empty()) throw Error(kUsage, with_option_name(option, simulation, error));
    return machine;
}

Machine real_machine() {
    // In a run with simulated GPUs, the dynamic linker finds the simulated NVML, which does not list the real GPUs.
    auto gpus = std::getenv("CUDAFAULT_SIM_DIR") ? std::nullopt : list_nvml_gpus();
    return {false, gpus.has_value(), "", gpus.value_or(std::vector<Gpu>{})};
}

bool is_description(const std::string& text) {
    std::string error;
    return !text.empty() && (sim::parse_machine(text, "", error), error.empty());
}

[[noreturn]] void refuse(const std::string& option) {
    const std::string hint = is_description(option) ? fmt::format("; did you mean sim:{}?", option) : "";
    throw Error(kUsage, fmt::format("invalid --gpus \"{}\": expected real, sim, sim:N, sim:MODEL:N or a list such as "
                                    "sim:H100:4,L4:2{}",
                                    option, hint));
}

}  // namespace

Machine find_machine(const std::optional<std::string>& option) {
    constexpr std::string_view kPrefix = "sim:";
    const std::string inherited = environment_variable("CUDAFAULT_SIM_GPUS");
    if (!option && inherited.empty()) {
        return std::getenv("CUDAFAULT_SIM_DIR") ? simulated_machine("", "") : real_machine();
    }
    if (!option) return simulated_machine(inherited, "");
    if (*option == "real") return real_machine();
    if (*option == "sim") return inherited.empty() ? simulated_machine("1", *option) : simulated_machine(inherited, "");
    if (!option->starts_with(kPrefix) || *option == kPrefix) refuse(*option);
    return simulated_machine(option->substr(kPrefix.size()), *option);
}

void to_json(nlohmann::json& out, const Machine& machine) {
    auto list = nlohmann::json::array();
    for (const Gpu& gpu : machine.gpus) {
        list.push_back({{"index", gpu.index}, {"uuid", gpu.uuid}, {"pci", gpu.pci}, {"name", gpu.name}});
        for (const MigDevice& mig : gpu.mig_devices) {
            list.back()["mig_devices"].push_back({{"uuid", mig.uuid}, {"name", mig.name}});
        }
    }
    out = {{"simulated", machine.simulated}, {"known", machine.known}, {"list", std::move(list)}};
}

void from_json(const nlohmann::json& in, Machine& machine) {
    machine.simulated = in.at("simulated").get<bool>();
    machine.known = in.at("known").get<bool>();
    machine.gpus.clear();
    for (const auto& gpu : in.at("list")) {
        Gpu& added =
            machine.gpus.emplace_back(Gpu{gpu.at("index").get<int>(), gpu.at("uuid").get<std::string>(),
                                          gpu.at("pci").get<std::string>(), gpu.at("name").get<std::string>()});
        for (const auto& mig : gpu.value("mig_devices", nlohmann::json::array())) {
            added.mig_devices.push_back({mig.at("uuid").get<std::string>(), mig.at("name").get<std::string>()});
        }
    }
}

}  // namespace cudafault::local
