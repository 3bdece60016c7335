// SPDX-License-Identifier: Apache-2.0
// Checks of options that several verbs about XIDs have. Each throws local::Error with one sentence.
#pragma once

#include <string>

#include "catalog/entry.hpp"

namespace cudafault::cli {

[[noreturn]] void refuse_option(const std::string& message);

const catalog::Entry& entry_of(const std::string& xid);      // refuses a number that the catalog does not have
const catalog::Entry& usable_entry(const std::string& xid);  // also refuses a reserved XID
void check_driver_branch(unsigned branch);

}  // namespace cudafault::cli
