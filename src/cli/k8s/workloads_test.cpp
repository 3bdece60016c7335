// SPDX-License-Identifier: Apache-2.0
#include "cli/k8s/workloads.hpp"

#include <gmock/gmock.h>

#include "local/error.hpp"

namespace cudafault::cli {
namespace {

using testing::ElementsAre;

std::vector<std::string> parsed(const std::vector<std::string>& words) {
    std::vector<std::string> texts;
    for (const auto& choice : parse_workloads(words, "prod")) {
        texts.push_back(choice.in_namespace + " " + choice.kind + "/" + choice.name);
    }
    return texts;
}

TEST(Workloads, AcceptsTheFormsOfKubectl) {
    EXPECT_THAT(parsed({"deployment/web"}), ElementsAre("prod deployment/web"));
    EXPECT_THAT(parsed({"deployment/web", "sts/db"}), ElementsAre("prod deployment/web", "prod sts/db"));
    EXPECT_THAT(parsed({"deployment", "web"}), ElementsAre("prod deployment/web"));
    EXPECT_THAT(parsed({"deployment", "web", "api"}), ElementsAre("prod deployment/web", "prod deployment/api"));
    EXPECT_THAT(parsed({"web"}), ElementsAre("prod /web"));
}

TEST(Workloads, RefusesInvalidNames) {
    for (const std::vector<std::string>& words :
         {std::vector<std::string>{""}, {"/web"}, {"deployment/"}, {"a/b/c"}, {"deployment", "sts/db"}, {"web", ""}}) {
        EXPECT_THROW(parsed(words), local::Error) << words[0];
    }
}

TEST(Workloads, LabelsRequireOneKind) {
    EXPECT_NO_THROW((WorkloadArguments{{"deployment"}, "app=web"}.check()));
    EXPECT_THROW((WorkloadArguments{{}, "app=web"}.check()), local::Error);
    EXPECT_THROW((WorkloadArguments{{"deployment/web"}, "app=web"}.check()), local::Error);
    EXPECT_THROW((WorkloadArguments{{"deployment", "web"}, "app=web"}.check()), local::Error);
}

TEST(Workloads, IsSingleIfTheArgumentsNameOneWorkload) {
    EXPECT_TRUE((WorkloadArguments{{"deployment/web"}, ""}.is_single()));
    EXPECT_TRUE((WorkloadArguments{{"deployment", "web"}, ""}.is_single()));
    EXPECT_FALSE((WorkloadArguments{{"deployment", "web", "api"}, ""}.is_single()));
    EXPECT_FALSE((WorkloadArguments{{"deployment/web", "sts/db"}, ""}.is_single()));
    EXPECT_FALSE((WorkloadArguments{{"deployment"}, "app=web"}.is_single()));
}

}  // namespace
}  // namespace cudafault::cli
