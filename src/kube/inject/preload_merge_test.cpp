// SPDX-License-Identifier: Apache-2.0
#include "kube/inject/preload_merge.hpp"

#include <gmock/gmock.h>

namespace cudafault::kube {

namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const Path kOnlyContainer = Path{"containers"}.item("main");
const std::string kSelf = "/fault.so:$(LD_PRELOAD)";
const std::string kHelper = "/fault.so:$(CUDAFAULT_LD_PRELOAD)";

class PreloadMerge : public testing::Test {
protected:
    PreloadMerge() { site = {"main", kOnlyContainer, kOnlyContainer / "env", {}, true}; }

    // Returns LD_PRELOAD after the merge, and checks that undoing the edits restores the original.
    std::string merge(const Json& container) {
        const Json before = {{"containers", {container}}};
        return merge_into(before);
    }

    std::string merge(const char* container) {
        Json json = Json::parse(container);
        json["name"] = "main";
        return merge(json);
    }

    std::string merge_into(Json before) {
        before["containers"][0]["name"] = "main";
        object = before;
        notes.clear();
        lookups.clear();
        Editor editor(object);
        merge_preload(
            editor, site, "/fault.so",
            [&](const std::string& kind, const std::string& name, const std::string& key) {
                lookups.push_back(kind + " " + name + " " + key);
                return known;
            },
            notes);
        EXPECT_EQ(undo(object, editor.edits(), Phase::kWithTemplate, "/fault.so").object, before);
        return text_at(object, site.env.item("LD_PRELOAD") / "value");
    }

    Json env() const { return object["containers"][0]["env"]; }

    ContainerSite site;
    std::optional<bool> known = true;
    Json object;
    std::vector<std::string> notes, lookups;
};

TEST_F(PreloadMerge, SetsTheLibraryIfUnset) {
    EXPECT_EQ(merge("{}"), "/fault.so");
    EXPECT_EQ(merge(R"({"env": null})"), "/fault.so");
    EXPECT_EQ(merge(R"({"env": [{"name": "LD_PRELOAD"}]})"), "/fault.so");
    EXPECT_EQ(merge(R"({"env": [{"name": "LD_PRELOAD", "value": ""}]})"), "/fault.so");
    EXPECT_THAT(lookups, IsEmpty());
}

TEST_F(PreloadMerge, PrependsToAValue) {
    EXPECT_EQ(merge(R"({"env": [{"name": "LD_PRELOAD", "value": "/a.so /b.so"}]})"), "/fault.so:/a.so /b.so");
    EXPECT_EQ(env().size(), 1u);
    EXPECT_EQ(merge(R"({"env": [{"name": "A", "value": "/a.so"}, {"name": "LD_PRELOAD", "value": "$(A):/b.so"}]})"),
              "/fault.so:$(A):/b.so");
}

TEST_F(PreloadMerge, UsesTheLastOfDuplicateVariables) {
    EXPECT_EQ(merge(R"({"env": [{"name": "LD_PRELOAD", "value": "/a.so"}, {"name": "LD_PRELOAD", "value": "/b.so"}]})"),
              "/fault.so:/b.so");
    EXPECT_EQ(text_at(env()[0], {"value"}), "/a.so");
}

TEST_F(PreloadMerge, CopiesASourceIntoAHelperVariable) {
    for (const char* source : {R"({"configMapKeyRef": {"name": "c", "key": "k"}})",
                               R"({"secretKeyRef": {"name": "s", "key": "k", "optional": false}})",
                               R"({"fieldRef": {"fieldPath": "metadata.annotations['preload']"}})",
                               R"({"resourceFieldRef": {"resource": "limits.cpu"}})"}) {
        const Json value_from = Json::parse(source);
        const Json original = {{"name", "LD_PRELOAD"}, {"valueFrom", value_from}};
        EXPECT_EQ(merge(Json{{"env", {{{"name", "A"}, {"value", "1"}}, original}}}), kHelper);
        ASSERT_EQ(env().size(), 3u);
        EXPECT_EQ(env()[1], (Json{{"name", "CUDAFAULT_LD_PRELOAD"}, {"valueFrom", value_from}}));
        EXPECT_EQ(env()[2], (Json{{"name", "LD_PRELOAD"}, {"value", kHelper}}));
        EXPECT_THAT(lookups, IsEmpty()) << "the kubelet starts the container only if the key exists";
    }
}

TEST_F(PreloadMerge, UsesAnOptionalSourceOnlyIfItExists) {
    const char* from_config_map =
        R"({"env": [{"name": "LD_PRELOAD", "valueFrom":
            {"configMapKeyRef": {"name": "c", "key": "k", "optional": true}}}]})";
    EXPECT_EQ(merge(from_config_map), kHelper);
    EXPECT_THAT(lookups, ElementsAre("ConfigMap c k"));
    known = false;
    EXPECT_EQ(merge(from_config_map), "/fault.so");
    EXPECT_THAT(notes, IsEmpty()) << "the key does not exist, so no value is lost";
    known.reset();
    EXPECT_EQ(merge(from_config_map), "/fault.so");
    EXPECT_THAT(notes, ElementsAre(HasSubstr("gets LD_PRELOAD from ConfigMap c, which cannot be read")));
    EXPECT_EQ(merge(R"({"env": [{"name": "LD_PRELOAD", "valueFrom":
                  {"secretKeyRef": {"name": "s", "key": "k", "optional": true}}}]})"),
              "/fault.so");
    EXPECT_THAT(lookups, ElementsAre("Secret s k"));
}

