// SPDX-License-Identifier: Apache-2.0
#include "kube/workload/templates.hpp"

#include <gmock/gmock.h>

#include "kube/api/common/error.hpp"

namespace cudafault::kube {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const Json kGroups = Json::parse(R"({"spec": {
    "worker": {"template": {"spec": {"containers": [{"name": "main", "resources": {"limits": {"nvidia.com/gpu": 1}}}]}}},
    "driver": {"podSpec": {"containers": [{"name": "driver"}]}},
    "groups": [
        {"name": "a", "template": {"spec": {"containers": [{"name": "one"}, {"name": "two"}], "initContainers": [{"name": "i"}]}}},
        {"name": "b", "template": {"spec": {"containers": [{"name": "three"}]}}},
        {"name": "no-template"},
        {"template": "without an owner"}, null],
    "parts": {"left": {"containers": []}, "right": {"containers": null}},
    "nested": [{"groupName": "x", "tasks": [{"name": "t", "template": {"spec": {"containers": []}}}]}],
    "none": []}})");

std::vector<std::string> site_texts(const std::vector<TemplateSite>& sites) {
    std::vector<std::string> texts;
    for (const TemplateSite& site : sites) texts.push_back(site.name + ": " + site.pod_spec.text());
    return texts;
}

std::vector<std::string> sites_at(const std::vector<std::string>& paths) {
    return site_texts(sites_of_paths(kGroups, paths, "widget.acme.com/w"));
}

std::string path_error(const std::string& path) {
    try {
        return "found " + std::to_string(sites_of_paths(kGroups, {path}, "widget.acme.com/w").size());
    } catch (const Error& error) {
        return error.what();
    }
}

TEST(Templates, AcceptsPathsToTemplatesAndPodSpecs) {
    EXPECT_THAT(sites_at({"spec.worker.template"}), ElementsAre(": spec.worker.template.spec"));
    EXPECT_THAT(sites_at({".spec.worker.template.spec"}), ElementsAre(": spec.worker.template.spec"));
    EXPECT_THAT(sites_at({"spec.driver.podSpec"}), ElementsAre(": spec.driver.podSpec"));
}

TEST(Templates, ExpandsListsAndObjects) {
    EXPECT_THAT(sites_at({"spec.groups[*].template"}),
                ElementsAre("a: spec.groups[a].template.spec", "b: spec.groups[b].template.spec"));
    EXPECT_THAT(sites_at({"spec.groups[b].template"}), ElementsAre("b: spec.groups[b].template.spec"));
    EXPECT_THAT(sites_at({"spec.nested[*].tasks[*].template"}),
                ElementsAre("x/t: spec.nested[x].tasks[t].template.spec"));
    EXPECT_THAT(sites_at({"spec.parts[left]"}), ElementsAre("left: spec.parts.left"));
}

TEST(Templates, NamesOfSeveralPathsAreUnique) {
    EXPECT_THAT(sites_at({"spec.worker.template", "spec.driver.podSpec", "spec.worker.template"}),
                ElementsAre("worker: spec.worker.template.spec", "driver: spec.driver.podSpec"));
    const Json two_templates = {{"a", {{"spec", {{"containers", Json::array()}}}}},
                                {"b", {{"a", {{"containers", Json::array()}}}}}};
    EXPECT_THAT(site_texts(sites_of_paths(two_templates, {"a", "b.a"}, "x")),
                ElementsAre("a.spec: a.spec", "b.a: b.a"));
}

TEST(Templates, FindsContainersOfTemplate) {
    const auto site = sites_of_paths(kGroups, {"spec.groups[a].template"}, "w").at(0);
    ASSERT_EQ(site.containers.size(), 2u) << "init containers must not be included";
    EXPECT_EQ(site.containers[0].name, "one");
    EXPECT_EQ(site.containers[0].container.text(), "spec.groups[a].template.spec.containers[one]");
    EXPECT_EQ(site.containers[0].env.text(), "spec.groups[a].template.spec.containers[one].env");
    EXPECT_THAT(site.containers[0].weaker_env, IsEmpty());
    EXPECT_FALSE(site.containers[0].has_gpu);
    EXPECT_TRUE(sites_of_paths(kGroups, {"spec.worker.template"}, "w").at(0).containers.at(0).has_gpu);
}

