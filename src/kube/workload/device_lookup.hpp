// SPDX-License-Identifier: Apache-2.0
// Looks up the devices that a workload's templates request by the name of a claim or a DeviceClass.
#pragma once

#include "kube/workload/workload.hpp"

namespace cudafault::kube {

// Reads the claims and DeviceClasses that the templates name, and for devices that are still unknown the claims of
// running pods. Sends no request if the templates name neither. A device that the account may not read
// remains unknown.
KnownDevices look_up_devices(Client& client, Discovery& discovery, const Workload& workload);

}  // namespace cudafault::kube
