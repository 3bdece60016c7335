// SPDX-License-Identifier: Apache-2.0
#include "kube/record/author.hpp"

#include <fmt/format.h>

#include "kube/plan/plan_object.hpp"

namespace cudafault::kube {

namespace {

// Empty if the server does not say.
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

std::string author(Client& client) {
    const std::string user = cluster_user(client);
    return user.empty() ? this_user() : fmt::format("{} ({})", user, this_user());
}

}  // namespace cudafault::kube
