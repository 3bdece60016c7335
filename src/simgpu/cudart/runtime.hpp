// SPDX-License-Identifier: Apache-2.0
// Declares the state of the simulated runtime: initialization at the first use, the current device with its primary
// context, and the last error. The state has no destructors, because libraries call the runtime from exit handlers.
#pragma once

#include "simgpu/cudart/driver.hpp"
#include "simgpu/cudart/types.hpp"

// Marks an exported function. data/cuda_runtime.tsv lists the functions that each soname exports.
#define CUDART_API extern "C" __attribute__((visibility("default")))

// Defines name##suffix, the variant of a function whose default stream is the thread's own. `parameters` are those of
// the function; `arguments` are the arguments of the call, with own_stream(stream) as the stream.
#define CUDART_PER_THREAD(name, suffix, parameters, arguments) \
    CUDART_API Error name##suffix parameters { return name arguments; }

namespace cudafault::cudart {

inline constexpr int kRuntimeVersion = CUDART_MAJOR == 11 ? 11080 : CUDART_MAJOR == 12 ? 12090 : 13050;

// Sets the thread's last error and returns it. kNotReady is not recorded, because it is not an error.
Error record(Error error);

// Loads and initializes the driver once. Later calls repeat a failure of cuInit, as in the real runtime.
Error initialize();

// Makes the primary context of the thread's device current, unless the program has already set a current context.
Error enter_context();

// Returns the device of the current context, or the device that the thread has set if no context is current.
Error current_device(int& device);

// Returns the primary context, which is created at the first use of the device.
Error primary_context(int device, Context& context);

// Implements a runtime call with one driver call: initializes, makes the call, and records the error.
template <typename... Parameters, typename... Arguments>
Error with_driver(Error (*Driver::*entry)(Parameters...), Arguments... arguments) {
    Error error = initialize();
    if (!error) error = call(entry, arguments...);
    return record(error);
}

// Like with_driver(), but first makes a context current; see enter_context().
template <typename... Parameters, typename... Arguments>
Error in_context(Error (*Driver::*entry)(Parameters...), Arguments... arguments) {
    Error error = enter_context();
    if (!error) error = call(entry, arguments...);
    return record(error);
}

inline Stream own_stream(Stream stream) { return stream ? stream : kPerThreadStream; }

}  // namespace cudafault::cudart
