// SPDX-License-Identifier: Apache-2.0
// Locations in objects. List items are identified by a key field, as in the API server, and not by their index, which
// changes when other clients edit the list.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kube/api/common/json.hpp"

namespace cudafault::kube {

struct Step {
    std::string field;  // a field of an object, or the key field of list items: name, mountPath, groupName
    std::string value;  // the value of the key field of the item
    bool is_item = false;

    bool operator==(const Step&) const = default;
};

class Path {
public:
    Path() = default;
    Path(std::initializer_list<const char*> fields);

    Path operator/(const std::string& field) const;
    Path item(const std::string& value, const std::string& key = "name") const;
    Path parent() const;
    const Step& last() const { return steps_.back(); }
    bool empty() const { return steps_.empty(); }
    const std::vector<Step>& steps() const { return steps_; }

    std::string text() const;  // spec.containers[main].env[LD_PRELOAD]

    // Returns an array with fields as strings and items as {"name": "main"}.
    Json json() const;
    static Path from_json(const Json& json);  // throws Error

    bool operator==(const Path&) const = default;

private:
    std::vector<Step> steps_;
};

// Returns the value at the path, or nullptr. If several items have the same key, uses the last one, as Kubernetes does
// for `env`.
const Json* find(const Json& object, const Path& path);
Json* find(Json& object, const Path& path);

// Returns the string at the path, or `fallback` if the path has no string.
std::string text_at(const Json& object, const Path& path, const std::string& fallback = "");

// Returns the list at the path, or an empty list if the path has no list.
const Json& items_at(const Json& object, const Path& path);
const Json& items_at(const Json& object, const char* field);

// Returns the integer at the path, or `fallback` if the path has no integer.
int64_t number_at(const Json& object, const Path& path, int64_t fallback = 0);

}  // namespace cudafault::kube
