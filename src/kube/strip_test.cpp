// SPDX-License-Identifier: Apache-2.0
#include "kube/strip.hpp"

#include <gtest/gtest.h>

namespace cudafault::kube {

namespace {

Json variable(const char* name, const char* value) { return {{"name", name}, {"value", value}}; }

Json spec_with(const Json& env) {
    const Json container = {{"name", "main"}, {"env", env}};
    Json spec;
    spec["containers"] = Json::array({container});
    return spec;
}

Json stripped(Json object, const std::string& pin = "") {
    EXPECT_TRUE(strip(object, pin));
    Json again = object;
    EXPECT_FALSE(strip(again, pin));
    EXPECT_EQ(again, object);
    return object;
}

TEST(Strip, LeavesWhatIsNotOurs) {
    Json object = spec_with({variable("LD_PRELOAD", "/opt/a.so"), variable("CUDA_HOME", "/usr")});
    const Json before = object;
    EXPECT_FALSE(strip(object, ""));
    EXPECT_EQ(object, before);
}

TEST(Strip, TakesVariablesVolumesAndTheLibraryOut) {
    Json object = spec_with({variable("LD_PRELOAD", "/cudafault/library/$PLATFORM/libcudafault.so:/opt/a.so"),
                             variable("A", "1"), variable("CUDAFAULT_NODE", "n")});
    const Json ours = {{"name", "cudafault-plan"}}, theirs = {{"name", "theirs"}};
    object["volumes"] = Json::array({ours, theirs});
    Json expected = spec_with({variable("LD_PRELOAD", "/opt/a.so"), variable("A", "1")});
    expected["volumes"] = Json::array({theirs});
    EXPECT_EQ(stripped(object), expected);
}

TEST(Strip, TakesWhatIsLeftEmptyOut) {
    const Json object = spec_with(Json::array({variable("LD_PRELOAD", "/images/own/libcudafault.so")}));
    Json expected = object;
    expected["containers"][0].erase("env");
    EXPECT_EQ(stripped(object), expected);
}

TEST(Strip, GivesTheSourceOfTheUsersPreloadBack) {
    const Json source = {{"configMapKeyRef", {{"name", "settings"}, {"key", "preload"}}}};
    const Json helper = {{"name", "CUDAFAULT_LD_PRELOAD"}, {"valueFrom", source}};
    const Json theirs = {{"name", "LD_PRELOAD"}, {"valueFrom", source}};
    const Json ours = variable("LD_PRELOAD", "/cuda-fault/fake_cuda_xid79.so:$(CUDAFAULT_LD_PRELOAD)");
    EXPECT_EQ(stripped(spec_with(Json::array({helper, ours}))), spec_with(Json::array({theirs})));
}

TEST(Strip, AReferenceToItselfWasOurs) {
    const Json object =
        spec_with({variable("A", "1"), variable("LD_PRELOAD", "/cudafault/library/libcudafault.so:$(LD_PRELOAD)")});
    EXPECT_EQ(stripped(object), spec_with(Json::array({variable("A", "1")})));
}

Json affinity(const Json& expressions) {
    Json object, term;
    term["matchExpressions"] = expressions;
    object["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"] =
        Json::array({term});
    return object;
}

TEST(Strip, ATermThatWasThePinAloneGoesWithIt) {
    Json pin = {{"key", "kubernetes.io/hostname"}, {"operator", "In"}};
    pin["values"] = Json::array({"n7"});
    const Json zone = {{"key", "zone"}, {"operator", "Exists"}};
    EXPECT_EQ(stripped(affinity(Json::array({pin})), "n7"), Json::object());
    EXPECT_EQ(stripped(affinity(Json::array({zone, pin})), "n7"), affinity(Json::array({zone})));
    Json other = affinity(Json::array({pin}));
    EXPECT_FALSE(strip(other, "n8"));
}

}  // namespace

}  // namespace cudafault::kube
