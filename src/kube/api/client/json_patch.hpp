// SPDX-License-Identifier: Apache-2.0
// RFC 6902 patches that fail rather than overwrite what somebody else has changed.
#pragma once

#include <string>
#include <vector>

#include "kube/api/common/json.hpp"

namespace cudafault::kube {

// The path of nested fields: {"metadata", "a/b"} is "/metadata/a~1b". Items of lists are decimal indices, "-" is the
// place behind the last.
std::string json_pointer(const std::vector<std::string>& fields);

class JsonPatch {
public:
    JsonPatch& test(const std::string& path, const Json& value);
    JsonPatch& add(const std::string& path, const Json& value);
    JsonPatch& replace(const std::string& path, const Json& value);
    JsonPatch& remove(const std::string& path);

    // The object has to be the one that was read, unchanged: tests its uid, and writes its resourceVersion, which
    // gives a 409 that says so, where a failed test gives a 422 that does not.
    JsonPatch& only_if_unchanged(const Json& object);

    bool empty() const { return operations_.empty(); }
    const Json& operations() const { return operations_; }

private:
    JsonPatch& append(const char* operation, const std::string& path, const Json* value);

    Json operations_ = Json::array();
};

}  // namespace cudafault::kube
