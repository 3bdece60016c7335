// SPDX-License-Identifier: Apache-2.0
// Puts the library before the existing value of a container's LD_PRELOAD, which can come from env or envFrom.
#pragma once

#include <string>
#include <vector>

#include "kube/inject/injection.hpp"
#include "kube/object/edits.hpp"

namespace cudafault::kube {

void merge_preload(Editor& editor, const ContainerSite& site, const std::string& library, const KeyLookup& lookup,
                   std::vector<std::string>& notes);

}  // namespace cudafault::kube
