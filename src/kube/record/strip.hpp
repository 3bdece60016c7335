// SPDX-License-Identifier: Apache-2.0
// Removes everything with a cudafault name from an object whose record is lost. Replaced values cannot be recovered:
// the pin is removed, but a changed update strategy remains.
#pragma once

#include <string>

#include "kube/api/common/json.hpp"

namespace cudafault::kube {

// Returns true if the object was injected. Variables and libraries with cudafault names are not sufficient, because the
// workload author may have set them.
bool has_injection(const Json& object);

// Returns true if anything was removed. `pin` is the node of the mark, or empty.
bool strip(Json& object, const std::string& pin);

}  // namespace cudafault::kube
