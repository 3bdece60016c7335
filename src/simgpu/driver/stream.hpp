// SPDX-License-Identifier: Apache-2.0
// Streams as other parts of the driver need them.
#pragma once

#include "simgpu/driver/state.hpp"

namespace cudafault::sim {

// The stream a handle means, default streams included. With the context, for a default stream is the context's.
Result resolve_stream(State& s, Context& context, Stream* handle, Stream*& stream);

// Nanoseconds of a clock that only goes forward.
uint64_t now_ns();

}  // namespace cudafault::sim
