// SPDX-License-Identifier: Apache-2.0
// Looks up in the cluster which devices a workload's templates request where the templates only name them.
#pragma once

#include "kube/workload/workload.hpp"

namespace cudafault::kube {

// Reads the claims and DeviceClasses that the templates name, and for those that stay unknown the claims of running
// pods. No request if the templates name none. What the account may not read stays unknown.
KnownDevices look_up_devices(Client& client, Discovery& discovery, const Workload& workload);

}  // namespace cudafault::kube
