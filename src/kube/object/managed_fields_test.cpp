// SPDX-License-Identifier: Apache-2.0
#include "kube/object/managed_fields.hpp"

#include <gtest/gtest.h>

namespace cudafault::kube {
namespace {

Json entry(const char* manager, const char* fields, const char* operation = "Update") {
    return {{"manager", manager},
            {"operation", operation},
            {"apiVersion", "apps/v1"},
            {"time", "2026-11-24T00:00:00Z"},
            {"fieldsV1", Json::parse(fields)}};
}

const Json kUser =
    entry("kubectl", R"({"f:spec": {"f:replicas": {}, "f:strategy": {"f:type": {}, "f:maxSurge": {}}}})");

TEST(ManagedFields, ReturnsNulloptWithoutEntryOfCudafault) {
    EXPECT_FALSE(with_previous_managers(Json{kUser}, Json{kUser}));
    EXPECT_FALSE(with_previous_managers(nullptr, nullptr));
}

TEST(ManagedFields, RestoresPreviousManager) {
    const Json current = {entry("kubectl", R"({"f:spec": {"f:replicas": {}, "f:strategy": {"f:type": {}}}})"),
                          entry("cudafault", R"({"f:spec": {"f:strategy": {"f:maxSurge": {}}}})")};
    EXPECT_EQ(with_previous_managers(current, Json{kUser}), Json{kUser});
}

TEST(ManagedFields, KeepsLaterChangesOfOtherManagers) {
    const Json current = {entry("kubectl", R"({"f:spec": {"f:paused": {}, "f:strategy": {"f:type": {}}}})"),
                          entry("cudafault", R"({"f:spec": {"f:strategy": {"f:maxSurge": {}}}})"),
                          entry("new", R"({"f:x": {}})")};
    const Json expected = {
        entry("kubectl", R"({"f:spec": {"f:paused": {}, "f:strategy": {"f:type": {}, "f:maxSurge": {}}}})"),
        entry("new", R"({"f:x": {}})")};
    EXPECT_EQ(with_previous_managers(current, Json{kUser}), expected);
}

TEST(ManagedFields, RestoresManagerThatLostAllFields) {
    const Json previous = entry("helm", R"({"f:spec": {"f:maxSurge": {}}})", "Apply");
    const Json current = {entry("kubectl", R"({"f:a": {}})"), entry("cudafault", R"({"f:spec": {"f:maxSurge": {}}})")};
    EXPECT_EQ(with_previous_managers(current, Json{previous}), (Json{entry("kubectl", R"({"f:a": {}})"), previous}));
}

TEST(ManagedFields, EmptyListIsNeverReturned) {
    EXPECT_FALSE(with_previous_managers(Json{entry("cudafault", R"({"f:a": {}})")}, Json::array()));
}

}  // namespace
}  // namespace cudafault::kube
