// SPDX-License-Identifier: Apache-2.0
#include "kube/api/common/subject.hpp"

namespace cudafault::kube {

std::string Subject::text() const {
    const size_t slash = resource.find('/');
    std::string text = name.empty() ? resource : (kind.empty() ? resource : kind) + "/" + name;
    if (!name.empty() && slash != std::string::npos) text = resource.substr(slash + 1) + " of " + text;
    if (!in_namespace.empty()) text += " in namespace " + in_namespace;
    return text;
}

}  // namespace cudafault::kube
