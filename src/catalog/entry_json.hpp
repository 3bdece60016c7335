// SPDX-License-Identifier: Apache-2.0
// Converts entries to JSON and back. The JSON has a key for each member.
#pragma once

#include <nlohmann/json.hpp>

#include "catalog/entry.hpp"

namespace cudafault::catalog {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Provenance, sources, confidence)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Code, cuda, error, number, needs)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Observation, pattern, codes, stall, lasts, text, provenance)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(LogText, branch, text)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(LogLine, form, owner, texts, provenance)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(FollowUp, xid, delay, provenance)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Fact, value, text, provenance)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Entry, number, depth, mnemonic, driver_mnemonic, title, use_case, reason, needs,
                                   scope, recovery, next_recovery, simple, simple_remark, simple_provenance, running,
                                   new_process, others, heals_by, nvml, has_event, counters, action, log, follow_ups,
                                   goe)

}  // namespace cudafault::catalog
