// SPDX-License-Identifier: Apache-2.0
// Reads and validates the XIDs in data/xids.yaml.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace cudafault::codegen {

struct Provenance {
    std::string source;
    std::string confidence;  // documented, observed or inferred
};

struct XidRow {
    unsigned number;
    std::string mnemonic, title, use_case;
    std::string scope, scope_text;
    Provenance scope_provenance;
    std::string recovery, recovery_next;
    Provenance recovery_provenance;
    std::string simple_error;
    int simple_code;
    std::string simple_remark;
    Provenance simple_provenance;
};

std::vector<XidRow> read_xid_table(const std::filesystem::path& data);  // ascending by number

}  // namespace cudafault::codegen
