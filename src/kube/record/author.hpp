// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "kube/api/client/client.hpp"

namespace cudafault::kube {

// Who runs this command, for people: the user as the API server sees it, impersonated or not, and user@host of this
// process, as "alice (eve@desk)". Without the first where the server does not say (before Kubernetes 1.28).
std::string author(Client& client);

// "user@host" of this process.
std::string this_user();

}  // namespace cudafault::kube
