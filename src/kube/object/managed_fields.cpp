// SPDX-License-Identifier: Apache-2.0
#include "kube/object/managed_fields.hpp"

#include <algorithm>
#include <array>

#include "kube/names.hpp"
#include "kube/object/path.hpp"

namespace cudafault::kube {

namespace {

// Returns the fields that are in both sets. A set is a tree: {"f:spec": {"f:replicas": {}, "f:template": {...}}}. A
// field is owned itself if it has no subfields, or if "." is among them.
Json common(const Json& one, const Json& other) {
    Json both = Json::object();
    if (!one.is_object() || !other.is_object()) return both;
    for (const auto& [key, value] : one.items()) {
        const auto same = other.find(key);
        if (same == other.end()) continue;
        Json below = common(value, *same);
        if (!below.empty() || (value.empty() && same->empty())) both[key] = std::move(below);
    }
    // The server removed the parent's "." together with its last field.
    if (!both.empty() && one.contains(".")) both["."] = Json::object();
    return both;
}

void add(Json& to, const Json& more) {
    if (!more.is_object()) return;
    if (!to.is_object()) to = Json::object();
    for (const auto& [key, value] : more.items()) add(to[key], value);
}

bool is_cudafault_entry(const Json& entry) {
    return text_at(entry, {"manager"}) == names::kManager && text_at(entry, {"subresource"}).empty();
}

bool is_same_manager(const Json& one, const Json& other) {
    constexpr std::array kKeys = {"manager", "operation", "apiVersion", "subresource"};
    return std::all_of(kKeys.begin(), kKeys.end(),
                       [&](const char* key) { return text_at(one, {key}) == text_at(other, {key}); });
}

const Json& fields_of(const Json& entry) {
    static const Json kNone = Json::object();
    const Json* fields = find(entry, {"fieldsV1"});
    return fields ? *fields : kNone;
}

}  // namespace

std::optional<Json> with_previous_managers(const Json& now, const Json& before) {
    if (!now.is_array() || !before.is_array()) return {};
    const auto own_entry = std::find_if(now.begin(), now.end(), is_cudafault_entry);
    if (own_entry == now.end()) return {};
    Json list = Json::array();
    std::copy_if(now.begin(), now.end(), std::back_inserter(list),
                 [](const Json& entry) { return !is_cudafault_entry(entry); });
    for (const Json& was : before) {
        const Json taken = common(fields_of(was), fields_of(*own_entry));
        if (is_cudafault_entry(was) || taken.empty()) continue;
        const auto previous_entry =
            std::find_if(list.begin(), list.end(), [&](const Json& entry) { return is_same_manager(entry, was); });
        if (previous_entry != list.end()) {
            add((*previous_entry)["fieldsV1"], taken);
        } else {
            list.push_back(was);
            list.back()["fieldsV1"] = taken;
        }
    }
    if (list.empty()) return {};  // an empty list asks the server to remove all managed fields
    return list;
}

}  // namespace cudafault::kube
