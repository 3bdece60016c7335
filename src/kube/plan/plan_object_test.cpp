// SPDX-License-Identifier: Apache-2.0
#include "kube/plan/plan_object.hpp"

#include <gmock/gmock.h>

#include "kube/api/common/error.hpp"
#include "kube/api/transport/api_error.hpp"
#include "kube/names.hpp"
#include "kube/record/author.hpp"
#include "kube/testing/injection_testing.hpp"
#include "kube/testing/paths_testing.hpp"

namespace cudafault::kube {

namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::MatchesRegex;
using testing::StartsWith;

Json plan_config_map(const std::string& text, const std::string& version = "5") {
    const std::string hash = plain_deployment().hash();
    return {{"metadata",
             {{"name", "cudafault-plan-" + hash},
              {"namespace", "prod"},
              {"uid", "uid-plan"},
              {"resourceVersion", version},
              {"labels", {{names::kWorkload, hash}}},
              {"ownerReferences", {{{"uid", plain_deployment().uid()}}}},
              {"annotations",
               {{"cudafault.dev/changed-at", "2026-11-24T13:00:00Z"},
                {"cudafault.dev/changed-by", "ada@desk"},
                {"cudafault.dev/pods", "app=web"}}}}},
            {"data", {{"plan", text}}}};
}

TEST(PlanObject, RoundTrips) {
    EXPECT_EQ(plan_text(7, "xid=79 gpu=0"), "#7\nxid=79 gpu=0\n");
    EXPECT_EQ(plan_text(8, ""), "#8\n");
    for (const char* spec : {"xid=79 gpu=0", "xid=79;xid=43", ""}) {
        const PlanObject plan = plan_from(plan_config_map(plan_text(7, spec)));
        EXPECT_EQ(plan.revision, 7u);
        EXPECT_EQ(plan.spec, spec);
    }
    const PlanObject plan = plan_from(plan_config_map("#7\n"));
    EXPECT_EQ(plan.name(), "cudafault-plan-" + plain_deployment().hash());
    EXPECT_EQ(plan.hash(), plain_deployment().hash());
    EXPECT_EQ(plan.in_namespace(), "prod");
    EXPECT_EQ(plan.changed_at, "2026-11-24T13:00:00Z");
    EXPECT_EQ(plan.changed_by, "ada@desk");
}

TEST(PlanObject, ReadsAConfigMapWithoutAPlanAsDisarmed) {
    Json without_data = plan_config_map("");
    without_data.erase("data");
    for (const Json& config_map : {plan_config_map(""), plan_config_map("#7"), without_data, Json::object()})
        EXPECT_EQ(plan_from(config_map).spec, "");
    EXPECT_EQ(plan_from(plan_config_map("#7")).revision, 7u);
}

// Parses the text as the library does, so that a spec that the library would arm is never reported as disarmed.
TEST(PlanObject, ReadsTheWholeTextAsTheSpecWithoutARevision) {
    for (const char* text :
         {"xid=79", "#\nxid=79", "#7x\nxid=79", "#-7\nxid=79", "# 7\nxid=79", "#99999999999999999999\nxid=79"}) {
        EXPECT_EQ(plan_from(plan_config_map(text)).revision, 0u) << text;
        EXPECT_EQ(plan_from(plan_config_map(text)).spec, text);
    }
}

class PlanObjectTest : public WorkloadTest {
protected:
    PlanObject write(const std::string& spec) {
        return write_plan(client(), plan_from(plan_config_map("#7\n")), spec, "ada");
    }

