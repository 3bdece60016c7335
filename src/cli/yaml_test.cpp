// SPDX-License-Identifier: Apache-2.0
#include "cli/yaml.hpp"

#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

namespace cudafault::cli {
namespace {

using nlohmann::json;

TEST(Yaml, IsBlockStyle) {
    EXPECT_EQ(yaml_text({{"kind", "Job"}, {"args", {"a", "b c"}}, {"env", {{{"name", "X"}, {"value", "1"}}}}}),
              "args:\n- a\n- \"b c\"\nenv:\n- name: X\n  value: \"1\"\nkind: Job\n");
    EXPECT_EQ(yaml_text({{"a", json::object()}, {"b", json::array()}, {"c", nullptr}, {"d", {{"e", 1}}}}),
              "a: {}\nb: []\nc: null\nd:\n  e: 1\n");
    EXPECT_EQ(yaml_text(json::array({json::array({1, 2}), "x"})), "- - 1\n  - 2\n- x\n");
}

// A YAML parser must read each value as the same string.
TEST(Yaml, KeepsStrings) {
    for (const char* text : {"",       "yes", "No",  "null", "~",     "1",  "1e3",         "0x10",
                             "a: b",   "#x",  "- a", "a\nb", "\"q\"", "'",  "{a}",         "2026-11-24T12:00:00Z",
                             "/dev/x", "é",   "a=b", "*",    "&a",    "!t", "xid=79 gpu=0"}) {
        const YAML::Node node = YAML::Load(yaml_text({{"key", text}}));
        EXPECT_EQ(node["key"].as<std::string>(), text);
        EXPECT_TRUE(node["key"].Tag() == "!" || node["key"].Scalar() == text) << text;
    }
}

}  // namespace
}  // namespace cudafault::cli
