// SPDX-License-Identifier: Apache-2.0
#include "cli/help.hpp"

#include <gtest/gtest.h>

#include "cli/k8s/cluster.hpp"

namespace cudafault::cli {
namespace {

// Collects the help of `app` and of every command below it.
void collect(CLI::App& app, std::vector<std::string>& texts) {
    texts.push_back(app.help());
    for (CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) collect(*command, texts);
}

TEST(Help, ShowsNoArtifactsOfCli11) {
    CLI::App app("about", "cudafault");
    app.formatter(std::make_shared<HelpFormatter>());
    CLI::App* k8s = app.add_subcommand("k8s", "about");
    add_k8s_verbs(*k8s);
    std::vector<std::string> texts;
    collect(app, texts);
    ASSERT_GT(texts.size(), 15U);
    for (const std::string& text : texts) {
        for (const char* artifact : {"{", "(0x)", "(1x)", " TEXT", " INT", "REQUIRED", "BOOLEAN", "\n\n\n"}) {
            const std::string options = text.substr(0, text.find("\nExamples:"));
            EXPECT_EQ(options.find(artifact), std::string::npos) << artifact << " in\n" << options;
        }
    }
}

TEST(Help, NamesDefaultsAndValues) {
    CLI::App app("about", "cudafault");
    app.formatter(std::make_shared<HelpFormatter>());
    std::string value = "1h";
    app.add_option("-e,--expires", value, "Time until the end")->type_name("DURATION")->capture_default_str();
    app.add_option("words", value, "What to arm")->option_text("[WORKLOAD] PLAN");
    const std::string help = app.help();
    EXPECT_NE(help.find("Usage: cudafault [WORKLOAD] PLAN [OPTIONS]\n"), std::string::npos) << help;
    EXPECT_NE(help.find("-e, --expires DURATION      Time until the end (default: 1h)\n"), std::string::npos) << help;
}

TEST(RbacCommand, IncludesEveryFlagOfTheUse) {
    kube::CommandUse use;
    use.command = "restore";
    use.in_namespace = "prod";
    EXPECT_EQ(rbac_command(use), "cudafault k8s rbac restore -n prod");
    use.all_workloads = use.by_labels = use.delete_pods = use.exact = true;
    use.kinds = {"statefulsets.apps"};
    EXPECT_EQ(rbac_command(use),
              "cudafault k8s rbac restore --all --by-labels --delete-pods --exact -n prod --kind statefulsets.apps");
    use = {};
    use.command = "node drain";
    use.delete_unhealthy = true;
    EXPECT_EQ(rbac_command(use), "cudafault k8s rbac node drain --delete-unhealthy");
}

}  // namespace
}  // namespace cudafault::cli
