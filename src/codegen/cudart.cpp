// SPDX-License-Identifier: Apache-2.0
// Writes the exported surface of the simulated CUDA runtimes.
#include "codegen/cudart.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "codegen/tsv.hpp"

namespace cudafault::codegen {
namespace {

const std::vector<std::string> kColumns = {"export", "symbol", "version", "mode",   "since", "sonames",
                                           "class",  "device", "returns", "simple", "source"};
enum Column { kExport = 0, kSonames = 5, kReturns = 8 };

std::vector<TsvRow> rows_of(const std::filesystem::path& runtime_tsv, std::string_view soname) {
    std::vector<TsvRow> rows = read_tsv(runtime_tsv, kColumns);
    std::erase_if(rows, [&](const TsvRow& row) {
        const std::vector<std::string> sonames = split(row.fields[kSonames], ',');
        return std::find(sonames.begin(), sonames.end(), soname) == sonames.end();
    });
    return rows;
}

}  // namespace

void write_sim_cudart_stubs(const std::filesystem::path& runtime_tsv, std::string_view soname, std::ostream& out) {
    for (const TsvRow& row : rows_of(runtime_tsv, soname)) {
        if (row.fields[kReturns] == "status") out << "CUDART_STUB(" << row.fields[kExport] << ")\n";
    }
}

void write_sim_cudart_map(const std::filesystem::path& runtime_tsv, std::string_view soname, std::ostream& out) {
    out << "libcudart.so." << soname << " {\nglobal:\n";
    for (const TsvRow& row : rows_of(runtime_tsv, soname)) out << "    " << row.fields[kExport] << ";\n";
    out << "local:\n    *;\n};\n";
}

}  // namespace cudafault::codegen
