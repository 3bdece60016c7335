// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "catalog/entry.hpp"

namespace cudafault::catalog {

// All entries, ascending by number. Thread-safe; parsed at the first call.
const std::vector<Entry>& entries();

const Entry* find_entry(unsigned number);  // nullptr: unknown

}  // namespace cudafault::catalog
