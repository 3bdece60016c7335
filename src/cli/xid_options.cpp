// SPDX-License-Identifier: Apache-2.0
#include "cli/xid_options.hpp"

#include <fmt/format.h>

#include "catalog/catalog.hpp"
#include "fault/values.hpp"
#include "local/error.hpp"
#include "local/spec.hpp"

namespace cudafault::cli {

namespace {

[[noreturn]] void refuse(const std::string& message) { throw local::Error(local::kUsage, message); }

}  // namespace

const catalog::Entry& entry_of(const std::string& xid) {
    uint64_t number = 0;
    const bool is_number = parse_number(local::text_of(xid), number) && number <= UINT16_MAX;
    const catalog::Entry* entry = is_number ? catalog::find_entry(static_cast<unsigned>(number)) : nullptr;
    if (!entry) refuse(fmt::format("unknown XID \"{}\": run `cudafault xids` for the list", xid));
    return *entry;
}

const catalog::Entry& usable_entry(const std::string& xid) {
    const catalog::Entry& entry = entry_of(xid);
    if (entry.depth == "reserved") refuse(fmt::format("XID {} is reserved: {}", entry.number, entry.reason));
    return entry;
}

}  // namespace cudafault::cli
