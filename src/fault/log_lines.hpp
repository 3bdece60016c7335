// SPDX-License-Identifier: Apache-2.0
// Defines the JSON lines of CUDAFAULT_LOG. The fault library writes them, and `cudafault k8s status` reads them in
// the logs of pods.
#pragma once

#include <stdint.h>

namespace cudafault {

// The start of each line. The name of the event follows.
inline constexpr char kLogLineStart[] = "{\"cudafault\":";
inline constexpr char kLibrarySeenEvent[] = "library seen";
inline constexpr char kAcknowledgedEvent[] = "acknowledged";
inline constexpr char kFiredEvent[] = "fired";
inline constexpr char kCountEvent[] = "count";

// Each of the first kEagerLines firings under a plan revision has its own line. After that, the library writes at most
// one line per second, with the count so far. A count line follows within two seconds after the last firing (D-100).
inline constexpr uint64_t kEagerLines = 32;

}  // namespace cudafault