TEST(Templates, ErrorsNameTheExistingFields) {
    EXPECT_THAT(path_error("spec.wrker.template"),
                AllOf(HasSubstr("invalid template path \"spec.wrker.template\" of widget.acme.com/w"),
                      HasSubstr("spec has no wrker"), HasSubstr("it has driver, groups")));
    EXPECT_THAT(path_error("status.x"), HasSubstr("the object has no status (it has spec)"));
    EXPECT_THAT(path_error("spec.worker"), AllOf(HasSubstr("not a pod template"), HasSubstr("it has template")));
    EXPECT_THAT(path_error("spec.groups"), HasSubstr("it is a list"));
    EXPECT_THAT(path_error("spec.groups.template"), HasSubstr("spec.groups has no template (it is a list)"));
    EXPECT_THAT(path_error("spec.groups[c].template"),
                HasSubstr("spec.groups has no item c (it has a, b, no-template)"));
    EXPECT_THAT(path_error("spec.none[*].template"), HasSubstr("spec.none has no items with a name or groupName"));
    EXPECT_THAT(path_error("spec.worker.template.spec.containers[main].name"), HasSubstr("it is not an object"));
    EXPECT_THAT(path_error("spec.parts[right]"), HasSubstr("neither spec.containers nor containers"));
}

TEST(Templates, RejectsInvalidPaths) {
    for (const char* path : {"", ".", "spec.", "spec..x", "spec.groups[", "spec.groups[]", "spec.groups[*]x", "[*]",
                             "spec.groups]", "$"}) {
        EXPECT_THAT(path_error(path), testing::AnyOf(HasSubstr("invalid template path"), HasSubstr("has no"))) << path;
    }
}

TEST(Templates, PatternSkipsMissingFields) {
    const std::vector<TemplatePattern> patterns = {{"spec.groups[*].template"}, {"spec.absent[*].template"}};
    EXPECT_THAT(site_texts(sites_of(kGroups, patterns)),
                ElementsAre("a: spec.groups[a].template.spec", "b: spec.groups[b].template.spec"));
    for (const char* text : {"null", "[]", "3", R"({"spec": 3})", R"({"spec": {"groups": 1}})",
                             R"({"spec": {"groups": [1, null, {"name": 1}, {"name": "a", "template": 4}]}})"}) {
        EXPECT_THAT(sites_of(Json::parse(text), patterns), IsEmpty()) << text;
    }
}

TEST(Templates, SkipsMalformedContainers) {
    for (const char* containers : {"null", "{}", "3", "[null, 1, {}, {\"name\": 2}, {\"name\": \"\"}]"}) {
        const Json object = {{"template", {{"spec", {{"containers", Json::parse(containers)}}}}}};
        const auto sites = sites_of(object, {{"template"}});
        ASSERT_EQ(sites.size(), 1u) << containers;
        EXPECT_THAT(sites[0].containers, IsEmpty()) << containers;
    }
}

TEST(Templates, TreatsSidecarsAsContainers) {
    const Json gpu = {{"limits", {{"nvidia.com/gpu", 1}}}};
    const Json object = {{"spec",
                          {{"template",
                            {{"spec",
                              {{"containers", {{{"name", "main"}}}},
                               {"initContainers",
                                {{{"name", "fetch"}, {"resources", gpu}},
                                 {{"name", "server"}, {"restartPolicy", "Always"}, {"resources", gpu}}}}}}}}}}};
    const auto sites = sites_of(object, {{"spec.template"}});
    ASSERT_EQ(sites.size(), 1u);
    ASSERT_EQ(sites[0].containers.size(), 2u);
    EXPECT_EQ(sites[0].containers[1].container.text(), "spec.template.spec.initContainers[server]");
    EXPECT_TRUE(sites[0].containers[1].has_gpu);
    ASSERT_EQ(sites[0].init_containers.size(), 1u);
    EXPECT_EQ(sites[0].init_containers[0].name, "fetch");
    EXPECT_TRUE(sites[0].init_containers[0].has_gpu);
}

TEST(Templates, AnnotatedShareBelongsToFirstContainer) {
    const Json spec = {{"containers", {{{"name", "main"}}, {{"name", "side"}}}}};
    const Json annotations = {{"gpu-fraction", "0.5"}};
    const Json object = {
        {"spec",
         {{"template", {{"metadata", {{"annotations", annotations}}}, {"spec", spec}}},
          {"cliques", {{{"name", "a"}, {"annotations", annotations}, {"spec", {{"podSpec", spec}}}}}}}}};
    for (const TemplatePattern& pattern :
         {TemplatePattern{"spec.template"}, TemplatePattern{"spec.cliques[*].spec.podSpec", Shape::kPodSpec}}) {
        const auto sites = sites_of(object, {pattern});
        ASSERT_EQ(sites.size(), 1u) << pattern.path;
        EXPECT_TRUE(sites[0].containers.at(0).has_gpu) << pattern.path;
        EXPECT_FALSE(sites[0].containers.at(1).has_gpu) << pattern.path;
    }
}

}  // namespace
}  // namespace cudafault::kube
