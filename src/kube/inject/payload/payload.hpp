// SPDX-License-Identifier: Apache-2.0
// What the program carries into pods: the library for each architecture, and its source in one file.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace cudafault::kube {

enum class Architecture { kX86_64, kAarch64 };

// As the label kubernetes.io/arch has it: amd64, arm64.
const char* kubernetes_name(Architecture architecture);

// What $PLATFORM can be for the dynamic linker there; old glibcs name newer x86-64 processors by themselves.
std::vector<std::string> platforms(Architecture architecture);

// An ELF file. Empty if this program was built where the compiler for it was missing.
std::string_view library_for(Architecture architecture);

std::string_view one_file_source();

// The shell commands that compile `source` to `library`, as the first lines of the source have them; run in a folder
// that can be written to.
std::string compile_commands(const std::string& source, const std::string& library);

}  // namespace cudafault::kube
