// SPDX-License-Identifier: Apache-2.0
// Builds RFC 6902 patches that fail instead of overwriting changes by other clients.
#pragma once

#include <string>
#include <vector>

#include "kube/api/common/json.hpp"

namespace cudafault::kube {

// Returns the JSON pointer of nested fields: {"metadata", "a/b"} is "/metadata/a~1b". List items are decimal indices;
// "-" appends to the list.
std::string json_pointer(const std::vector<std::string>& fields);

class JsonPatch {
public:
    JsonPatch& test(const std::string& path, const Json& value);
    JsonPatch& add(const std::string& path, const Json& value);
    JsonPatch& replace(const std::string& path, const Json& value);
    JsonPatch& remove(const std::string& path);

    // Makes the patch fail unless the object still has the UID and the resourceVersion of `object`. The patch tests the
    // UID and replaces resourceVersion: a stale resourceVersion is then reported as a 409 conflict instead of the
    // less specific 422 of a failed test.
    JsonPatch& only_if_unchanged(const Json& object);

    bool empty() const { return operations_.empty(); }
    const Json& operations() const { return operations_; }

private:
    JsonPatch& append(const char* operation, const std::string& path, const Json* value);

    Json operations_ = Json::array();
};

}  // namespace cudafault::kube
