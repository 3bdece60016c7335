// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace cudafault {

// Makes the process ready if it is not: its identity and its plan. Returns false if another thread has begun that and
// has not finished within a millisecond; the call then passes through.
bool ensure_ready();

}  // namespace cudafault
