// SPDX-License-Identifier: Apache-2.0
// Declares the functions of the stand-in driver library; callers reach them through the PLT.
#pragma once

extern "C" {
int bench_direct();      // not a CUDA name, so it is not intercepted
int cuCtxSynchronize();  // same body; intercepted if libcudafault.so is preloaded
}
