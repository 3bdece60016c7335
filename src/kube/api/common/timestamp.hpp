// SPDX-License-Identifier: Apache-2.0
// Formats and parses RFC 3339 timestamps as Kubernetes uses them.
#pragma once

#include <ctime>
#include <string>

#include "os/timestamp.hpp"

namespace cudafault::kube {

std::string utc(std::time_t time);  // "2026-11-24T13:00:00Z"
std::string utc_now();

}  // namespace cudafault::kube
