// SPDX-License-Identifier: Apache-2.0
#include "kube/record/record.hpp"

#include <gmock/gmock.h>

#include "kube/api/common/error.hpp"
#include "kube/names.hpp"
#include "kube/testing/injection_testing.hpp"

namespace cudafault::kube {

namespace {

using testing::AllOf;
using testing::HasSubstr;

Record full_record() {
    Record record;
    record.run_id = "ab12";
    record.by = "ada@desk";
    record.created_at = "2026-11-24T13:00:00Z";
    record.workload.resource = Resource::of_kind("apps/v1", "Deployment");
    record.workload.in_namespace = "prod";
    record.workload.name = "web";
    record.workload.uid = "uid-web";
    record.delivery = Delivery::kSource;
    record.library = "/cuda-fault/fake_cuda_xid79.so";
    record.containers = {"worker/main", "side"};
    record.template_paths = {"spec.template"};
    record.editions[1] = {{Path{"spec", "replicas"}, Json(2), Json(3), Phase::kAfterRollout}};
    record.editions[12] = {{kMainContainer / "env", {}, Json::array(), Phase::kWithTemplate},
                           {Path{"spec", "x"}, Json(), Json(1), Phase::kWithTemplate}};
    record.managed_fields = {{{"manager", "kubectl"}}};
    return record;
}

std::string refusal(const Json& json) {
    try {
        Record::from_json(json);
        return "accepted";
    } catch (const Error& error) {
        return error.what();
    }
}

TEST(Record, RoundTrips) {
    const Json json = full_record().json();
    const Record read = Record::from_json(Json::parse(json.dump()));
    EXPECT_EQ(read.json(), json);
    EXPECT_EQ(read.run_id, "ab12");
    EXPECT_EQ(read.delivery, Delivery::kSource);
    EXPECT_EQ(read.containers, full_record().containers);
    ASSERT_EQ(read.editions.size(), 2u);
    EXPECT_EQ(read.editions.at(1).at(0).phase, Phase::kAfterRollout);
    EXPECT_FALSE(read.editions.at(12).at(0).old_value) << "the field did not exist";
    EXPECT_EQ(read.editions.at(12).at(1).old_value, Json()) << "the field was null";
}

TEST(Record, RefusesAnotherSchema) {
    Json json = full_record().json();
    json["schema"] = 2;
    EXPECT_THAT(refusal(json), HasSubstr("another version of cudafault"));
}

TEST(Record, RefusesADamagedRecordWithOneSentence) {
    for (const char* field : {"schema", "run", "by", "created_at", "workload", "delivery", "library", "containers",
                              "template_paths", "editions", "managed_fields"}) {
        Json json = full_record().json();
        json.erase(field);
        EXPECT_THAT(refusal(json), AllOf(HasSubstr(field), testing::Not(HasSubstr("accepted"))));
    }
    for (const char* patch :
         {R"({"delivery": "pigeon"})", R"({"editions": {"first": []}})", R"({"editions": {"1x": []}})",
          R"({"editions": {"1": [{"at": []}]}})", R"({"run": 7})", R"({"workload": []})"}) {
        Json json = full_record().json();
        json.merge_patch(Json::parse(patch));
        EXPECT_NE(refusal(json), "accepted") << patch;
    }
    EXPECT_NE(refusal(Json()), "accepted");
}

TEST(Deliveries, ConvertToAndFromText) {
    for (const Delivery delivery : {Delivery::kBinary, Delivery::kSource, Delivery::kImage}) {
        EXPECT_EQ(delivery_of(text_of(delivery)), delivery);
    }
    EXPECT_EQ(text_of(Delivery::kBinary), "binary");
    EXPECT_FALSE(delivery_of("pigeon"));
    EXPECT_FALSE(delivery_of(""));
}

TEST(InjectedMark, RoundTrips) {
    EXPECT_EQ((InjectedMark{"ab12", 3, ""}.text()), "run=ab12 edition=3");
    EXPECT_EQ((InjectedMark{"ab12", 3, "n1.example"}.text()), "run=ab12 edition=3 pin=n1.example");
    for (const char* text : {"run=ab12 edition=3", "run=ab12 edition=3 pin=n1.example", "run=x edition=0"}) {
        EXPECT_EQ(InjectedMark::parse(text).value().text(), text);
    }
    EXPECT_EQ(InjectedMark::parse("pin=n1 edition=3 run=ab12").value().text(), "run=ab12 edition=3 pin=n1");
}

TEST(InjectedMark, KeepsEditsThatCannotBeRecognizedByName) {
    const Edit edit{Path{"spec", "a"}, Json("x pin=y"), 0, Phase::kAfterRollout};
    const InjectedMark mark{"ab12", 3, "", std::vector{edit}};
    const InjectedMark reparsed = InjectedMark::parse(mark.text()).value();
    EXPECT_EQ(reparsed.text(), mark.text());
    EXPECT_EQ(reparsed.pin, "") << "text in a recorded value is not the pin of the mark";
    ASSERT_EQ(reparsed.post_rollout_edits.value().size(), 1u);
    EXPECT_EQ(reparsed.post_rollout_edits->front().old_value, Json("x pin=y"));
    EXPECT_EQ(reparsed.post_rollout_edits->front().phase, Phase::kAfterRollout);
    EXPECT_TRUE(InjectedMark::parse("run=ab12 edition=3 rest=[]").value().post_rollout_edits.value().empty());
    for (const char* text : {"run=ab12 edition=3", "run=ab12 edition=3 rest=[{", "run=ab12 edition=3 rest=[7]"}) {
        EXPECT_FALSE(InjectedMark::parse(text).value().post_rollout_edits) << text;
    }
}

TEST(InjectedMark, RejectsInvalidText) {
    for (const char* text :
         {"", " ", "run=ab12", "edition=3", "run= edition=3", "run=ab12 edition=", "run=ab12 edition=x",
          "run=ab12 edition=3x", "run=ab12 edition=99999999999", "rerun=ab12 edition=3"}) {
        EXPECT_FALSE(InjectedMark::parse(text)) << text;
    }
}

TEST(InjectedMark, IsReadFromTheWorkload) {
    Json object = named("web");
    EXPECT_FALSE(InjectedMark::of(object));
    object["metadata"]["annotations"][names::kInjected] = "run=ab12 edition=3 pin=n1";
    EXPECT_EQ(InjectedMark::of(object).value().pin, "n1");
}

class AnchorTest : public WorkloadTest {
protected:
    AnchorTest() {
        path = "/api/v1/namespaces/prod/configmaps";
        anchor = path + "/cudafault-anchor-" + workload.hash();
    }

