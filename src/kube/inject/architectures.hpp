// SPDX-License-Identifier: Apache-2.0
// Which builds of the library a workload's pods need.
#pragma once

#include <string>
#include <vector>

#include "kube/inject/payload/payload.hpp"
#include "kube/workload/workload.hpp"

namespace cudafault::kube {

// The architectures that this program carries a library for.
std::vector<Architecture> built_architectures();

// The architectures of the nodes on which pods of `templates` can be scheduled, in a fixed order: what the templates
// select, else those of the nodes that admit the pods and have GPUs, else, without permission to list nodes, what the
// running pods select, else all. Throws Error if it is known that pods can land on an architecture that is not in
// `built`; if that is unknown, returns `built` and adds a note.
std::vector<Architecture> architectures_for(Client& client, Discovery& discovery, const Workload& workload,
                                            const std::vector<TemplateSite>& templates, std::vector<std::string>& notes,
                                            const std::vector<Architecture>& built = built_architectures());

}  // namespace cudafault::kube
