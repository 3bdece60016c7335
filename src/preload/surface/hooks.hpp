// SPDX-License-Identifier: Apache-2.0
// Declares the hooks of the functions that look up other functions. The hooks return stubs instead of the addresses of
// real functions.
#pragma once

#include "preload/resolve/stub_registry.hpp"
#include "preload/surface/frame.hpp"

namespace cudafault {

// Handles dlsym, dlvsym, dlopen, dlmopen, dlclose and dlerror. May change the saved arguments. Takes the dynamic
// linker's lock, as those functions do. Thread-safe.
Verdict on_loader_call(LoaderHook hook, Frame& frame);

// Handles the variants of cuGetProcAddress and cudaGetDriverEntryPoint. Thread-safe.
Verdict on_resolver_call(const StubUse& use, const Frame& frame);

}  // namespace cudafault
