// SPDX-License-Identifier: Apache-2.0
// Which object keeps another.
#pragma once

#include <optional>
#include <string>

#include "kube/api/client/resource.hpp"
#include "kube/object/path.hpp"

namespace cudafault::kube {

inline constexpr int kMostOwners = 10;  // levels of controllers above an object; more are taken for a cycle

// The owner reference whose `controller` is true; nothing if there is none. A Node, which "owns" the mirrors of static
// pods, does not count. The resource of the result has no plural: see Resource.
std::optional<ObjectRef> controller_of(const Json& object);

// The first owner reference, controller or not: of an object that cudafault created, its workload.
std::optional<ObjectRef> first_owner_of(const Json& object);

// True if one of the owner references, controller or not, has that UID.
bool is_owned_by(const Json& object, const std::string& uid);

// An item of metadata.ownerReferences: the garbage collector deletes the object that carries it after its owner.
Json owner_reference(const ObjectRef& owner);

std::string uid_of(const Json& object);

}  // namespace cudafault::kube
