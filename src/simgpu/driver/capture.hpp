// SPDX-License-Identifier: Apache-2.0
// Declares the rules of stream capture. A call that a capture prohibits fails and invalidates the capture.
#pragma once

#include "simgpu/driver/state.hpp"

namespace cudafault::sim {

// Values of CUstreamCaptureMode
enum CaptureMode { kCaptureGlobal, kCaptureThreadLocal, kCaptureRelaxed };

// The calling thread's mode, which cuThreadExchangeStreamCaptureMode changes.
int& thread_capture_mode();

// Invalidates the capture. Returns `error`.
Result invalidate(Capture& capture, Result error);

// Checks a call that may synchronize with the device, such as an allocation. Captures of the calling thread prohibit
// such calls, and captures in global mode prohibit them in all threads, unless the modes permit them.
Result check_unsafe_call(State& s);

// Checks a use of the stream. If it is the legacy stream, captures on blocking streams of its context prohibit the use.
Result check_legacy_use(State& s, const Stream& stream);

// Returns true if a blocking stream of the stream's context is being captured and the stream is the legacy stream.
bool is_blocked_by_capture(const State& s, const Stream& stream);

// Checks a wait for all work of the context.
Result check_context_wait(State& s, const Context& context);

// Returns true if the stream that started the capture waits for the work of all streams that joined the capture.
bool are_streams_joined(const State& s, const Capture& capture);

}  // namespace cudafault::sim
