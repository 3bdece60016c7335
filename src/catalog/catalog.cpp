// SPDX-License-Identifier: Apache-2.0
#include "catalog/catalog.hpp"

#include <algorithm>

#include "catalog/entry_json.hpp"  // IWYU pragma: keep (conversions by the JSON library)

namespace cudafault::catalog {

namespace {

constexpr char kJson[] =
#include "xid_catalog.inc"
    ;

}  // namespace

const std::vector<Entry>& entries() {
    static const auto all = nlohmann::json::parse(kJson).get<std::vector<Entry>>();
    return all;
}

const Entry* find_entry(unsigned number) {
    const auto& all = entries();
    const auto found = std::find_if(all.begin(), all.end(), [&](const Entry& entry) { return entry.number == number; });
    return found == all.end() ? nullptr : &*found;
}

}  // namespace cudafault::catalog
