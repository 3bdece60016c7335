// SPDX-License-Identifier: Apache-2.0
#include "kube/api/client/discovery.hpp"

#include <gmock/gmock.h>

#include "kube/api/common/error.hpp"
#include "kube/api/testing/session_testing.hpp"
#include "kube/api/transport/api_error.hpp"

namespace cudafault::kube {

namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Json entry(const std::string& name, const std::string& kind, bool namespaced = true) {
    return {
        {"name", name}, {"singularName", ""}, {"kind", kind}, {"namespaced", namespaced}, {"verbs", {"get", "list"}}};
}

Answer resources(const std::vector<Json>& entries) {
    return json_answer({{"kind", "APIResourceList"}, {"resources", entries}});
}

Json group(const std::string& name, const std::string& preferred, const std::vector<std::string>& versions) {
    Json list = Json::array();
    for (const std::string& version : versions) list.push_back({{"version", version}});
    return {{"name", name}, {"preferredVersion", {{"version", preferred}}}, {"versions", list}};
}

class DiscoveryTest : public SessionTest {
protected:
    DiscoveryTest() { options.tries = 1; }

    Discovery& discovery() {
        if (!discovery_) discovery_.emplace(session());
        return *discovery_;
    }

    // Scripts a server without aggregated discovery.
    void serve_plain() {
        responder.on("GET", "/api", {json_answer({{"kind", "APIVersions"}, {"versions", {"v1"}}})});
        responder.on("GET", "/apis",
                     {json_answer({{"kind", "APIGroupList"},
                                   {"groups",
                                    {group("apps", "v1", {"v1"}), group("acme.com", "v1", {"v2", "v1"}),
                                     group("down.com", "v1", {"v1"})}}})});
        Json pods = entry("pods", "Pod");
        pods["shortNames"] = {"po"};
        pods["singularName"] = "pod";
        responder.on("GET", "/api/v1",
                     {resources({pods, entry("pods/log", "Pod"), entry("pods/eviction", "Eviction"),
                                 entry("nodes", "Node", false)})});
        responder.on("GET", "/apis/apps/v1", {resources({entry("deployments", "Deployment")})});
        responder.on("GET", "/apis/acme.com/v1", {resources({entry("widgets", "Widget"), entry("pods", "Pod")})});
        responder.on("GET", "/apis/acme.com/v2", {resources({entry("gadgets", "Gadget"), entry("widgets", "Widget")})});
        responder.on("GET", "/apis/down.com/v1", {status_answer(503, "ServiceUnavailable")});
    }

