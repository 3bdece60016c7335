// SPDX-License-Identifier: Apache-2.0
#include "kube/object/edits.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kube/api/common/error.hpp"

namespace cudafault::kube {
namespace {

constexpr const char* kLibrary = "/cudafault/library/libcudafault.so";

const Json kBefore = Json::parse(R"({"spec": {
    "strategy": {"rollingUpdate": {"maxSurge": "25%"}},
    "containers": [{"name": "main", "image": "x",
        "env": [{"name": "A", "value": "1"}, {"name": "LD_PRELOAD", "value": "/user.so"}, {"name": "B", "value": "2"}]}],
    "tolerations": null}})");

const Path kEditedContainer = Path{"spec", "containers"}.item("main");
const Path kEnv = kEditedContainer / "env";
const Path kPreload = kEnv.item("LD_PRELOAD");

class Edits : public testing::Test {
protected:
    Edits() : object(kBefore), editor(object) {}

    Undone undo_all(const Json& injected) {
        Undone first = undo(injected, editor.edits(), Phase::kWithTemplate, kLibrary);
        Undone second = undo(first.object, editor.edits(), Phase::kAfterRollout, kLibrary);
        first.kept.insert(first.kept.end(), second.kept.begin(), second.kept.end());
        return {second.object, first.kept};
    }

    void inject() {
        editor.set(kPreload, {{"name", "LD_PRELOAD"}, {"value", std::string(kLibrary) + ":/user.so"}});
        editor.add(kEnv.item("HELPER"), {{"name", "HELPER"}, {"value", "h"}}, kPreload);
        editor.add(kEnv.item("ADDED"), {{"name", "ADDED"}, {"value", "o"}});
        editor.add((Path{"spec", "volumes"}).item("added"), {{"name", "added"}, {"emptyDir", Json::object()}});
        editor.add((kEditedContainer / "volumeMounts").item("/added", "mountPath"),
                   {{"name", "added"}, {"mountPath", "/added"}});
        editor.set(Path{"spec", "affinity", "nodeAffinity", "x"}, 1);
        editor.use_phase(Phase::kAfterRollout);
        editor.set(Path{"spec", "strategy", "rollingUpdate", "maxSurge"}, 0);
        editor.set(Path{"spec", "revisionHistoryLimit"}, 11);
    }

    Json object;
    Editor editor;
};

TEST_F(Edits, UndoRestoresObject) {
    inject();
    EXPECT_NE(object, kBefore);
    const Undone undone = undo_all(object);
    EXPECT_EQ(undone.object, kBefore) << Json::diff(kBefore, undone.object);
    EXPECT_THAT(undone.kept, testing::IsEmpty());
}

TEST_F(Edits, RoundTripThroughJson) {
    inject();
    std::vector<Edit> read;
    for (const Edit& edit : editor.edits()) read.push_back(Edit::from_json(Json::parse(edit.json().dump())));
    const Undone partly_undone = undo(object, read, Phase::kWithTemplate, kLibrary);
    EXPECT_EQ(undo(partly_undone.object, read, Phase::kAfterRollout, kLibrary).object, kBefore);
}

TEST_F(Edits, UndoRevertsOnlyOnePhase) {
    inject();
    const Json partly_undone = undo(object, editor.edits(), Phase::kWithTemplate, kLibrary).object;
    EXPECT_EQ(partly_undone["spec"]["containers"], kBefore["spec"]["containers"]);
    EXPECT_EQ(partly_undone["spec"]["strategy"]["rollingUpdate"]["maxSurge"], 0);
    EXPECT_EQ(partly_undone["spec"]["revisionHistoryLimit"], 11);
}

TEST_F(Edits, AddInsertsBeforeNextItem) {
    inject();
    EXPECT_EQ(object["spec"]["containers"][0]["env"][1]["name"], "HELPER");
    EXPECT_EQ(object["spec"]["containers"][0]["env"][2]["name"], "LD_PRELOAD");
}

TEST_F(Edits, UndoIsIdempotent) {
    inject();
    const Undone once = undo_all(object);
    EXPECT_EQ(undo_all(once.object).object, kBefore);
}

TEST_F(Edits, UndoIgnoresServerDefaults) {
    inject();
    object["spec"]["volumes"][0]["defaultMode"] = 420;
    object["spec"]["affinity"]["nodeAffinity"]["x"] = 1;
    EXPECT_EQ(undo_all(object).object, kBefore);
}

TEST_F(Edits, UndoKeepsAdditionsOfOtherClients) {
    inject();
    object["spec"]["containers"][0]["env"].push_back({{"name", "FOREIGN"}, {"value", "t"}});
    object["spec"]["volumes"].push_back({{"name", "foreign"}});
    object["spec"]["containers"][0]["image"] = "y";
    Json expected = kBefore;
    expected["spec"]["containers"][0]["env"].push_back({{"name", "FOREIGN"}, {"value", "t"}});
    expected["spec"]["volumes"] = Json::parse(R"([{"name": "foreign"}])");
    expected["spec"]["containers"][0]["image"] = "y";
    EXPECT_EQ(undo_all(object).object, expected);
}

