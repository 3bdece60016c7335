// SPDX-License-Identifier: Apache-2.0
#include "kube/api/client/json_patch.hpp"

#include <gtest/gtest.h>

namespace cudafault::kube {

namespace {

TEST(JsonPointer, EscapesPerRfc6901) {
    EXPECT_EQ(json_pointer({}), "");
    EXPECT_EQ(json_pointer({"metadata", "annotations", "a.b/c~d"}), "/metadata/annotations/a.b~1c~0d");
    EXPECT_EQ(json_pointer({"env", "-"}), "/env/-");
}

TEST(JsonPatch, KeepsOrderOfOperations) {
    JsonPatch patch;
    EXPECT_TRUE(patch.empty());
    patch.test("/a", nullptr).add("/b", 1).replace("/c", Json::object()).remove("/d");
    EXPECT_FALSE(patch.empty());
    EXPECT_EQ(patch.operations(), Json::parse(R"([{"op":"test","path":"/a","value":null},
        {"op":"add","path":"/b","value":1},{"op":"replace","path":"/c","value":{}},{"op":"remove","path":"/d"}])"));
}

TEST(JsonPatch, KeepsTestBeforeEachChange) {
    JsonPatch patch;
    patch.test("/a", "old").replace("/a", "new").test("/b", Json::array({1})).remove("/b");
    EXPECT_EQ(patch.operations(), Json::parse(R"([{"op":"test","path":"/a","value":"old"},
        {"op":"replace","path":"/a","value":"new"},{"op":"test","path":"/b","value":[1]},{"op":"remove","path":"/b"}])"));
}

TEST(JsonPatch, OnlyIfUnchangedChecksUidAndVersion) {
    JsonPatch patch;
    patch.only_if_unchanged({{"metadata", {{"uid", "u"}, {"resourceVersion", "7"}}}});
    EXPECT_EQ(patch.operations(), Json::parse(R"([{"op":"test","path":"/metadata/uid","value":"u"},
        {"op":"replace","path":"/metadata/resourceVersion","value":"7"}])"));
    EXPECT_THROW(patch.only_if_unchanged(Json::object()), Json::exception);
}

TEST(JsonPatch, AppliesToJson) {
    const Json before = {{"list", {{{"name", "a"}}}}, {"key", "old"}};
    JsonPatch patch;
    patch.add("/list/-", {{"name", "b"}}).test("/key", "old").replace("/key", "new");
    EXPECT_EQ(before.patch(patch.operations()), Json({{"list", {{{"name", "a"}}, {{"name", "b"}}}}, {"key", "new"}}));
    EXPECT_THROW(Json({{"list", Json::array()}, {"key", "other"}}).patch(patch.operations()), Json::exception);
}

}  // namespace

}  // namespace cudafault::kube