    std::string resolve_error(const std::string& word) {
        try {
            return "found " + discovery().resolve(word).qualified();
        } catch (const Error& error) {
            return error.what();
        }
    }

private:
    std::optional<Discovery> discovery_;
};

TEST_F(DiscoveryTest, FindSendsOneRequest) {
    serve_plain();
    const auto pod = discovery().find("v1", "Pod");
    ASSERT_TRUE(pod);
    EXPECT_EQ(pod->group, "");
    EXPECT_EQ(pod->version, "v1");
    EXPECT_EQ(pod->plural, "pods");
    EXPECT_EQ(pod->singular, "pod");
    EXPECT_EQ(pod->kind, "Pod");
    EXPECT_TRUE(pod->namespaced);
    EXPECT_THAT(pod->short_names, ElementsAre("po"));
    EXPECT_THAT(pod->verbs, ElementsAre("get", "list"));
    EXPECT_THAT(pod->subresources, ElementsAre("log", "eviction"));
    EXPECT_FALSE(discovery().find("v1", "Node")->namespaced);
    EXPECT_EQ(requests(), 1u) << "the second find must use the cache";
    EXPECT_EQ(discovery().find("apps/v1", "Deployment")->qualified(), "deployments.apps");
    EXPECT_EQ(requests(), 2u);
}

TEST_F(DiscoveryTest, FindReturnsNulloptIfNotServed) {
    serve_plain();
    EXPECT_FALSE(discovery().find("nvidia.com/v1beta1", "DynamoGraphDeployment"));
    EXPECT_FALSE(discovery().find("v1", "pods")) << "a plural is not a kind";
}

TEST_F(DiscoveryTest, FindsResourceAddedLater) {
    serve_plain();
    EXPECT_TRUE(discovery().find("apps/v1", "Deployment"));
    responder.on("GET", "/apis/apps/v1", {resources({entry("deployments", "Deployment"), entry("news", "New")})});
    EXPECT_TRUE(discovery().find("apps/v1", "New"));
    EXPECT_EQ(resolve_error("later").substr(0, 3), "the");
    responder.on("GET", "/apis/apps/v1", {resources({entry("laters", "Later")})});
    EXPECT_EQ(discovery().resolve("later").kind, "Later");
}

TEST_F(DiscoveryTest, ResolvesKindPluralSingularAndShortName) {
    serve_plain();
    for (const char* word : {"pods", "pod", "Pod", "po", "PODS"}) {
        EXPECT_EQ(discovery().resolve(word).api_version(), "v1") << word;
    }
    EXPECT_EQ(discovery().resolve("Deployment").qualified(), "deployments.apps");
    EXPECT_EQ(discovery().resolve("deployments.apps").qualified(), "deployments.apps");
    EXPECT_EQ(discovery().resolve("pods.acme.com").api_version(), "acme.com/v1");
    EXPECT_EQ(discovery().resolve("widgets").api_version(), "acme.com/v1") << "expected the preferred version";
    EXPECT_EQ(discovery().resolve("widgets.v2.acme.com").api_version(), "acme.com/v2");
    EXPECT_EQ(discovery().resolve("gadgets").api_version(), "acme.com/v2");
}

TEST_F(DiscoveryTest, ResolveUsesCache) {
    serve_plain();
    discovery().resolve("deployments");
    const size_t before = requests();
    discovery().resolve("deployments");
    discovery().find("v1", "Pod");
    EXPECT_EQ(requests(), before);
}

TEST_F(DiscoveryTest, UnavailableGroupDoesNotHideOthers) {
    serve_plain();
    EXPECT_THAT(resolve_error("nonsense"),
                AllOf(HasSubstr("a resource named \"nonsense\""), HasSubstr("(unavailable: down.com/v1)")));
    EXPECT_EQ(discovery().resolve("gadgets").kind, "Gadget");
}

TEST_F(DiscoveryTest, PermissionErrorIsThrown) {
    responder.on("GET", "/api", {status_answer(403, "Forbidden")});
    EXPECT_THROW(discovery().resolve("pods"), ApiError);
    serve_plain();
    EXPECT_EQ(discovery().resolve("pods").kind, "Pod") << "a failure must not be cached";
}

TEST_F(DiscoveryTest, VersionsOfGroupStartWithPreferredVersion) {
    serve_plain();
    EXPECT_THAT(discovery().versions_of("acme.com"), ElementsAre("v1", "v2"));
    EXPECT_THAT(discovery().versions_of(""), ElementsAre("v1"));
    EXPECT_THAT(discovery().versions_of("nvidia.com"), IsEmpty());
}

Json aggregated(const std::string& group_name, const std::string& version, const std::string& plural,
                const std::string& kind, const std::string& freshness = "Current") {
    return {{"metadata", group_name.empty() ? Json{{"creationTimestamp", nullptr}} : Json{{"name", group_name}}},
            {"versions",
             {{{"version", version},
               {"freshness", freshness},
               {"resources",
                {{{"resource", plural},
                  {"singularResource", "one"},
                  {"scope", "Namespaced"},
                  {"shortNames", {"sh"}},
                  {"verbs", {"get"}},
                  {"responseKind", {{"group", group_name}, {"version", version}, {"kind", kind}}},
                  {"subresources", {{{"subresource", "status"}}}}}}}}}}};
}

class AggregatedDiscovery : public DiscoveryTest {
protected:
    AggregatedDiscovery() {
        const auto list = [](const std::vector<Json>& items) {
            return json_answer({{"kind", "APIGroupDiscoveryList"}, {"items", items}});
        };
        responder.on("GET", "/api", {list({aggregated("", "v1", "pods", "Pod")})});
        responder.on("GET", "/apis",
                     {list({aggregated("apps", "v1", "deployments", "Deployment"),
                            aggregated("down.com", "v1", "downs", "Down", "Stale")})});
    }
};

TEST_F(AggregatedDiscovery, SendsTwoRequests) {
    const Resource deployment = discovery().resolve("deployments");
    EXPECT_EQ(deployment.api_version(), "apps/v1");
    EXPECT_EQ(deployment.kind, "Deployment");
    EXPECT_EQ(deployment.singular, "one");
    EXPECT_TRUE(deployment.namespaced);
    EXPECT_THAT(deployment.short_names, ElementsAre("sh"));
    EXPECT_THAT(deployment.verbs, ElementsAre("get"));
    EXPECT_THAT(deployment.subresources, ElementsAre("status"));
    EXPECT_EQ(discovery().resolve("pods").api_version(), "v1");
    EXPECT_EQ(requests(), 2u);
    EXPECT_THAT(seen(0).header("accept"),
                AllOf(HasSubstr("v=v2;as=APIGroupDiscoveryList"), HasSubstr(",application/json")));
}

TEST_F(AggregatedDiscovery, StaleGroupIsRequestedSeparately) {
    responder.on("GET", "/apis/down.com/v1", {status_answer(503, "ServiceUnavailable")});
    EXPECT_THAT(resolve_error("downs"), HasSubstr("unavailable: down.com/v1"));
    responder.on("GET", "/apis/down.com/v1", {resources({entry("downs", "Down")})});
    EXPECT_EQ(discovery().resolve("downs").kind, "Down");
}

}  // namespace

}  // namespace cudafault::kube
