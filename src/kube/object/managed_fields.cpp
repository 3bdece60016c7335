// SPDX-License-Identifier: Apache-2.0
#include "kube/object/managed_fields.hpp"

#include <algorithm>
#include <array>

#include "kube/names.hpp"
#include "kube/object/path.hpp"

namespace cudafault::kube {

namespace {

// Returns the fields that are in both sets. A set is a tree: {"f:spec": {"f:replicas": {}, "f:template": {...}}}. A
// field is in the set if it has no subfields or has the subfield ".".
Json intersection(const Json& a, const Json& b) {
    Json both = Json::object();
    if (!a.is_object() || !b.is_object()) return both;
    for (const auto& [key, value] : a.items()) {
        const auto same = b.find(key);
        if (same == b.end()) continue;
        Json subfields = intersection(value, *same);
        if (!subfields.empty() || (value.empty() && same->empty())) both[key] = std::move(subfields);
    }
    // The server removed the parent's "." together with its last field.
    if (!both.empty() && a.contains(".")) both["."] = Json::object();
    return both;
}

void merge_into(Json& target, const Json& source) {
    if (!source.is_object()) return;
    if (!target.is_object()) target = Json::object();
    for (const auto& [key, value] : source.items()) merge_into(target[key], value);
}

bool is_cudafault_entry(const Json& entry) {
    return text_at(entry, {"manager"}) == names::kManager && text_at(entry, {"subresource"}).empty();
}

bool is_same_manager(const Json& a, const Json& b) {
    constexpr std::array kKeys = {"manager", "operation", "apiVersion", "subresource"};
    return std::all_of(kKeys.begin(), kKeys.end(),
                       [&](const char* key) { return text_at(a, {key}) == text_at(b, {key}); });
}

const Json& fields_of(const Json& entry) {
    static const Json kNoFields = Json::object();
    const Json* fields = find(entry, {"fieldsV1"});
    return fields ? *fields : kNoFields;
}

}  // namespace

std::optional<Json> with_previous_managers(const Json& current, const Json& before) {
    if (!current.is_array() || !before.is_array()) return {};
    const auto own_entry = std::find_if(current.begin(), current.end(), is_cudafault_entry);
    if (own_entry == current.end()) return {};
    Json list = Json::array();
    std::copy_if(current.begin(), current.end(), std::back_inserter(list),
                 [](const Json& entry) { return !is_cudafault_entry(entry); });
    for (const Json& previous : before) {
        const Json taken_over = intersection(fields_of(previous), fields_of(*own_entry));
        if (is_cudafault_entry(previous) || taken_over.empty()) continue;
        const auto previous_entry =
            std::find_if(list.begin(), list.end(), [&](const Json& entry) { return is_same_manager(entry, previous); });
        if (previous_entry != list.end()) {
            merge_into((*previous_entry)["fieldsV1"], taken_over);
        } else {
            list.push_back(previous);
            list.back()["fieldsV1"] = taken_over;
        }
    }
    if (list.empty()) return {};  // an empty list makes the server remove all managed fields
    return list;
}

}  // namespace cudafault::kube
