// SPDX-License-Identifier: Apache-2.0
#include "kube/object/owners.hpp"

#include "kube/api/common/json.hpp"

namespace cudafault::kube {

namespace {

ObjectRef owner_from(const Json& entry, const Json& owned) {
    return {Resource::of_kind(text_at(entry, "apiVersion"), text_at(entry, "kind")),
            text_at(value_at(owned, "metadata"), "namespace"), text_at(entry, "name"), text_at(entry, "uid")};
}

}  // namespace

std::optional<ObjectRef> controller_of(const Json& object) {
    const Json& owners = value_at(value_at(object, "metadata"), "ownerReferences");
    if (!owners.is_array()) return std::nullopt;
    for (const Json& entry : owners) {
        ObjectRef owner = owner_from(entry, object);
        const bool is_node = owner.resource.group.empty() && owner.resource.kind == "Node";
        if (value_at(entry, "controller") == true && !is_node && !owner.name.empty()) return owner;
    }
    return std::nullopt;
}

std::optional<ObjectRef> first_owner_of(const Json& object) {
    const Json& owners = value_at(value_at(object, "metadata"), "ownerReferences");
    if (!owners.is_array() || owners.empty()) return std::nullopt;
    return owner_from(owners.front(), object);
}

bool is_owned_by(const Json& object, const std::string& uid) {
    return find(object, Path{"metadata", "ownerReferences"}.item(uid, "uid")) != nullptr;
}

std::set<std::string> owner_uids(const Json& object) {
    std::set<std::string> uids;
    for (const Json& owner : items_at(object, {"metadata", "ownerReferences"})) uids.insert(text_at(owner, {"uid"}));
    return uids;
}

Json owner_reference(const ObjectRef& owner) {
    return {{"apiVersion", owner.resource.api_version()},
            {"kind", owner.resource.kind},
            {"name", owner.name},
            {"uid", owner.uid}};
}

std::string uid_of(const Json& object) { return text_at(value_at(object, "metadata"), "uid"); }

}  // namespace cudafault::kube
