// SPDX-License-Identifier: Apache-2.0
// Which object keeps another.
#pragma once

#include <optional>
#include <string>

#include "kube/object/path.hpp"

namespace cudafault::kube {

inline constexpr int kMostOwners = 10;  // above each other; more are a cycle

struct Owner {
    std::string api_version;
    std::string kind;
    std::string name;
    std::string uid;

    std::string group() const;
};

// The owner that is the object's controller. A Node, which "owns" the mirrors of static pods, is none.
std::optional<Owner> controller_of(const Json& object);

// Whether that is one of its owners, the controller or not.
bool is_owned_by(const Json& object, const std::string& uid);

std::string uid_of(const Json& object);

}  // namespace cudafault::kube
