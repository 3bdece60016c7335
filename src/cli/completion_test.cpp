// SPDX-License-Identifier: Apache-2.0
#include "cli/completion.hpp"

#include <gmock/gmock.h>

#include "cli/k8s/cluster.hpp"

namespace cudafault::cli {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::StartsWith;

std::vector<std::string> complete(const std::vector<std::string>& words) {
    CLI::App app("about", "cudafault");
    add_k8s(app);
    add_completion(app);
    return completions(app, words);
}

TEST(Completion, OffersSubcommands) {
    EXPECT_THAT(complete({""}), ElementsAre("k8s", "completion"));
    EXPECT_THAT(complete({"k"}), ElementsAre("k8s"));
    EXPECT_THAT(complete({"k8s", "re"}), ElementsAre("restore"));
    EXPECT_THAT(complete({"k8s", "node", "un"}), ElementsAre("uncordon"));
    EXPECT_THAT(complete({"k8s", "rbac", ""}), IsEmpty());
}

TEST(Completion, OffersOptions) {
    EXPECT_THAT(complete({"k8s", "arm", "deployment/web", "--"}),
                AllOf(Contains("--node"), Contains("--namespace"), Each(StartsWith("--"))));
    EXPECT_THAT(complete({"k8s", "arm", "-n", "prod", "--exp"}), ElementsAre("--expires"));
}

}  // namespace
}  // namespace cudafault::cli
