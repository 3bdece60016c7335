// SPDX-License-Identifier: Apache-2.0
#include "kube/api/config/in_cluster.hpp"

#include <gtest/gtest.h>

#include "kube/api/testing/test_files.hpp"

namespace cudafault::kube {

namespace {

const Getenv kPod = environment({{"KUBERNETES_SERVICE_HOST", "10.96.0.1"}, {"KUBERNETES_SERVICE_PORT", "443"}});

TEST(InCluster, RefersToTokenAndAuthorityFiles) {
    const TestFolder folder;
    folder.write("token", "t");
    folder.write("namespace", "prod");
    const auto connection = in_cluster_connection(kPod, folder.path());
    ASSERT_TRUE(connection);
    EXPECT_EQ(connection->context, "in-cluster");
    EXPECT_EQ(connection->cluster.server, "https://10.96.0.1:443");
    EXPECT_EQ(connection->cluster.certificate_authority, folder.file("ca.crt"));
    EXPECT_EQ(connection->user.token_file, folder.file("token"));
    EXPECT_EQ(connection->user.token, "");
    EXPECT_EQ(connection->default_namespace, "prod");
}

TEST(InCluster, BracketsIpv6Host) {
    const TestFolder folder;
    folder.write("token", "t");
    const Getenv pod = environment({{"KUBERNETES_SERVICE_HOST", "fd00::1"}, {"KUBERNETES_SERVICE_PORT", "443"}});
    const auto connection = in_cluster_connection(pod, folder.path());
    ASSERT_TRUE(connection);
    EXPECT_EQ(connection->cluster.server, "https://[fd00::1]:443");
    EXPECT_EQ(connection->default_namespace, "default");
}

TEST(InCluster, ReturnsNulloptOutsidePod) {
    const TestFolder folder;
    EXPECT_FALSE(in_cluster_connection(kPod, folder.path())) << "the token file does not exist";
    folder.write("token", "t");
    EXPECT_FALSE(in_cluster_connection(environment({}), folder.path()));
    EXPECT_FALSE(in_cluster_connection(environment({{"KUBERNETES_SERVICE_HOST", "h"}}), folder.path()));
    EXPECT_FALSE(in_cluster_connection(
        environment({{"KUBERNETES_SERVICE_HOST", ""}, {"KUBERNETES_SERVICE_PORT", "443"}}), folder.path()));
}

}  // namespace

}  // namespace cudafault::kube
