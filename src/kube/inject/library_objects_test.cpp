// SPDX-License-Identifier: Apache-2.0
#include "kube/inject/library_objects.hpp"

#include <gmock/gmock.h>

#include "kube/api/common/encoding.hpp"
#include "kube/api/common/error.hpp"
#include "kube/names.hpp"
#include "kube/record/own_objects.hpp"
#include "kube/testing/injection_testing.hpp"
#include "kube/testing/paths_testing.hpp"

namespace cudafault::kube {

namespace {

using testing::Contains;
using testing::HasSubstr;

const std::string kSource = kConfigMapPath + "/cuda-fault-injection-lib";

constexpr Architecture kIntel = Architecture::kX86_64;

class LibrariesTest : public WorkloadTest {
protected:
    const Workload workload = plain_deployment();
    const std::string name = "cudafault-library-" + workload.hash() + "-amd64";
};

TEST_F(LibrariesTest, CreatesImmutableObjectsOwnedByTheWorkload) {
    responder.on("POST", kConfigMapPath, {json_answer(Json::object())});
    create_libraries(client(), workload, {kIntel});
    ASSERT_EQ(requests(), 1u);
    const Json sent = Json::parse(seen(0).body);
    EXPECT_EQ(text_at(sent, {"metadata", "name"}), name);
    EXPECT_EQ(sent.at("immutable"), true);
    EXPECT_EQ(text_at(sent, {"binaryData", "libcudafault.so"}), base64_encode(library_for(kIntel)));
    EXPECT_EQ(text_at(sent, {"metadata", "labels", names::kManagedBy}), "cudafault");
    EXPECT_EQ(sent.at("metadata").at("ownerReferences").at(0).at("uid"), "uid-web");
}

TEST_F(LibrariesTest, ReplacesALeftover) {
    responder.on("POST", kConfigMapPath, {status_answer(409, "AlreadyExists"), json_answer(Json::object())});
    responder.on("DELETE", kConfigMapPath + "/" + name, {json_answer(Json::object())});
    create_libraries(client(), workload, {kIntel});
    EXPECT_EQ(requests(), 3u);
    EXPECT_EQ(seen(1).method, "DELETE");
}

TEST_F(LibrariesTest, RemovesThePlanAndTheLibraryOfEachArchitecture) {
    responder.on("DELETE", kConfigMapPath + "/" + name, {json_answer(Json::object())});
    EXPECT_TRUE(remove_injection_objects(client(), workload.ref));
    EXPECT_EQ(requests(), 3u) << "the plan and the library of the other architecture do not exist";
}

class SourceTest : public WorkloadTest {
protected:
    SourceTest() {
        announce({{"apps", "v1"}});
        serve_apps();
        for (const char* plural : {"deployments", "statefulsets", "replicasets"}) {
            serve_list("/apis/apps/v1/namespaces/prod/" + std::string(plural), {});
        }
    }

    static Json source(const std::string& text, const std::string& manager = "cudafault") {
        Json object = labeled(named("cuda-fault-injection-lib"), names::kManagedBy, manager);
        object["metadata"]["resourceVersion"] = "5";
        object["data"] = {{"fake_cuda_xid79.cpp", text}};
        return object;
    }

    static Json current() { return source(std::string(one_file_source())); }

    std::string removal() {
        try {
            return remove_source(client(), discovery(), "prod") ? "removed" : "did not exist";
        } catch (const Error& error) {
            return error.what();
        }
    }
};

TEST_F(SourceTest, IsCreatedOnce) {
    EXPECT_FALSE(has_source(client(), "prod"));
    responder.on("POST", kConfigMapPath, {json_answer(current())});
    EXPECT_TRUE(create_source(client(), "prod"));
    EXPECT_EQ(Json::parse(seen(requests() - 1).body).at("data"), current().at("data"));
    serve_object(kSource, current());
    EXPECT_FALSE(create_source(client(), "prod"));
    EXPECT_TRUE(has_source(client(), "prod"));
}

TEST_F(SourceTest, UpdatesAnotherVersion) {
    serve_object(kSource, source("old"));
    responder.on("PATCH", kSource, {json_answer(current())});
    EXPECT_TRUE(create_source(client(), "prod"));
    EXPECT_EQ(source("old").patch(Json::parse(seen(1).body)).at("data"), current().at("data"));
}

TEST_F(SourceTest, DoesNotChangeAConfigMapOfAnotherManager) {
    serve_object(kSource, source("users", "helm"));
    EXPECT_THROW(create_source(client(), "prod"), Error);
    EXPECT_THAT(removal(), HasSubstr("was not created by cudafault"));
    for (const SeenRequest& request : responder.requests()) EXPECT_EQ(request.method, "GET");
}

TEST_F(SourceTest, IsRemovedIfNotMounted) {
    EXPECT_EQ(removal(), "did not exist");
    serve_object(kSource, current());
    responder.on("DELETE", kSource, {json_answer(Json::object())});
    serve_list("/apis/apps/v1/namespaces/prod/deployments", {plain_deployment().object});
    EXPECT_EQ(removal(), "removed");
}

TEST_F(SourceTest, IsNotRemovedIfMounted) {
    serve_object(kSource, current());
    const Workload workload = plain_deployment();
    serve_list("/apis/apps/v1/namespaces/prod/deployments",
               {inject_into(workload, choose_containers(workload, {}), source_injection(), always_exists).object});
    EXPECT_THAT(removal(), HasSubstr("still mounted by deployment.apps/web"));
    for (const SeenRequest& request : responder.requests()) EXPECT_EQ(request.method, "GET");
}

}  // namespace

}  // namespace cudafault::kube
