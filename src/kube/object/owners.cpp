// SPDX-License-Identifier: Apache-2.0
#include "kube/object/owners.hpp"

#include "kube/api/common/json_text.hpp"

namespace cudafault::kube {

std::string Owner::group() const {
    const size_t slash = api_version.find('/');
    return slash == std::string::npos ? "" : api_version.substr(0, slash);
}

std::optional<Owner> controller_of(const Json& object) {
    const Json& owners = value_at(value_at(object, "metadata"), "ownerReferences");
    if (!owners.is_array()) return std::nullopt;
    for (const Json& entry : owners) {
        const Owner owner{text_at(entry, "apiVersion"), text_at(entry, "kind"), text_at(entry, "name"),
                          text_at(entry, "uid")};
        const bool is_node = owner.api_version == "v1" && owner.kind == "Node";
        if (value_at(entry, "controller") == true && !is_node && !owner.name.empty()) return owner;
    }
    return std::nullopt;
}

bool is_owned_by(const Json& object, const std::string& uid) {
    return find(object, Path{"metadata", "ownerReferences"}.item(uid, "uid")) != nullptr;
}

std::string uid_of(const Json& object) { return text_at(value_at(object, "metadata"), "uid"); }

}  // namespace cudafault::kube
