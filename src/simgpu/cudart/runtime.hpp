// SPDX-License-Identifier: Apache-2.0
// What every function of the simulated runtime needs: lazy initialization, the current device with its primary
// context, and the last error. The state has no destructors, for libraries call the runtime from exit handlers.
#pragma once

#include "simgpu/cudart/driver.hpp"
#include "simgpu/cudart/types.hpp"

// An exported function; which of them a soname really exports is in data/cuda_runtime.tsv.
#define CUDART_API extern "C" __attribute__((visibility("default")))

// name_suffix: the same function where the default stream is the thread's own. Give the parameters, then the arguments
// of the call with own_stream(stream) for the stream.
#define CUDART_PER_THREAD(name, suffix, parameters, arguments) \
    CUDART_API Error name##suffix parameters { return name arguments; }

namespace cudafault::cudart {

inline constexpr int kRuntimeVersion = CUDART_MAJOR == 11 ? 11080 : CUDART_MAJOR == 12 ? 12090 : 13050;

// Makes an error the thread's last error, except kNotReady, which is an answer.
Error record(Error error);

// Loads and initializes the driver once. Later calls repeat a failure of cuInit, as in the real runtime.
Error initialize();

// Makes sure that a context is current: the one the program has set, else the primary one of the thread's device.
Error enter_context();

// Of the current context; the thread's choice where none is current.
Error current_device(int& device);

// The primary context, created at the first use of the device.
Error primary_context(int device, Context& context);

// One driver call on behalf of a runtime call.
template <typename... Parameters, typename... Arguments>
Error with_driver(Error (*Driver::*entry)(Parameters...), Arguments... arguments) {
    Error error = initialize();
    if (!error) error = call(entry, arguments...);
    return record(error);
}

template <typename... Parameters, typename... Arguments>
Error in_context(Error (*Driver::*entry)(Parameters...), Arguments... arguments) {
    Error error = enter_context();
    if (!error) error = call(entry, arguments...);
    return record(error);
}

inline Stream own_stream(Stream stream) { return stream ? stream : kPerThreadStream; }

}  // namespace cudafault::cudart
