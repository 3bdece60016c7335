// SPDX-License-Identifier: Apache-2.0
#include "kube/object/diff.hpp"

#include <gmock/gmock.h>

#include "kube/workload/templates.hpp"

namespace cudafault::kube {

namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// Returns one text per difference: "path: before -> after".
std::vector<std::string> texts(const Json& before, const Json& after) {
    std::vector<std::string> lines;
    for (const Difference& difference : differences("x", before, after)) {
        lines.push_back(difference.path + ": " + difference.before.value_or("-") + " -> " +
                        difference.after.value_or("-"));
    }
    return lines;
}

Json env(const Json& list) { return {{"containers", {{{"name", "main"}, {"env", list}}}}}; }

TEST(Differences, AreEmptyForEqualObjects) {
    EXPECT_THAT(texts(env(Json::array({variable("A", "1")})), env(Json::array({variable("A", "1")}))), IsEmpty());
}

TEST(Differences, ComparesFields) {
    EXPECT_THAT(
        texts({{"a", 1}, {"b", 2}, {"d", {{"x.y/z", "1"}}}}, {{"b", nullptr}, {"c", "new"}, {"d", {{"x.y/z", "2"}}}}),
        ElementsAre("a: 1 -> -", "b: 2 -> null", "c: - -> \"new\"", "d[x.y/z]: \"1\" -> \"2\""));
}

TEST(Differences, MatchesListItemsByName) {
    EXPECT_THAT(texts(env(Json::array({variable("A", "1"), variable("B", "1")})),
                      env(Json::array({variable("B", "2"), variable("C", "3")}))),
                ElementsAre("containers[main].env[A]: {\"name\":\"A\",\"value\":\"1\"} -> -",
                            "containers[main].env[B].value: \"1\" -> \"2\"",
                            "containers[main].env[C]: - -> {\"name\":\"C\",\"value\":\"3\"}"));
}

TEST(Differences, MatchesUnnamedListItemsByIndex) {
    EXPECT_THAT(texts({{"args", {"a", "b"}}}, {{"args", {"a", "c", "d"}}}),
                ElementsAre("args[1]: \"b\" -> \"c\"", "args[2]: - -> \"d\""));
}

TEST(Differences, ReportsChangedOrder) {
    EXPECT_THAT(texts(env(Json::array({variable("A", "1"), variable("B", "1")})),
                      env(Json::array({variable("B", "1"), variable("A", "1")}))),
                ElementsAre("containers[main].env (order): [\"A\",\"B\"] -> [\"B\",\"A\"]"));
}

TEST(Differences, NullDiffersFromMissingField) {
    EXPECT_THAT(texts({{"a", Json::array()}}, {{"a", nullptr}}), ElementsAre("a: [] -> null"));
    EXPECT_THAT(texts({{"a", Json::array()}}, Json::object()), ElementsAre("a: [] -> -"));
}

TEST(Differences, HidesSecrets) {
    EXPECT_THAT(
        texts(env(Json::array({variable("DB_PASSWORD", "old")})), env(Json::array({variable("DB_PASSWORD", "new")}))),
        ElementsAre("containers[main].env[DB_PASSWORD].value: (not shown) -> (not shown)"));
    for (const Json& item : {variable("API_TOKEN", "hush"), variable("URL", "https://me:hush@host/x")}) {
        EXPECT_THAT(texts(env(Json::array({item})), env(Json::array())), ElementsAre(Not(HasSubstr("hush")))) << item;
        EXPECT_THAT(texts(env(Json::array({item})), Json::object()), ElementsAre(Not(HasSubstr("hush")))) << item;
    }
    EXPECT_THAT(texts({{"args", {"--token=hush"}}}, Json::object()), ElementsAre(Not(HasSubstr("hush"))));
    const Json applied = {{"annotations", {{"kubectl.kubernetes.io/last-applied-configuration", "hush"}}}};
    EXPECT_THAT(texts(applied, {{"annotations", Json::object()}}), ElementsAre(Not(HasSubstr("hush"))));
    EXPECT_THAT(texts(applied, Json::object()), ElementsAre(Not(HasSubstr("hush"))));
}

TEST(Differences, ShortensLongValues) {
    EXPECT_LT(texts({{"a", std::string(5000, 'x')}}, Json::object()).at(0).size(), 300u);
}

}  // namespace

}  // namespace cudafault::kube
