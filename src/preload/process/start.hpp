// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace cudafault {

// Whether CUDAFAULT_DISABLE=1 was set when the library was loaded. The hooks then hand on what they are given.
bool is_disabled();

// Makes the process ready if it is not: its identity and its plan. Returns false if another thread has begun that and
// has not finished within a millisecond; the call then passes through.
bool ensure_ready();

}  // namespace cudafault
