// SPDX-License-Identifier: Apache-2.0
#include "kube/api/client/client.hpp"

#include <gmock/gmock.h>

#include "kube/api/testing/session_testing.hpp"
#include "kube/api/transport/api_error.hpp"

namespace cudafault::kube {

namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;

const Resource kDeployments{"apps", "v1", "deployments", "deployment", "Deployment", true, {}, {}, {}};
const Resource kNodes{"", "v1", "nodes", "node", "Node", false, {}, {}, {}};
const ObjectRef kWeb{kDeployments, "ns", "web"};
const std::string kWebPath = "/apis/apps/v1/namespaces/ns/deployments/web";
const std::string kListPath = "/apis/apps/v1/namespaces/ns/deployments";
const Json kUnknown = {{"metadata", {{"name", "web"}, {"brandNew", {{"deep", {1, nullptr}}}}}},
                       {"spec", {{"x-field", 1.5}}}};

class ClientTest : public SessionTest {
protected:
    Client client() { return Client(session()); }
    Json sent(size_t index) const { return Json::parse(seen(index).body); }

    // Returns the names of all listed items, with "start" at the start of each list.
    std::vector<std::string> names(const ListOptions& list_options = {}) {
        std::vector<std::string> found;
        client().list({kDeployments, "ns"}, list_options, [&](const Page& page) {
            if (page.is_first) found.emplace_back("start");
            for (const Json& item : page.items) found.push_back(item["metadata"]["name"]);
            version = page.resource_version;
        });
        return found;
    }

    static Answer page(const std::string& name, const std::string& next) {
        return json_answer({{"kind", "DeploymentList"},
                            {"apiVersion", "apps/v1"},
                            {"metadata", {{"resourceVersion", "7"}, {"continue", next}}},
                            {"items", {{{"metadata", {{"name", name}}}}}}});
    }

