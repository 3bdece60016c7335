// SPDX-License-Identifier: Apache-2.0
#include "kube/inject/payload/payload.hpp"

#include <cstddef>
#include <iterator>

#include "kube/names.hpp"

extern "C" const char cudafault_library_x86_64[], cudafault_library_x86_64_end[];
extern "C" const char cudafault_library_aarch64[], cudafault_library_aarch64_end[];
extern "C" const char cudafault_one_file_source[], cudafault_one_file_source_end[];

namespace cudafault::kube {

namespace {

// Both symbols belong to one object that the assembler includes.
std::string_view between(const char* start, const char* end) {
    return {start, static_cast<size_t>(end - start)};  // NOLINT(clang-analyzer-security.PointerSub)
}

void replace(std::string& text, const std::string& from, const std::string& to) {
    for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
        text.replace(at, from.size(), to);
    }
}

}  // namespace

const char* kubernetes_name(Architecture architecture) {
    static_assert(std::size(kArchitectures) == std::size(names::kArchitectures));
    return names::kArchitectures[static_cast<size_t>(architecture)];
}

std::vector<std::string> platforms(Architecture architecture) {
    if (architecture == Architecture::kAarch64) return {"aarch64"};
    return {"x86_64", "haswell", "xeon_phi"};
}

std::string_view library_for(Architecture architecture) {
    return architecture == Architecture::kX86_64 ? between(cudafault_library_x86_64, cudafault_library_x86_64_end)
                                                 : between(cudafault_library_aarch64, cudafault_library_aarch64_end);
}

std::string_view one_file_source() { return between(cudafault_one_file_source, cudafault_one_file_source_end); }

std::string compile_commands(const std::string& source, const std::string& library) {
    const std::string start = "//   ";
    const std::string_view text = one_file_source();
    std::string commands;
    for (size_t at = 0; text.substr(at, 2) == "//";) {
        const size_t end = text.find('\n', at);
        const std::string_view line = text.substr(at, end - at);
        if (line.starts_with(start)) commands += std::string(line.substr(start.size())) + "\n";
        at = end + 1;
    }
    replace(commands, "THIS_FILE", source);
    replace(commands, "libcudafault.so", library);
    replace(commands, "g++ ", "g++ $(case $(uname -m) in aarch64) echo -mno-outline-atomics;; esac) ");
    return commands;
}

}  // namespace cudafault::kube
