// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "catalog/entry.hpp"

namespace cudafault::catalog {

// Returns the section of docs/xids.md about an XID, in Markdown: what happens to whom, the plan that injects it,
// NVIDIA's advice, and the sources. `cudafault xids NUMBER` prints the same text.
std::string page(const Entry&);

// Returns the beginning of docs/xids.md: an introduction and a table of all entries that are not reserved.
std::string overview(const std::vector<Entry>&);

// Says which calls fail, with which of these codes, and how long: "no error", or "214 `CUDA_ERROR_...` from the next
// ...".
std::string observation_text(const Observation&, const std::vector<Code>& codes);

std::string advice_text(const Entry&);  // NVIDIA's advice: "RESET_GPU, then CONTACT_SUPPORT"; "-": none

std::string value_text(const std::string& value);  // of Entry: a state, counter, action or means in words

// "214 CUDA_ERROR_ECC_UNCORRECTABLE, from CUDA 12.8 226 CUDA_ERROR_CONTAINED"
std::string codes_text(const std::vector<Code>&);

}  // namespace cudafault::catalog
