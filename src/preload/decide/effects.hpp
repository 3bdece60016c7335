// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "preload/decide/decision.hpp"

namespace cudafault {

// Performs a delay, hang, exit or signal in the calling thread. Does nothing for Effect::error. A hang returns when
// is_in_force returns false for its fault. Does not return if the effect ends the process.
void perform(const Decision& decision);

}  // namespace cudafault
