// SPDX-License-Identifier: Apache-2.0
// Places in objects. Items of lists are told by a key of theirs, as the API server does, and not by their index, which
// other people's edits move.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kube/api/common/json.hpp"

namespace cudafault::kube {

struct Step {
    std::string field;  // of an object; or the key field of a list's items: name, mountPath, groupName
    std::string value;  // the item whose key field has this value
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

    // Fields as texts, items as {"name": "main"}.
    Json json() const;
    static Path from_json(const Json& json);  // throws Error

    bool operator==(const Path&) const = default;

private:
    std::vector<Step> steps_;
};

// nullptr if there is nothing. Of several items with one key the last, which is the one that counts in `env`.
const Json* find(const Json& object, const Path& path);
Json* find(Json& object, const Path& path);

// The text there, or `otherwise` if there is none.
std::string text_at(const Json& object, const Path& path, const std::string& otherwise = "");

// The list there, or an empty one if there is no list.
const Json& items_at(const Json& object, const Path& path);

// The integer there, or `otherwise` if there is none.
int64_t number_at(const Json& object, const Path& path, int64_t otherwise = 0);

}  // namespace cudafault::kube
