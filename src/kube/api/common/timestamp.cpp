// SPDX-License-Identifier: Apache-2.0
#include "kube/api/common/timestamp.hpp"

namespace cudafault::kube {

std::string utc(std::time_t time) { return utc_text(std::chrono::system_clock::from_time_t(time), Precision::seconds); }

std::string utc_now() { return utc(std::time(nullptr)); }

}  // namespace cudafault::kube
