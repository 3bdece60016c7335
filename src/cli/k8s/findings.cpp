// SPDX-License-Identifier: Apache-2.0
#include "cli/k8s/findings.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "cli/output.hpp"

namespace cudafault::cli {

void print_omitted_count(size_t count) {
    if (count > kShownFindings) fmt::print("and {} more: see --json\n", count - kShownFindings);
}

void print_traces(const std::vector<kube::Trace>& traces) {
    if (traces.empty()) return;
    Table table({"object", "trace", "path"});
    for (size_t i = 0; i < std::min(traces.size(), kShownFindings); ++i) {
        table.add({traces[i].object, traces[i].description, traces[i].path});
    }
    fmt::print("{}", table.text());
    print_omitted_count(traces.size());
}

void print_skipped(const std::vector<kube::SkippedKind>& skipped) {
    for (const kube::SkippedKind& kind : skipped) fmt::print("skipped {}: {}\n", kind.resource, kind.why);
}

std::string namespace_text(const std::string& name) { return name.empty() ? "all namespaces" : "namespace " + name; }

}  // namespace cudafault::cli
