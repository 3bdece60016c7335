// SPDX-License-Identifier: Apache-2.0
#include "kube/object/path.hpp"

#include <gtest/gtest.h>

#include "kube/api/common/error.hpp"

namespace cudafault::kube {
namespace {

const Json kObject = Json::parse(R"({"spec": {"containers": [
    {"name": "side"},
    {"name": "main", "env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]}]}})");

const Path kMain = Path{"spec", "containers"}.item("main");

TEST(Path, FindsFieldsAndItems) {
    ASSERT_NE(find(kObject, kMain), nullptr);
    EXPECT_EQ(text_at(kObject, kMain / "name"), "main");
}

TEST(Path, FindReturnsLastItemWithSameKey) { EXPECT_EQ(text_at(kObject, (kMain / "env").item("A") / "value"), "2"); }

TEST(Path, MissingValueIsNullptr) {
    EXPECT_EQ(find(kObject, kMain / "image"), nullptr);
    EXPECT_EQ(find(kObject, Path{"spec", "containers"}.item("other")), nullptr);
    EXPECT_EQ(find(kObject, Path{"spec", "containers", "name"}), nullptr);
    EXPECT_EQ(find(kObject, Path{"spec"}.item("main")), nullptr);
    EXPECT_EQ(text_at(kObject, kMain / "env", "no text"), "no text");
}

TEST(Path, NumberAtAcceptsOnlyIntegers) {
    const Json object = {{"count", 3}, {"part", 1.5}, {"text", "3"}};
    EXPECT_EQ(number_at(object, {"count"}), 3);
    EXPECT_EQ(number_at(object, {"part"}, 7), 7);
    EXPECT_EQ(number_at(object, {"text"}, 7), 7);
    EXPECT_EQ(number_at(object, {"none"}), 0);
}

TEST(Path, RoundTripsThroughJson) {
    const Path path = (kMain / "volumeMounts").item("/a/b", "mountPath");
    EXPECT_EQ(Path::from_json(path.json()), path);
    EXPECT_EQ(path.json().dump(), R"(["spec","containers",{"name":"main"},"volumeMounts",{"mountPath":"/a/b"}])");
}

TEST(Path, RejectsInvalidJson) {
    for (const char* text : {"{}", "[1]", R"([{"a":"b","c":"d"}])", R"([{"a":1}])", "null"}) {
        EXPECT_THROW(Path::from_json(Json::parse(text)), Error) << text;
    }
}

TEST(Path, FormatsAsText) {
    EXPECT_EQ((kMain / "env").item("LD_PRELOAD").text(), "spec.containers[main].env[LD_PRELOAD]");
}

TEST(Path, ParentOfTheEmptyPathIsEmpty) {
    EXPECT_EQ(Path{"spec"}.parent(), Path());
    EXPECT_EQ(Path().parent(), Path());
}

}  // namespace
}  // namespace cudafault::kube
