// SPDX-License-Identifier: Apache-2.0
// The functions whose arguments or results matter: those that find other functions.
#pragma once

#include "preload/resolve/stub_registry.hpp"
#include "preload/surface/frame.hpp"

namespace cudafault {

// dlsym, dlvsym, dlopen, dlmopen, dlerror.
Verdict on_loader_call(LoaderHook hook, Frame& frame);

// cuGetProcAddress, cudaGetDriverEntryPoint and their kin.
Verdict on_resolver_call(const StubUse& use, const Frame& frame);

}  // namespace cudafault
