// SPDX-License-Identifier: Apache-2.0
// The functions of the stand-in driver library, called through the PLT like any linked library's.
#pragma once

extern "C" {
int bench_direct();      // no CUDA name: nothing intercepts it
int cuCtxSynchronize();  // intercepted when libcudafault.so is preloaded; the same body
}
