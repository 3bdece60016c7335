// SPDX-License-Identifier: Apache-2.0
// Readers for the values of the spec: each takes the whole text or returns false and leaves `out` unspecified.
#pragma once

#include "fault/plan.hpp"

namespace cudafault {

bool is_digit(char c);

bool parse_number(Text, uint64_t& out);        // decimal digits, less than 2^64
bool parse_duration(Text, uint64_t& out_ns);   // a number and us, ms, s, m or h; less than 2^64 - 1 ns
bool parse_timestamp(Text, uint64_t& out_ns);  // RFC 3339, such as 2026-11-23T12:00:00Z; ns since the epoch

// A decimal number in (0, 1], with an exponent if need be, as exactly floor(p * 2^64); 1 is kAlways.
enum class ProbabilityResult { ok, malformed, out_of_range, too_fine };
ProbabilityResult parse_probability(Text, uint64_t& out);

bool parse_gpu(Text, GpuSelector& out);     // an index, local:N, GPU-<uuid>, MIG-<uuid> or a PCI id; not "all"
bool parse_signal(Text, uint64_t& number);  // KILL, SIGKILL or 9

}  // namespace cudafault
