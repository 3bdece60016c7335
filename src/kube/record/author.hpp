// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "kube/api/client/client.hpp"

namespace cudafault::kube {

// Returns a display name for the user who runs this command, such as "alice (eve@desk)": the user that the API server
// reports (after impersonation), then user@host of this process. Returns only user@host if the server does not report
// the user (before Kubernetes 1.28).
std::string author(Client& client);

// Returns "user@host" of this process.
std::string this_user();

}  // namespace cudafault::kube