    static Json config_map(const std::string& record) {
        return {{"metadata",
                 {{"name", "cudafault-anchor-" + plain_deployment().hash()},
                  {"namespace", "prod"},
                  {"uid", "uid-anchor"},
                  {"resourceVersion", "5"}}},
                {"data", {{"record.json", record}}}};
    }

    const Workload workload = plain_deployment();
    std::string path, anchor;
};

TEST_F(AnchorTest, IsOwnedByTheWorkload) {
    responder.on("POST", path, {json_answer(config_map(full_record().json().dump()))});
    EXPECT_EQ(create_anchor(client(), full_record()).record.run_id, "ab12");
    const Json sent = Json::parse(seen(0).body);
    EXPECT_EQ(text_at(sent, {"metadata", "name"}), "cudafault-anchor-" + workload.hash());
    EXPECT_EQ(sent.at("metadata").at("ownerReferences").at(0).at("uid"), "uid-web");
    EXPECT_EQ(Json::parse(text_at(sent, {"data", "record.json"})), full_record().json());
}

TEST_F(AnchorTest, IsFoundIfItExists) {
    EXPECT_FALSE(find_anchor(client(), "prod", workload.hash()));
    serve_object(anchor, config_map(full_record().json().dump()));
    EXPECT_EQ(find_anchor(client(), "prod", workload.hash()).value().record.json(), full_record().json());
}

TEST_F(AnchorTest, ReportsHowToProceedWithADamagedRecord) {
    for (const char* record : {"", "{", "{}", "[]"}) {
        serve_object(anchor, config_map(record));
        try {
            find_anchor(client(), "prod", workload.hash());
            ADD_FAILURE() << "expected an Error for " << record;
        } catch (const Error& error) {
            EXPECT_THAT(error.what(), HasSubstr("is damaged")) << record;
            EXPECT_THAT(error.what(), HasSubstr("delete that ConfigMap")) << record;
        }
    }
}

TEST_F(AnchorTest, IsReplacedOnlyIfUnchangedSinceItWasRead) {
    Record record = full_record();
    record.run_id = "cd34";
    responder.on("PATCH", anchor, {json_answer(config_map(record.json().dump()))});
    const Anchor before{config_map(full_record().json().dump()), full_record()};
    EXPECT_EQ(replace_record(client(), before, record).record.run_id, "cd34");
    const Json patch = Json::parse(seen(0).body);
    EXPECT_EQ(Json::parse(config_map("old").patch(patch).at("data").at("record.json").get<std::string>()),
              record.json());
    EXPECT_THAT(seen(0).body, AllOf(HasSubstr("/metadata/resourceVersion"), HasSubstr("/metadata/uid")));
}

}  // namespace

}  // namespace cudafault::kube
