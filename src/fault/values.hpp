// SPDX-License-Identifier: Apache-2.0
// Parses the values of a spec. Each function parses the whole text; on failure `out` is unspecified.
#pragma once

#include "fault/plan.hpp"

namespace cudafault {

bool is_digit(char c);

bool parse_number(Text, uint64_t& out);                   // decimal digits, less than 2^64
bool parse_range(Text, uint64_t& first, uint64_t& last);  // one number, or a range such as 0-3

// Parses a number such as 90 or 1.5 with a unit: us, ms, s, m, h or d. The result is less than 2^64 - 1 ns; fractions
// of 1 ns are dropped. With BareNumber::seconds a number without a unit is a number of seconds.
enum class BareNumber { refused, seconds };
bool parse_duration(Text, uint64_t& out_ns, BareNumber bare = BareNumber::refused);

bool parse_timestamp(Text, uint64_t& out_ns);  // ns since the epoch; RFC 3339, such as 2026-11-23T12:00:00Z

// Parses a decimal number p in (0, 1], optionally with an exponent or a percent sign. Sets `out` to exactly
// floor(p * 2^64), or to kAlways if p is 1.
enum class ProbabilityResult { ok, malformed, out_of_range, too_fine };
ProbabilityResult parse_probability(Text, uint64_t& out);

// Parses an index, local:N, a range of either (0-3, local:0-3), a PCI ID, GPU-<uuid> or MIG-<uuid>. The UUID may be
// shortened to its first digits.
bool parse_gpu(Text, GpuSelector& out);

bool parse_signal(Text, uint64_t& number);  // KILL, SIGKILL or 9
int signal_name_count();
const char* signal_name(int index);  // "KILL"

}  // namespace cudafault
