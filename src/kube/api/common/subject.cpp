// SPDX-License-Identifier: Apache-2.0
#include "kube/api/common/subject.hpp"

namespace cudafault::kube {

std::string Subject::text() const {
    std::string text = resource;
    if (!name.empty()) text += " " + name;
    if (!in_namespace.empty()) text += " in namespace " + in_namespace;
    return text;
}

}  // namespace cudafault::kube
