// SPDX-License-Identifier: Apache-2.0
// Converts the results of `scan` and `verify-clean` to JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "kube/audit/scan.hpp"
#include "kube/audit/snapshot.hpp"

namespace cudafault::cli {

nlohmann::json skipped_json(const std::vector<kube::SkippedKind>& skipped);
nlohmann::json scan_json(const kube::ScanReport& report);
nlohmann::json clean_json(const kube::CleanReport& report);

}  // namespace cudafault::cli
