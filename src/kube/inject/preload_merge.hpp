// SPDX-License-Identifier: Apache-2.0
// LD_PRELOAD of a container, with ours in front of what the user has, wherever that comes from.
#pragma once

#include <string>
#include <vector>

#include "kube/inject/injection.hpp"
#include "kube/object/edits.hpp"

namespace cudafault::kube {

void merge_preload(Editor& editor, const ContainerSite& site, const std::string& library, const KeyLookup& lookup,
                   std::vector<std::string>& notes);

}  // namespace cudafault::kube
