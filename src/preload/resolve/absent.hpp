// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

namespace cudafault {

// What a call of the row's function returns while no library that has it is loaded.
uint64_t absent_answer(int row);

}  // namespace cudafault
