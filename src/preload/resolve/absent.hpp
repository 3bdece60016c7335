// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

namespace cudafault {

// Returns the result of a call of the row's function while no library that defines the function is loaded: an error
// status of the API, an empty string for a function that returns an error text, and 0 for other functions.
uint64_t absent_result(int row);

}  // namespace cudafault
