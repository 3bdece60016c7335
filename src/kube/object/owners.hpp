// SPDX-License-Identifier: Apache-2.0
// Reads and creates owner references.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "kube/api/client/resource.hpp"
#include "kube/object/path.hpp"

namespace cudafault::kube {

// The maximum number of controllers above an object. A longer chain is treated as a cycle.
inline constexpr int kMaxOwnerDepth = 10;

// Returns the owner reference whose `controller` is true, or nullopt. Ignores a Node, which is the controller of the
// mirror pods of static pods. The resource of the result has no plural: see Resource.
std::optional<ObjectRef> controller_of(const Json& object);

// Returns the first owner reference, controller or not. For an object that cudafault created, this is the workload.
std::optional<ObjectRef> first_owner_of(const Json& object);

// Returns true if any owner reference, controller or not, has that UID.
bool is_owned_by(const Json& object, const std::string& uid);

// Returns the UIDs of all owner references, controllers or not.
std::set<std::string> owner_uids(const Json& object);

// Returns an item for metadata.ownerReferences. The garbage collector deletes the dependent object after its owner.
Json owner_reference(const ObjectRef& owner);

std::string uid_of(const Json& object);

}  // namespace cudafault::kube
