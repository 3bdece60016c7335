// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace cudafault {

// Where `cudafault run --gpus sim:N` has its simulated driver, the one to open in place of a driver's library that is
// named by a path; nullptr: open what was asked for.
const char* simulated_library(const char* file);

}  // namespace cudafault
