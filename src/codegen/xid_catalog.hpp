// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "catalog/entry.hpp"

namespace cudafault::codegen {

// Reads and checks data/xids.yaml. Returns the entries, ascending by number. Throws DataError.
std::vector<catalog::Entry> read_xid_catalog(const std::filesystem::path& data);

}  // namespace cudafault::codegen
