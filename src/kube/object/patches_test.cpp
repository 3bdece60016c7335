// SPDX-License-Identifier: Apache-2.0
#include "kube/object/patches.hpp"

#include <gtest/gtest.h>

#include "kube/testing/injection_testing.hpp"

namespace cudafault::kube {

namespace {

Json object_with(const Json& spec) {
    Json object = named("web", spec);
    object["metadata"]["resourceVersion"] = "7";
    return object;
}

TEST(Patches, ConvertBetweenOriginalAndInjectedObject) {
    const Workload workload = deployment_of_pod({{"volumes", {{{"name", "a/b~c"}}, {{"name", "d"}}}}});
    const Json injected =
        inject_into(workload, choose_containers(workload, {"*"}), source_injection(), always_exists).object;
    EXPECT_EQ(workload.object.patch(patch_between(workload.object, injected).operations()), injected);
    EXPECT_EQ(injected.patch(patch_between(injected, workload.object).operations()), workload.object);
}

TEST(Patches, CanRemoveFieldsAndListItems) {
    const Json before = object_with({{"list", {1, 2, 3, 4}}, {"gone", {{"a", 1}}}, {"a/b", {{"~", 1}}}});
    const Json after = object_with({{"list", {1, 4}}, {"a/b", {{"~", nullptr}}}});
    EXPECT_EQ(before.patch(patch_between(before, after).operations()), after);
}

TEST(Patches, RequireUnchangedObject) {
    const Json before = object_with({{"replicas", 1}}), after = object_with({{"replicas", 2}});
    const Json operations = patch_between(before, after).operations();
    Json recreated = before;
    recreated["metadata"]["uid"] = "uid-of-another";
    EXPECT_THROW(recreated.patch(operations), Json::exception);
    const Json version = {{"op", "replace"}, {"path", "/metadata/resourceVersion"}, {"value", "7"}};
    EXPECT_NE(std::find(operations.begin(), operations.end(), version), operations.end())
        << "the patch must replace resourceVersion, so that the server rejects a stale version with a 409";
}

}  // namespace

}  // namespace cudafault::kube