TEST_F(Edits, UndoRemovesOnlyLibraryFromChangedPreload) {
    inject();
    (*find(object, kPreload))["value"] = std::string(kLibrary) + ":/user.so:/new.so";
    const Undone undone = undo_all(object);
    EXPECT_EQ(text_at(undone.object, kPreload / "value"), "/user.so:/new.so");
    EXPECT_THAT(undone.kept, testing::ElementsAre(testing::HasSubstr("LD_PRELOAD")));
}

TEST_F(Edits, UndoKeepsAndReportsChangesOfOtherClients) {
    inject();
    object["spec"]["strategy"]["rollingUpdate"]["maxSurge"] = 5;
    const Undone undone = undo_all(object);
    EXPECT_EQ(undone.object["spec"]["strategy"]["rollingUpdate"]["maxSurge"], 5);
    EXPECT_THAT(undone.kept, testing::ElementsAre(testing::HasSubstr("maxSurge was changed by another client")));
}

TEST_F(Edits, UndoAcceptsValueRestoredByOtherClient) {
    inject();
    object = kBefore;
    const Undone undone = undo_all(object);
    EXPECT_EQ(undone.object, kBefore);
    EXPECT_THAT(undone.kept, testing::IsEmpty());
}

TEST_F(Edits, UndoIgnoresRemovedContainer) {
    inject();
    object["spec"]["containers"] = Json::parse(R"([{"name": "new"}])");
    const Undone undone = undo_all(object);
    EXPECT_EQ(undone.object["spec"]["containers"], Json::parse(R"([{"name": "new"}])"));
    EXPECT_THAT(undone.kept, testing::ElementsAre(testing::HasSubstr("was removed by another client")));
}

TEST_F(Edits, UndoRestoresNullList) {
    editor.add(Path{"spec", "tolerations"}.item("t", "key"), {{"key", "t"}});
    EXPECT_TRUE(object["spec"]["tolerations"].is_array());
    EXPECT_EQ(undo_all(object).object, kBefore);
}

TEST_F(Edits, UndoRemovesOnlyPinFromChangedAffinity) {
    const Path required = Path{"spec", "affinity", "nodeAffinity"} / "requiredDuringSchedulingIgnoredDuringExecution";
    const auto terms = [](const std::vector<const char*>& values) {
        Json expressions = Json::array();
        for (const char* value : values) expressions.push_back({{"key", "k"}, {"operator", "In"}, {"values", {value}}});
        return Json{{"nodeSelectorTerms", {{{"matchExpressions", expressions}}}}};
    };
    Json pinned_object = kBefore;
    Editor other_client_editor(pinned_object);
    other_client_editor.set(required, terms({"foreign"}));
    Editor cudafault_editor(pinned_object);
    cudafault_editor.set(required, terms({"foreign", "added"}));
    *find(pinned_object, required) = terms({"new", "foreign", "added"});
    const Undone undone = undo(pinned_object, cudafault_editor.edits(), Phase::kWithTemplate, kLibrary);
    EXPECT_EQ(*find(undone.object, required), terms({"new", "foreign"}));
    EXPECT_EQ(undone.kept.size(), 1u);
    *find(pinned_object, required) = terms({"foreign", "added"});
    Json fields = {{{"key", "metadata.name"}, {"operator", "In"}, {"values", {"n1"}}}};
    (*find(pinned_object, required))["nodeSelectorTerms"][0]["matchFields"] = fields;
    const Undone with_fields = undo(pinned_object, cudafault_editor.edits(), Phase::kWithTemplate, kLibrary);
    Json expected = terms({"foreign"});
    expected["nodeSelectorTerms"][0]["matchFields"] = fields;
    EXPECT_EQ(*find(with_fields.object, required), expected) << "matchFields of another client must be kept";
    EXPECT_EQ(with_fields.kept.size(), 1u);
}

TEST_F(Edits, SetThrowsIfParentItemIsMissing) {
    EXPECT_THROW(editor.set(Path{"spec", "containers"}.item("no") / "env", Json::array()), Error);
}

TEST(WithoutLibrary, RemovesOneSeparator) {
    EXPECT_EQ(without_library("/o.so", "/o.so"), "");
    EXPECT_EQ(without_library("/o.so:/u.so", "/o.so"), "/u.so");
    EXPECT_EQ(without_library("/u.so /o.so", "/o.so"), "/u.so");
    EXPECT_EQ(without_library("/u.so:/o.so:/v.so", "/o.so"), "/u.so:/v.so");
    EXPECT_EQ(without_library("/x/o.so:/o.so.1", "/o.so"), "/x/o.so:/o.so.1");
    EXPECT_EQ(without_library("", "/o.so"), "");
}

}  // namespace
}  // namespace cudafault::kube
