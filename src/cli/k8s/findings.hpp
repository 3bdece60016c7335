// SPDX-License-Identifier: Apache-2.0
// Prints the findings of `scan`, `snapshot` and `verify-clean`.
#pragma once

#include <string>
#include <vector>

#include "kube/audit/traces.hpp"
#include "kube/workload/survey.hpp"

namespace cudafault::cli {

inline constexpr size_t kShownFindings = 50;  // --json prints all

void print_traces(const std::vector<kube::Trace>& traces);
void print_skipped(const std::vector<kube::SkippedKind>& skipped);
void print_omitted_count(size_t count);               // "and N more: see --json", beyond kShownFindings
std::string namespace_text(const std::string& name);  // "namespace prod"; empty: "all namespaces"

}  // namespace cudafault::cli
