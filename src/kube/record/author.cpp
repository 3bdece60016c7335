// SPDX-License-Identifier: Apache-2.0
#include "kube/record/author.hpp"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <climits>

#include "kube/api/common/json.hpp"
#include "kube/api/transport/api_error.hpp"
#include "kube/api/transport/session.hpp"
#include "kube/object/path.hpp"

namespace cudafault::kube {

namespace {

// Returns an empty string if the API server does not report the user.
std::string cluster_user(Client& client) {
    Resource reviews;
    reviews.group = "authentication.k8s.io";
    reviews.version = "v1";
    reviews.plural = "selfsubjectreviews";
    reviews.kind = "SelfSubjectReview";
    reviews.namespaced = false;
    try {
        const Json review = client.create(reviews, {{"apiVersion", reviews.api_version()}, {"kind", reviews.kind}});
        return text_at(review, {"status", "userInfo", "username"});
    } catch (const ApiError&) {
        return client.session().connection().user.impersonation.user;
    }
}

}  // namespace

std::string this_user() {
    char host[HOST_NAME_MAX + 1] = "?";
    gethostname(host, sizeof host - 1);
    const passwd* user = getpwuid(getuid());
    return fmt::format("{}@{}", user ? user->pw_name : std::to_string(getuid()), host);
}

std::string author(Client& client) {
    const std::string user = cluster_user(client);
    return user.empty() ? this_user() : fmt::format("{} ({})", user, this_user());
}

}  // namespace cudafault::kube
