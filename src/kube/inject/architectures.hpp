// SPDX-License-Identifier: Apache-2.0
// Determines the architectures for which a workload's pods need the library.
#pragma once

#include <string>
#include <vector>

#include "kube/inject/payload/payload.hpp"
#include "kube/workload/workload.hpp"

namespace cudafault::kube {

// Returns the architectures whose library is built into this program.
std::vector<Architecture> built_architectures();

// Returns the architectures of the nodes on which pods of `templates` can be scheduled, in a fixed order. Uses the
// first of these sources that determines them: the templates' node selection, the nodes that admit the pods and have
// GPUs, and, without permission to list nodes, the node selection of the running pods. If no source does, returns
// `built` and adds a note. Throws Error if pods can be scheduled on a known architecture that is not in `built`.
std::vector<Architecture> architectures_for(Client& client, Discovery& discovery, const Workload& workload,
                                            const std::vector<TemplateSite>& templates, std::vector<std::string>& notes,
                                            const std::vector<Architecture>& built = built_architectures());

}  // namespace cudafault::kube
