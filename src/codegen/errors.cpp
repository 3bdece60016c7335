// SPDX-License-Identifier: Apache-2.0
// Writes the table of error names from data/errors.tsv.
#include <algorithm>
#include <iterator>

#include "codegen/api_table.hpp"
#include "codegen/tsv.hpp"
#include "codegen/writers.hpp"

namespace cudafault::codegen {

void write_errors(const std::filesystem::path& data, std::ostream& out) {
    const std::filesystem::path file = data / "errors.tsv";
    out << "// Generated from data/errors.tsv by cudafault-codegen; do not edit.\n";
    for (const TsvRow& row : read_tsv(file, {"api", "name", "code"})) {
        const std::string &api = row.fields[0], &name = row.fields[1], &code = row.fields[2];
        if (std::find(std::begin(kApis), std::end(kApis), api) == std::end(kApis)) {
            throw DataError(file, row.line, "invalid api '" + api + "': expected driver, runtime, nvml or nccl");
        }
        int value = 0;
        if (!parse_number(code, value)) {
            throw DataError(file, row.line, "invalid code '" + code + "': expected a number");
        }
        out << "CUDAFAULT_ERROR(" << api << ", " << value << ", \"" << name << "\")\n";
    }
}

}  // namespace cudafault::codegen
