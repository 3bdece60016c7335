// SPDX-License-Identifier: Apache-2.0
#include "kube/api/client/resource.hpp"

#include <gtest/gtest.h>

namespace cudafault::kube {

namespace {

TEST(Resources, BuiltInResourcesHaveExpectedPaths) {
    EXPECT_EQ(path_of(ObjectRef{config_maps(), "ns", "x"}), "/api/v1/namespaces/ns/configmaps/x");
    EXPECT_EQ(path_of(Collection{events(), "ns"}), "/api/v1/namespaces/ns/events");
    EXPECT_EQ(path_of(ObjectRef{namespaces(), "", "ns"}), "/api/v1/namespaces/ns");
    EXPECT_EQ(path_of(ObjectRef{nodes(), "ignored", "n1"}), "/api/v1/nodes/n1");
    EXPECT_EQ(path_of(Collection{pods(), ""}), "/api/v1/pods");
    EXPECT_EQ(path_of(ObjectRef{leases(), "ns", "x"}), "/apis/coordination.k8s.io/v1/namespaces/ns/leases/x");
    EXPECT_EQ(path_of(ObjectRef{replica_sets(), "ns", "x"}), "/apis/apps/v1/namespaces/ns/replicasets/x");
    EXPECT_EQ(path_of(ObjectRef{controller_revisions(), "ns", "x"}),
              "/apis/apps/v1/namespaces/ns/controllerrevisions/x");
    EXPECT_EQ(path_of(ObjectRef{jobs(), "ns", "x"}), "/apis/batch/v1/namespaces/ns/jobs/x");
}

}  // namespace

}  // namespace cudafault::kube
