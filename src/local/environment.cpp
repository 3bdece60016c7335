// SPDX-License-Identifier: Apache-2.0
#include "local/environment.hpp"

#include <algorithm>
#include <filesystem>
#include <iterator>

#include "os/preload_list.hpp"

namespace cudafault::local {

namespace {

bool has_name(const std::string& entry, std::string_view name) {
    return entry.size() > name.size() && entry[name.size()] == '=' && entry.starts_with(name);
}

// Returns the folders of an LD_LIBRARY_PATH value.
std::vector<std::string> folders_in(const std::string& list) {
    std::vector<std::string> items;
    for (size_t start = 0; start <= list.size();) {
        const size_t end = std::min(list.find_first_of(":;", start), list.size());
        items.push_back(list.substr(start, end - start));
        start = end + 1;
    }
    return items;
}

std::string join(const std::vector<std::string>& items) {
    std::string list;
    for (const std::string& item : items) list += (list.empty() ? "" : ":") + item;
    return list;
}

// The folders of the libraries that a run preloads: the folder of this run and that of the enclosing run.
struct OwnFolders {
    std::string simgpu, outer_simgpu;

    bool is_folder(const std::string& folder) const {
        return !folder.empty() && (folder == simgpu || folder == outer_simgpu);
    }
    bool is_library(const std::string& file) const {
        const std::filesystem::path path(file);
        return path.filename() == "libcudafault.so" || is_folder(path.parent_path());
    }
};

// The variable with the number of GPUs that have device files. If the environment contains the value 0, the value is
// kept and the library of device files is not preloaded.
constexpr const char* kDeviceFiles = "CUDAFAULT_SIM_DEVICE_FILES";

bool has_device_files(const Environment& environment) { return environment.get(kDeviceFiles) != "0"; }

void set_device_files(Environment& environment, const Machine& machine) {
    if (!has_device_files(environment)) return;
    environment.unset(kDeviceFiles);
    // A 0 would also disable the device files of a run inside this run.
    if (!machine.gpus.empty()) environment.set(kDeviceFiles, std::to_string(machine.gpus.size()));
}

void set_list(Environment& environment, const char* name, const std::vector<std::string>& items) {
    if (items.empty()) {
        environment.unset(name);
    } else {
        environment.set(name, join(items));
    }
}

// Returns true for a sanitizer's runtime, which must precede every other library.
bool is_sanitizer(const std::string& file) {
    static constexpr const char* kRuntimes[] = {"libasan.so", "libhwasan.so", "liblsan.so",
                                                "libtsan.so", "libubsan.so",  "libclang_rt."};
    const std::string name = std::filesystem::path(file).filename();
    return std::any_of(std::begin(kRuntimes), std::end(kRuntimes), [&](const char* r) { return name.starts_with(r); });
}

// AddressSanitizer's shared runtime ends a program in which another library precedes it. This function sets the option
// that disables the check. Unlike a sanitizer in LD_PRELOAD, the option also works in the programs that the command
// starts, and does not load a sanitizer into other programs (D-102).
void allow_sanitizers(Environment& environment) {
    constexpr const char* kOption = "verify_asan_link_order";
    const std::string before = environment.get("ASAN_OPTIONS").value_or("");
    if (before.find(kOption) != std::string::npos) return;
    environment.set("ASAN_OPTIONS", std::string(kOption) + "=0" + (before.empty() ? "" : ":" + before));
}

void set_preload(Environment& environment, const OwnFolders& own, const Products& products, bool simulated) {
    std::vector<std::string> before;
    for (const std::string& item : preloaded(environment.get("LD_PRELOAD").value_or(""))) {
        if (!own.is_library(item)) before.push_back(item);
    }
    std::vector<std::string> items;
    std::copy_if(before.begin(), before.end(), std::back_inserter(items), is_sanitizer);
    items.push_back(products.library);
    if (simulated) {
        for (const std::string& runtime : simulated_runtimes(products.simgpu)) items.push_back(runtime);
    }
    std::remove_copy_if(before.begin(), before.end(), std::back_inserter(items), is_sanitizer);
    // The library of device files is last, so that other libraries that replace functions of libc precede it.
    if (simulated && has_device_files(environment)) items.push_back(device_files(products.simgpu));
    set_list(environment, "LD_PRELOAD", items);
}

void set_library_path(Environment& environment, const OwnFolders& own, const Products& products, bool simulated) {
    const auto before = environment.get("LD_LIBRARY_PATH");
    std::vector<std::string> items;
    if (simulated) items.push_back(products.simgpu);
    // An empty item means the working directory, so it is kept.
    for (const std::string& item : before ? folders_in(*before) : std::vector<std::string>{}) {
        if (!own.is_folder(item)) items.push_back(item);
    }
    set_list(environment, "LD_LIBRARY_PATH", items);
}

}  // namespace

Environment::Environment(char** entries) {
    for (; *entries; ++entries) entries_.emplace_back(*entries);
}

std::optional<std::string> Environment::get(std::string_view name) const {
    const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const auto& e) { return has_name(e, name); });
    return found == entries_.end() ? std::nullopt : std::optional(found->substr(name.size() + 1));
}

void Environment::set(std::string_view name, const std::string& value) {
    unset(name);
    entries_.push_back(std::string(name) + "=" + value);
}

void Environment::unset(std::string_view name) {
    std::erase_if(entries_, [&](const std::string& entry) { return has_name(entry, name); });
}

std::vector<char*> Environment::pointers() {
    std::vector<char*> pointers;
    for (std::string& entry : entries_) pointers.push_back(entry.data());
    pointers.push_back(nullptr);
    return pointers;
}

void enter_run(Environment& environment, const std::string& address, const Products& products, const Machine& machine) {
    const OwnFolders own{products.simgpu, environment.get("CUDAFAULT_SIM_DIR").value_or("")};
    environment.set("CUDAFAULT_RUN", address);
    set_preload(environment, own, products, machine.simulated);
    set_library_path(environment, own, products, machine.simulated);
    allow_sanitizers(environment);
    if (machine.simulated) {
        environment.set("CUDAFAULT_SIM_GPUS", machine.simulation);
        environment.set("CUDAFAULT_SIM_DIR", products.simgpu);
        set_device_files(environment, machine);
    } else {
        environment.unset("CUDAFAULT_SIM_GPUS");
        environment.unset("CUDAFAULT_SIM_DIR");
        environment.unset(kDeviceFiles);
    }
}

}  // namespace cudafault::local
