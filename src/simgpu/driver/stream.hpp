// SPDX-License-Identifier: Apache-2.0
// Declares the stream functions that other parts of the driver use.
#pragma once

#include "simgpu/driver/state.hpp"

namespace cudafault::sim {

// Resolves a stream handle, including the default streams, which depend on the context.
Result resolve_stream(State& s, Context& context, Stream* handle, Stream*& stream);

// Returns the time of the monotonic clock in nanoseconds.
uint64_t now_ns();

}  // namespace cudafault::sim