    const std::string path = kConfigMapPath + "/cudafault-plan-" + plain_deployment().hash();
};

constexpr const char* kEnding = "xid=79 until=2099-01-01T00:00:00Z";

TEST_F(PlanObjectTest, DoesNotWriteAPlanWithoutAnEnd) {
    for (const char* spec : {"xid=79", "xid=79 for=30s", "xid=79 until=2099-01-01T00:00:00Z; xid=43", "xid="}) {
        EXPECT_THROW(write(spec), Error) << spec;
    }
    EXPECT_EQ(requests(), 0u);
}

TEST_F(PlanObjectTest, ReadsTheWorkloadFromTheAnnotationIfThePlanHasNoOwner) {
    Json without_owner = plan_config_map("#7\n");
    without_owner["metadata"].erase("ownerReferences");
    EXPECT_FALSE(plan_from(without_owner).workload());
    without_owner["metadata"]["annotations"][names::kFor] = "batch/v1 Job train";
    const PlanObject plan = plan_from(without_owner);
    EXPECT_EQ(plan.workload_text(), "job.batch/train in namespace prod");
    responder.on("PATCH", path, {json_answer(without_owner)});
    write_plan(client(), plan, kEnding, "ada");
    EXPECT_THAT(responder.requests().back().body, HasSubstr("batch/v1 Job train"))
        << "a write must keep the annotation";
}

TEST_F(PlanObjectTest, IsWrittenWithTheNextRevision) {
    responder.on("PATCH", path, {json_answer(plan_config_map("#8\nxid=79\n"))});
    EXPECT_EQ(write(kEnding).revision, 8u);
    const Json sent = plan_config_map("#7\n").patch(Json::parse(seen(0).body));
    EXPECT_EQ(text_at(sent, {"data", "plan"}), plan_text(8, kEnding));
    EXPECT_EQ(text_at(sent, {"metadata", "annotations", "cudafault.dev/pods"}), "app=web");
    EXPECT_EQ(text_at(sent, {"metadata", "annotations", "cudafault.dev/changed-by"}), "ada");
    EXPECT_THAT(seen(0).body, HasSubstr("/metadata/resourceVersion"));
}

TEST_F(PlanObjectTest, RetriesAConflictOnTheNewerPlan) {
    responder.on("PATCH", path, {status_answer(409, "Conflict"), json_answer(plan_config_map("#21\nxid=79\n"))});
    serve_object(path, plan_config_map("#20\nxid=43\n", "9"));
    EXPECT_EQ(write(kEnding).revision, 21u);
    EXPECT_EQ(requests(), 3u);
    const Json sent = plan_config_map("#20\nxid=43\n", "9").patch(Json::parse(seen(2).body));
    EXPECT_EQ(text_at(sent, {"data", "plan"}), plan_text(21, kEnding));
    EXPECT_EQ(text_at(sent, {"metadata", "resourceVersion"}), "9");
}

TEST_F(PlanObjectTest, GivesUpAfterFiveConflicts) {
    responder.on("PATCH", path, {status_answer(409, "Conflict")});
    serve_object(path, plan_config_map("#20\n"));
    EXPECT_THROW(write(kEnding), ApiError);
    EXPECT_EQ(requests(), 9u);
}

TEST_F(PlanObjectTest, ReplacingFailsIfAnotherClientChangedTheRevision) {
    const PlanObject earlier_plan = plan_from(plan_config_map("#7\n"));
    responder.on("PATCH", path, {status_answer(409, "Conflict"), json_answer(plan_config_map("#8\nxid=79\n"))});
    serve_object(path, plan_config_map("#7\n", "9"));
    EXPECT_EQ(replace_plan(client(), earlier_plan, kEnding, "eve").revision, 8u)
        << "the revision is unchanged, so the write is retried";
    responder.on("PATCH", path, {status_answer(409, "Conflict")});
    serve_object(path, plan_config_map("#8\nxid=43\n"));
    try {
        replace_plan(client(), earlier_plan, kEnding, "eve");
        FAIL() << "expected an Error";
    } catch (const Error& error) {
        EXPECT_THAT(error.what(), AllOf(HasSubstr("was not armed: another client changed its plan to \"xid=43\""),
                                        HasSubstr("by ada@desk at 2026-11-24T13:00:00Z")));
    }
}

TEST_F(PlanObjectTest, IsCreatedDisarmed) {
    responder.on("POST", kConfigMapPath, {json_answer(plan_config_map("#1\n"))});
    EXPECT_EQ(create_plan(client(), plain_deployment(), "app=web", "ada").revision, 1u);
    const Json sent = Json::parse(seen(0).body);
    EXPECT_EQ(text_at(sent, {"data", "plan"}), "#1\n");
    EXPECT_EQ(text_at(sent, {"metadata", "annotations", "cudafault.dev/pods"}), "app=web");
    EXPECT_EQ(text_at(sent, {"metadata", "labels", names::kRole}), "plan");
    EXPECT_EQ(sent.at("metadata").at("ownerReferences").at(0).at("uid"), "uid-web");
}

TEST_F(PlanObjectTest, DisarmsAnExistingPlan) {
    responder.on("POST", kConfigMapPath, {status_answer(409, "AlreadyExists")});
    serve_object(path, plan_config_map("#20\nxid=43\n"));
    responder.on("PATCH", path, {json_answer(plan_config_map("#21\n"))});
    EXPECT_EQ(create_plan(client(), plain_deployment(), "app=web", "ada").revision, 21u);
    serve_object(path, plan_config_map("#21\n"));
    EXPECT_EQ(create_plan(client(), plain_deployment(), "app=web", "ada").revision, 21u);
    EXPECT_EQ(count_requests(path), 3) << "an empty plan must not be written again";
}

TEST_F(PlanObjectTest, ReplacesThePlanOfADeletedWorkloadWithTheSameName) {
    Json plan_of_another_workload = plan_config_map("#20\nxid=43\n");
    plan_of_another_workload["metadata"]["ownerReferences"][0]["uid"] = "uid-before";
    const Answer already_exists = status_answer(409, "AlreadyExists");
    responder.on("POST", kConfigMapPath, {already_exists, already_exists, json_answer(plan_config_map("#1\n"))});
    serve_object(path, plan_of_another_workload);
    responder.on("DELETE", path, {json_answer(Json::object())});
    EXPECT_EQ(create_plan(client(), plain_deployment(), "app=web", "ada").revision, 1u);
}

TEST_F(PlanObjectTest, FindsThePodsThatMountThePlan) {
    const auto pod = [](const std::string& name, const std::string& config_map, const std::string& phase) {
        Json object = named(name, {{"volumes", {{{"name", "p"}, {"configMap", {{"name", config_map}}}}}}});
        object["status"]["phase"] = phase;
        return object;
    };
    const PlanObject plan = plan_from(plan_config_map("#7\n"));
    serve_list(kPodPath,
               {pod("mounted", plan.name(), "Running"), pod("starts", plan.name(), "Pending"),
                pod("of-another", "cudafault-plan-0123456789", "Running"), pod("ended", plan.name(), "Succeeded")});
    std::vector<std::string> found;
    for (const Json& each : pods_with(client(), plan)) found.push_back(text_at(each, {"metadata", "name"}));
    EXPECT_THAT(found, ElementsAre("mounted", "starts"));
    EXPECT_THAT(seen(0).target, HasSubstr("labelSelector=app%3Dweb"));
}

TEST_F(PlanObjectTest, ReportsAFailedNudge) {
    responder.on("PATCH", kPodPath + "/a", {json_answer(named("a"))});
    responder.on("PATCH", kPodPath + "/b", {status_answer(403, "Forbidden", "no")});
    const auto failures = nudge(client(), {named("a"), named("b"), named("gone")}, 8);
    EXPECT_THAT(failures, ElementsAre(AllOf(HasSubstr("b: "), HasSubstr("403"))));
    EXPECT_THAT(text_at(Json::parse(seen(0).body), {"metadata", "annotations", names::kNudge}), StartsWith("8."));
    EXPECT_THAT(nudge(client(), {}, 8), IsEmpty());
}

}  // namespace

}  // namespace cudafault::kube
