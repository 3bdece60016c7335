// SPDX-License-Identifier: Apache-2.0
// Takes what has a name of ours out of an object, for when its record is lost. What had to be replaced, and not only
// added to, cannot be known then: the pin is taken out, a strategy stays.
#pragma once

#include <string>

#include "kube/api/common/json.hpp"

namespace cudafault::kube {

// Whether an injection was made into it: of variables and libraries with names of ours the user may have some himself.
bool has_injection(const Json& object);

// Whether anything was there. `pin` is the node of the mark, or empty.
bool strip(Json& object, const std::string& pin);

}  // namespace cudafault::kube
