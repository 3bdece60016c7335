// SPDX-License-Identifier: Apache-2.0
#include "kube/api/client/json_patch.hpp"

namespace cudafault::kube {

std::string json_pointer(const std::vector<std::string>& fields) {
    Json::json_pointer pointer;
    for (const std::string& field : fields) pointer.push_back(field);
    return pointer.to_string();
}

JsonPatch& JsonPatch::append(const char* operation, const std::string& path, const Json* value) {
    Json entry = {{"op", operation}, {"path", path}};
    if (value) entry["value"] = *value;
    operations_.push_back(std::move(entry));
    return *this;
}

JsonPatch& JsonPatch::test(const std::string& path, const Json& value) { return append("test", path, &value); }

JsonPatch& JsonPatch::add(const std::string& path, const Json& value) { return append("add", path, &value); }

JsonPatch& JsonPatch::replace(const std::string& path, const Json& value) { return append("replace", path, &value); }

JsonPatch& JsonPatch::remove(const std::string& path) { return append("remove", path, nullptr); }

JsonPatch& JsonPatch::only_if_unchanged(const Json& object) {
    const Json& metadata = object.at("metadata");
    return test("/metadata/uid", metadata.at("uid"))
        .replace("/metadata/resourceVersion", metadata.at("resourceVersion"));
}

}  // namespace cudafault::kube
