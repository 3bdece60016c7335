// SPDX-License-Identifier: Apache-2.0
// Writes the exports of the simulated CUDA runtimes.
#include "codegen/cudart.hpp"

#include <vector>

#include "codegen/api_table.hpp"

namespace cudafault::codegen {
namespace {

std::vector<ApiRow> rows_of(const std::filesystem::path& data, std::string_view soname) {
    std::vector<ApiRow> rows = read_api_table(data);
    std::erase_if(rows, [&](const ApiRow& row) { return row.api != "runtime" || kSonames[row.soname] != soname; });
    return rows;
}

}  // namespace

void write_sim_cudart_stubs(const std::filesystem::path& data, std::string_view soname, std::ostream& out) {
    for (const ApiRow& row : rows_of(data, soname)) {
        if (row.returns_status()) out << "CUDART_STUB(" << row.name << ")\n";
    }
}

void write_sim_cudart_map(const std::filesystem::path& data, std::string_view soname, std::ostream& out) {
    out << "libcudart.so." << soname << " {\nglobal:\n";
    for (const ApiRow& row : rows_of(data, soname)) out << "    " << row.name << ";\n";
    out << "local:\n    *;\n};\n";
}

}  // namespace cudafault::codegen
