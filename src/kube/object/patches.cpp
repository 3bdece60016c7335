// SPDX-License-Identifier: Apache-2.0
#include "kube/object/patches.hpp"

namespace cudafault::kube {

JsonPatch patch_between(const Json& before, const Json& after) {
    JsonPatch patch;
    patch.only_if_unchanged(before);
    for (const Json& operation : Json::diff(before, after)) {
        const std::string kind = operation.at("op"), path = operation.at("path");
        if (kind == "remove") {
            patch.remove(path);
        } else if (kind == "add") {
            patch.add(path, operation.at("value"));
        } else {
            patch.replace(path, operation.at("value"));
        }
    }
    return patch;
}

}  // namespace cudafault::kube
