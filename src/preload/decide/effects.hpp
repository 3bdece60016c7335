// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "preload/decide/decision.hpp"

namespace cudafault {

// Does what the effect does before the call goes on; not for Effect::error. May not return.
void perform(const Decision& decision);

}  // namespace cudafault