TEST_F(PreloadMerge, KeepsTheValueFromEnvFrom) {
    EXPECT_EQ(merge(R"({"envFrom": [{"configMapRef": {"name": "c"}}]})"), kSelf);
    EXPECT_THAT(lookups, ElementsAre("ConfigMap c LD_PRELOAD"));
    EXPECT_EQ(merge(R"({"envFrom": [{"prefix": "LD_", "secretRef": {"name": "s"}}]})"), kSelf);
    EXPECT_THAT(lookups, ElementsAre("Secret s PRELOAD"));
}

TEST_F(PreloadMerge, SkipsEnvFromWithoutTheVariable) {
    EXPECT_EQ(merge(R"({"envFrom": [{"prefix": "APP_", "configMapRef": {"name": "c"}}]})"), "/fault.so");
    EXPECT_THAT(lookups, IsEmpty());
    EXPECT_EQ(merge(R"({"envFrom": null})"), "/fault.so");
    known = false;
    EXPECT_EQ(merge(R"({"envFrom": [{"configMapRef": {"name": "c"}}, {"secretRef": {"name": "s"}}]})"), "/fault.so");
    EXPECT_EQ(lookups.size(), 2u);
    EXPECT_THAT(notes, IsEmpty());
}

TEST_F(PreloadMerge, NotesAnUnreadableEnvFrom) {
    known.reset();
    EXPECT_EQ(merge(R"({"envFrom": [{"secretRef": {"name": "s"}}]})"), "/fault.so");
    EXPECT_THAT(notes, ElementsAre(HasSubstr("gets variables from Secret s, which cannot be read")));
}

TEST_F(PreloadMerge, EnvTakesPrecedenceOverEnvFrom) {
    EXPECT_EQ(
        merge(R"({"env": [{"name": "LD_PRELOAD", "value": "/a.so"}], "envFrom": [{"secretRef": {"name": "s"}}]})"),
        "/fault.so:/a.so");
    EXPECT_THAT(lookups, IsEmpty());
}

TEST_F(PreloadMerge, KeepsTheValueFromTheSecretOfTheGraph) {
    site.env_secret = "s";
    EXPECT_EQ(merge("{}"), kSelf);
    EXPECT_THAT(lookups, ElementsAre("Secret s LD_PRELOAD"));
    known = false;
    EXPECT_EQ(merge("{}"), "/fault.so");
}

TEST_F(PreloadMerge, UsesTheListWithTheHighestPrecedence) {
    site.weaker_env = {Path{"envs"}, kOnlyContainer / "other"};
    const Json before = Json::parse(R"({"containers": [{"other": [{"name": "LD_PRELOAD", "value": "/main.so"}]}],
        "envs": [{"name": "LD_PRELOAD", "value": "/graph.so"}]})");
    EXPECT_EQ(merge_into(before), "/fault.so:/graph.so");
    EXPECT_EQ(object["envs"], before["envs"]);
    Json without_envs = before;
    without_envs.erase("envs");
    EXPECT_EQ(merge_into(without_envs), "/fault.so:/main.so");
}

TEST_F(PreloadMerge, CopiesASourceFromAListOfLowerPrecedence) {
    site.weaker_env = {Path{"envs"}};
    const Json source = {{"configMapKeyRef", {{"name", "c"}, {"key", "k"}}}};
    EXPECT_EQ(
        merge_into({{"containers", {Json::object()}}, {"envs", {{{"name", "LD_PRELOAD"}, {"valueFrom", source}}}}}),
        kHelper);
    EXPECT_EQ(env()[0], (Json{{"name", "CUDAFAULT_LD_PRELOAD"}, {"valueFrom", source}}));
}

}  // namespace

}  // namespace cudafault::kube
