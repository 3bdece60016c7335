// SPDX-License-Identifier: Apache-2.0
// What other parts of the driver need of streams.
#pragma once

#include "simgpu/driver/state.hpp"

namespace cudafault::sim {

// Resolves a stream handle, including the default streams, which depend on the context.
Result resolve_stream(State& s, Context& context, Stream* handle, Stream*& stream);

// Nanoseconds of the monotonic clock.
uint64_t now_ns();

}  // namespace cudafault::sim
