// SPDX-License-Identifier: Apache-2.0
// Declares the files that are embedded in the program: the library for each architecture, and its source code in one
// file.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace cudafault::kube {

enum class Architecture { kX86_64, kAarch64 };  // in the order of names::kArchitectures

inline constexpr Architecture kArchitectures[] = {Architecture::kX86_64, Architecture::kAarch64};

// Returns the value of the label kubernetes.io/arch, from names::kArchitectures.
const char* kubernetes_name(Architecture architecture);

// Returns the values that the dynamic linker can use for $PLATFORM; old versions of glibc use separate names for newer
// x86-64 processors.
std::vector<std::string> platforms(Architecture architecture);

// Returns an ELF file; empty if this program was built without a compiler for the architecture.
std::string_view library_for(Architecture architecture);

std::string_view one_file_source();

// Returns the shell commands that compile `source` to `library`, taken from the first lines of the source. They need a
// writable working directory.
std::string compile_commands(const std::string& source, const std::string& library);

}  // namespace cudafault::kube
