// SPDX-License-Identifier: Apache-2.0
#include "cli/xid_options.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "catalog/catalog.hpp"
#include "fault/values.hpp"
#include "kernel_log/lines.hpp"
#include "local/error.hpp"
#include "local/spec.hpp"

namespace cudafault::cli {

void refuse_option(const std::string& message) { throw local::Error(local::kUsage, message); }

const catalog::Entry& entry_of(const std::string& xid) {
    uint64_t number = 0;
    const bool is_number = parse_number(local::text_of(xid), number) && number <= UINT16_MAX;
    const catalog::Entry* entry = is_number ? catalog::find_entry(static_cast<unsigned>(number)) : nullptr;
    if (!entry) refuse_option(fmt::format("unknown XID \"{}\": `cudafault xids` lists the XIDs", xid));
    return *entry;
}

const catalog::Entry& usable_entry(const std::string& xid) {
    const catalog::Entry& entry = entry_of(xid);
    if (entry.depth == "reserved") refuse_option(fmt::format("XID {} is reserved: {}", entry.number, entry.reason));
    return entry;
}

void check_driver_branch(unsigned branch) {
    const auto& known = kernel_log::driver_branches();
    if (std::find(known.begin(), known.end(), branch) != known.end()) return;
    const auto distance = [&](unsigned other) { return other > branch ? other - branch : branch - other; };
    const unsigned nearest = *std::min_element(known.begin(), known.end(),
                                               [&](unsigned a, unsigned b) { return distance(a) < distance(b); });
    refuse_option(fmt::format("unknown driver branch {}: expected one of {}; the nearest is {}", branch,
                              fmt::join(known, ", "), nearest));
}

}  // namespace cudafault::cli
