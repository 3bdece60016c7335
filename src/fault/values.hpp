// SPDX-License-Identifier: Apache-2.0
// Readers for the values of the spec: each takes the whole text or returns false and leaves `out` unspecified.
#pragma once

#include "fault/plan.hpp"

namespace cudafault {

bool is_digit(char c);

bool parse_number(Text, uint64_t& out);                   // decimal digits, less than 2^64
bool parse_range(Text, uint64_t& first, uint64_t& last);  // a number, or two such as 0-3

// A number such as 90 or 1.5 and its unit: us, ms, s, m, h or d; less than 2^64 - 1 ns. What is finer than 1 ns is cut
// off. Where a bare number cannot mean anything else, it may be taken for seconds.
enum class BareNumber { refused, seconds };
bool parse_duration(Text, uint64_t& out_ns, BareNumber bare = BareNumber::refused);

bool parse_timestamp(Text, uint64_t& out_ns);  // RFC 3339, such as 2026-11-23T12:00:00Z; ns since the epoch

// A decimal number in (0, 1], with an exponent or a percent sign if need be, as exactly floor(p * 2^64); 1 is kAlways.
enum class ProbabilityResult { ok, malformed, out_of_range, too_fine };
ProbabilityResult parse_probability(Text, uint64_t& out);

// An index, local:N, a range of either such as 0-3, GPU-<uuid> or MIG-<uuid> or their first digits, or a PCI id.
bool parse_gpu(Text, GpuSelector& out);

bool parse_signal(Text, uint64_t& number);  // KILL, SIGKILL or 9
int signal_name_count();
const char* signal_name(int index);  // "KILL"

}  // namespace cudafault