    std::string version;
};

TEST(Paths, BuildsPathsOfObjectsAndCollections) {
    EXPECT_EQ(path_of(kWeb), kWebPath);
    EXPECT_EQ(path_of(kWeb, "scale"), kWebPath + "/scale");
    EXPECT_EQ(path_of(ObjectRef{kNodes, "ignored", "n1"}), "/api/v1/nodes/n1");
    EXPECT_EQ(path_of(Collection{kDeployments, ""}), "/apis/apps/v1/deployments");
    EXPECT_EQ(path_of(ObjectRef{kDeployments, "a/b", "../x"}), "/apis/apps/v1/namespaces/a%2Fb/deployments/..%2Fx");
    EXPECT_THROW(path_of(ObjectRef{kDeployments, "ns", ""}), Error);
    EXPECT_THROW(path_of(ObjectRef{kDeployments, "", "web"}), Error);
}

TEST_F(ClientTest, GetPreservesUnknownFields) {
    responder.on("GET", kWebPath, {json_answer(kUnknown)});
    EXPECT_EQ(client().get(kWeb), kUnknown);
}

TEST_F(ClientTest, FindReturnsNulloptOnlyFor404) {
    responder.on("GET", kWebPath,
                 {status_answer(404, "NotFound"), status_answer(403, "Forbidden"), json_answer(kUnknown)});
    EXPECT_FALSE(client().find(kWeb));
    EXPECT_THROW(client().find(kWeb), ApiError);
    EXPECT_EQ(client().find(kWeb), kUnknown);
}

TEST_F(ClientTest, ListFollowsContinueTokens) {
    responder.on("GET", kListPath + "?labelSelector=a%3Db&fieldSelector=c%3Dd&limit=2", {page("one", "n/1")});
    responder.on("GET", kListPath + "?labelSelector=a%3Db&fieldSelector=c%3Dd&limit=2&continue=n%2F1",
                 {page("two", "")});
    EXPECT_THAT(names({"a=b", "c=d", 2}), ElementsAre("start", "one", "two"));
    EXPECT_EQ(version, "7");
}

TEST_F(ClientTest, ListRequestsMetadataOnly) {
    responder.on("GET", kListPath, {page("one", "")});
    ListOptions list_options;
    EXPECT_THAT(names(list_options), ElementsAre("start", "one"));
    list_options.metadata_only = true;
    EXPECT_THAT(names(list_options), ElementsAre("start", "one"));
    EXPECT_EQ(seen(0).header("accept"), "application/json");
    EXPECT_EQ(seen(1).header("accept"), "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1");
}

TEST_F(ClientTest, ListSetsKindOfItems) {
    Answer answer = page("one", "");
    responder.on("GET", kListPath, {answer});
    client().list({kDeployments, "ns"}, {}, [](const Page& listed_page) {
        EXPECT_EQ(listed_page.items.at(0)["kind"], "Deployment");
        EXPECT_EQ(listed_page.items.at(0)["apiVersion"], "apps/v1");
    });
    responder.on(
        "GET", kListPath,
        {json_answer(
            {{"kind", "List"}, {"apiVersion", "v1"}, {"items", {{{"kind", "Own"}, {"apiVersion", "x/v2"}}}}})});
    client().list({kDeployments, "ns"}, {}, [](const Page& listed_page) {
        EXPECT_EQ(listed_page.items.at(0)["kind"], "Own");
        EXPECT_EQ(listed_page.items.at(0)["apiVersion"], "x/v2");
    });
}

TEST_F(ClientTest, EmptyListReportsOnePage) {
    responder.on("GET", kListPath, {json_answer({{"kind", "DeploymentList"}, {"items", nullptr}})});
    EXPECT_THAT(names(), ElementsAre("start"));
}

TEST_F(ClientTest, ExpiredContinueTokenRestartsList) {
    responder.on("GET", kListPath + "?limit=500", {page("one", "n1"), page("one again", "n2")});
    responder.on("GET", kListPath + "?limit=500&continue=n1", {status_answer(410, "Expired")});
    responder.on("GET", kListPath + "?limit=500&continue=n2", {page("two", "")});
    EXPECT_THAT(names(), ElementsAre("start", "one", "start", "one again", "two"));
}

TEST_F(ClientTest, ListRestartsAtMostFiveTimes) {
    responder.on("GET", kListPath + "?limit=500", {page("one", "n1")});
    responder.on("GET", kListPath + "?limit=500&continue=n1", {status_answer(410, "Expired")});
    EXPECT_THROW(names(), Error);
    EXPECT_EQ(requests(), 10u);
}

TEST_F(ClientTest, Status410ForFirstPageIsThrown) {
    responder.on("GET", kListPath, {status_answer(410, "Expired")});
    EXPECT_THROW(names(), ApiError);
    EXPECT_EQ(requests(), 1u);
}

TEST_F(ClientTest, CreateSendsObject) {
    Json object = kUnknown;
    object["metadata"]["namespace"] = "ns";
    responder.on("POST", kListPath + "?fieldManager=cudafault", {json_answer(object)});
    EXPECT_EQ(client().create(kDeployments, object), object);
    EXPECT_EQ(sent(0), object);
    EXPECT_EQ(seen(0).header("content-type"), "application/json");
}

TEST_F(ClientTest, CreateSendsClusterScopedObject) {
    responder.on("POST", "/api/v1/nodes", {json_answer(kUnknown)});
    EXPECT_EQ(client().create(kNodes, kUnknown), kUnknown);
}

TEST_F(ClientTest, WriteOptionsAreSent) {
    responder.on("POST", kListPath + "?dryRun=All&fieldManager=me", {json_answer(kUnknown)});
    Json object = kUnknown;
    object["metadata"]["namespace"] = "ns";
    EXPECT_EQ(client().create(kDeployments, object, {true, "me"}), kUnknown);
    responder.on("PATCH", kWebPath + "?dryRun=All", {json_answer(kUnknown)});
    EXPECT_EQ(client().patch(kWeb, JsonPatch().remove("/x"), {true, ""}), kUnknown);
}

TEST_F(ClientTest, ErrorNamesObject) {
    Json object = kUnknown;
    object["metadata"]["namespace"] = "ns";
    responder.on("POST", kListPath, {status_answer(409, "AlreadyExists")});
    try {
        client().create(kDeployments, object);
        FAIL();
    } catch (const ApiError& error) {
        EXPECT_THAT(error.what(), HasSubstr("cannot create deployment.apps/web in namespace ns (context test)"));
        EXPECT_TRUE(error.is_already_exists());
    }
}

TEST_F(ClientTest, FailedPatchTestIsConflict) {
    responder.on("PATCH", kWebPath + "?fieldManager=cudafault", {json_answer(kUnknown), status_answer(422, "Invalid")});
    JsonPatch patch;
    patch.test("/spec/replicas", 1).replace("/spec/replicas", 2);
    EXPECT_EQ(client().patch(kWeb, patch), kUnknown);
    EXPECT_EQ(sent(0), patch.operations());
    EXPECT_EQ(seen(0).header("content-type"), "application/json-patch+json");
    try {
        client().patch(kWeb, patch);
        FAIL();
    } catch (const ApiError& error) {
        EXPECT_TRUE(error.is_conflict());
    }
}

TEST_F(ClientTest, MergePatchSendsContentType) {
    responder.on("PATCH", kWebPath, {json_answer(kUnknown)});
    const Json patch = {{"metadata", {{"annotations", {{"a", nullptr}}}}}};
    EXPECT_EQ(client().merge_patch(kWeb, patch), kUnknown);
    EXPECT_EQ(sent(0), patch);
    EXPECT_EQ(seen(0).header("content-type"), "application/merge-patch+json");
}

TEST_F(ClientTest, RemoveSendsPreconditions) {
    responder.on("DELETE", kWebPath, {json_answer(kUnknown)});
    EXPECT_EQ(client().remove(kWeb), kUnknown);
    EXPECT_EQ(sent(0), Json({{"apiVersion", "v1"}, {"kind", "DeleteOptions"}}));
    client().remove(kWeb, {"u", "7", 0, true});
    EXPECT_EQ(sent(1), Json({{"apiVersion", "v1"},
                             {"kind", "DeleteOptions"},
                             {"preconditions", {{"uid", "u"}, {"resourceVersion", "7"}}},
                             {"gracePeriodSeconds", 0},
                             {"dryRun", {"All"}}}));
}

TEST_F(ClientTest, EvictPostsEviction) {
    responder.on("POST", "/api/v1/namespaces/ns/pods/p/eviction", {json_answer({{"kind", "Status"}})});
    DeleteOptions delete_options;
    delete_options.uid = "u";
    client().evict("ns", "p", delete_options);
    const Json body = sent(0);
    EXPECT_EQ(body["apiVersion"], "policy/v1");
    EXPECT_EQ(body["kind"], "Eviction");
    EXPECT_EQ(body["metadata"], Json({{"name", "p"}, {"namespace", "ns"}}));
    EXPECT_EQ(body["deleteOptions"]["preconditions"]["uid"], "u");
}

TEST_F(ClientTest, DisruptionBudgetErrorIsNotRetried) {
    Answer answer = with_header(status_answer(429, "TooManyRequests"), "Retry-After", "10");
    Json status = Json::parse(answer.body);
    status["details"] = {{"causes", {{{"reason", "DisruptionBudget"}, {"message", "needs 2 healthy pods"}}}}};
    answer.body = status.dump();
    responder.on("POST", "/api/v1/namespaces/ns/pods/p/eviction", {answer});
    try {
        client().evict("ns", "p");
        FAIL();
    } catch (const ApiError& error) {
        EXPECT_TRUE(error.is_disruption_budget());
    }
    EXPECT_EQ(requests(), 1u);
}

const std::string kLogPath = "/api/v1/namespaces/ns/pods/p/log";

Answer text(const std::string& body) {
    Answer answer;
    answer.body = body;
    return answer;
}

TEST_F(ClientTest, LogReturnsRawBytes) {
    responder.on("GET", kLogPath, {text("a\nb\xff\n")});
    EXPECT_EQ(client().log("ns", "p", {}), "a\nb\xff\n");
    EXPECT_EQ(seen(0).target, kLogPath);
    EXPECT_EQ(seen(0).header("accept"), "*/*");
}

TEST_F(ClientTest, LogOptionsAreSent) {
    responder.on("GET", kLogPath, {text("")});
    client().log("ns", "p", {"main", true, true, 10, 60, 1000});
    EXPECT_EQ(seen(0).target,
              kLogPath + "?container=main&previous=true&timestamps=true&tailLines=10&sinceSeconds=60&limitBytes=1000");
}

TEST_F(ClientTest, UnavailableLogIsNullopt) {
    responder.on("GET", kLogPath,
                 {text("unable to retrieve container logs for me\nsays the program\n"),
                  text("unable to retrieve container logs for containerd://12ab")});
    EXPECT_TRUE(client().log("ns", "p", {}));
    EXPECT_FALSE(client().log("ns", "p", {}));
}

}  // namespace

}  // namespace cudafault::kube
