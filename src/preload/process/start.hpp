// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace cudafault {

// Returns true if CUDAFAULT_DISABLE=1 was set when the library was loaded. The hooks then pass calls through unchanged.
// Thread-safe.
bool is_disabled();

// Initializes the library in this process once: its identity and its plan. Returns false if another thread is
// initializing the library and does not finish within a millisecond; the call then passes through. Thread-safe; blocks
// signals while it runs (D-012).
bool ensure_ready();

}  // namespace cudafault
