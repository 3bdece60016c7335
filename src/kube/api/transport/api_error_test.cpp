// SPDX-License-Identifier: Apache-2.0
#include "kube/api/transport/api_error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <ctime>

#include "kube/api/common/connection.hpp"
#include "kube/api/transport/http.hpp"

namespace cudafault::kube {

namespace {

using std::chrono::seconds;
using testing::AllOf;
using testing::HasSubstr;

const Subject kSubject{"patch", "deployments.apps", "prod", "web", "deployment.apps"};

Connection connection() {
    Connection result;
    result.context = "staging";
    result.user_name = "alice";
    result.cluster.server = "https://u:p@api.test";
    return result;
}

Json status(int code, const std::string& reason, const Json& details = Json::object()) {
    return {{"kind", "Status"}, {"code", code}, {"reason", reason}, {"message", "the words"}, {"details", details}};
}

ApiError error_of(int code, const Json& body, std::vector<std::pair<std::string, std::string>> headers = {}) {
    HttpResponse response;
    response.status = code;
    response.body = body.dump();
    response.headers = std::move(headers);
    return api_error(response, kSubject, connection());
}

const Json kCauses = {{"causes", {{{"reason", "FieldValueInvalid"}}}}};
const Json kBudget = {{"causes", {{{"reason", "DisruptionBudget"}}}}};

TEST(ApiError, MessageNamesObjectContextAndAdvice) {
    const ApiError error = error_of(404, status(404, "NotFound"));
    EXPECT_EQ(std::string(error.what()),
              "cannot patch deployment.apps/web in namespace prod (context staging): HTTP 404, the words; check the "
              "name, namespace and context");
    EXPECT_TRUE(error.is_not_found());
    EXPECT_EQ(error.reason(), "NotFound");
}

TEST(ApiError, ServerMessageIsOneLine) {
    Json body = status(422, "Invalid", kCauses);
    body["message"] = "first\n* second\x1b[31mé";
    EXPECT_THAT(error_of(422, body).what(), HasSubstr("HTTP 422, first * second [31mé; correct the request"));
}

TEST(ApiError, PermissionErrorNamesRole) {
    Json body = status(403, "Forbidden");
    body["message"] = "deployments.apps \"web\" is forbidden: User \"u\" cannot patch resource \"deployments\"";
    EXPECT_THAT(error_of(403, body).what(),
                HasSubstr("ask for a Role in namespace prod with verb patch on deployments.apps"));
    HttpResponse response;
    response.status = 403;
    response.body = body.dump();
    EXPECT_THAT(api_error(response, {"list", "nodes", "", ""}, connection()).what(),
                HasSubstr("ask for a ClusterRole with verb list on nodes"));
}

TEST(ApiError, ImpersonationErrorDoesNotSuggestRole) {
    Json body = status(403, "Forbidden");
    body["message"] = "users \"eve\" is forbidden: User \"u\" cannot impersonate resource \"users\" in API group \"\"";
    const ApiError error = error_of(403, body);
    EXPECT_THAT(error.what(), HasSubstr("ask for permission to impersonate"));
    EXPECT_FALSE(error.is_permission_denied()) << "a Role for the request does not help";
}

TEST(ApiError, AdmissionErrorDoesNotSuggestRole) {
    Json body = status(403, "Forbidden");
    body["message"] = "pods \"web-1\" is forbidden: violates PodSecurity \"restricted:latest\": runAsNonRoot != true";
    EXPECT_THAT(error_of(403, body).what(), HasSubstr("runAsNonRoot != true; find the admission policy or quota"));
}

TEST(ApiError, UnauthorizedNamesUser) {
    EXPECT_THAT(error_of(401, status(401, "Unauthorized")).what(), HasSubstr("credentials of user alice"));
}

TEST(ApiError, ClassifiesConflicts) {
    EXPECT_TRUE(error_of(409, status(409, "Conflict")).is_conflict());
    EXPECT_TRUE(error_of(422, status(422, "Invalid")).is_conflict());
    EXPECT_TRUE(error_of(422, {{"kind", "Status"}, {"reason", "Invalid"}}).is_conflict());

    EXPECT_FALSE(error_of(409, status(409, "AlreadyExists")).is_conflict());
    EXPECT_FALSE(error_of(422, status(422, "Invalid", kCauses)).is_conflict());
    EXPECT_FALSE(error_of(422, "not a Status").is_conflict());
    EXPECT_FALSE(error_of(404, status(404, "NotFound")).is_conflict());
    EXPECT_TRUE(error_of(409, status(409, "AlreadyExists")).is_already_exists());
    EXPECT_FALSE(error_of(409, status(409, "Conflict")).is_already_exists());
}

TEST(ApiError, Status410IsExpired) {
    EXPECT_TRUE(error_of(410, status(410, "Expired")).is_expired());
    EXPECT_FALSE(error_of(404, status(404, "NotFound")).is_expired());
}

TEST(ApiError, ParsesRetryAfter) {
    EXPECT_EQ(error_of(429, {}).retry_after, std::nullopt);
    EXPECT_EQ(error_of(429, {}, {{"retry-after", "7"}}).retry_after, seconds(7));
    EXPECT_EQ(error_of(429, {}, {{"retry-after", "-7"}}).retry_after, seconds(0));
    EXPECT_EQ(error_of(429, {}, {{"retry-after", "soon"}}).retry_after, std::nullopt);
    EXPECT_EQ(error_of(429, {}, {{"retry-after", "Thu, 01 Jan 1970 00:01:00 GMT"}}).retry_after, seconds(0));
    const time_t when = std::time(nullptr) + 60;
    char date[64];
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime(&when));
    const auto wait = error_of(429, {}, {{"retry-after", date}}).retry_after;
    ASSERT_TRUE(wait);
    EXPECT_GE(*wait, seconds(50));
    EXPECT_LE(*wait, seconds(60));
}

TEST(ApiError, DisruptionBudgetIsNotOverload) {
    EXPECT_TRUE(error_of(429, status(429, "TooManyRequests"), {{"retry-after", "1"}}).is_overload());
    EXPECT_TRUE(error_of(503, status(503, "ServiceUnavailable"), {{"retry-after", "1"}}).is_overload());
    EXPECT_FALSE(error_of(429, status(429, "TooManyRequests")).is_overload());
    EXPECT_FALSE(error_of(500, status(500, "InternalError"), {{"retry-after", "1"}}).is_overload());

    const ApiError budget = error_of(429, status(429, "TooManyRequests", kBudget), {{"retry-after", "10"}});
    EXPECT_FALSE(budget.is_overload());
    EXPECT_TRUE(budget.is_disruption_budget());
    EXPECT_FALSE(error_of(429, status(429, "TooManyRequests")).is_disruption_budget());
}

TEST(ApiError, ShortensResponseThatIsNotStatus) {
    HttpResponse response;
    response.status = 502;
    response.body = "<html>\x1b[31m" + std::string(500, 'x');
    const ApiError error = api_error(response, kSubject, connection());
    EXPECT_TRUE(error.status.is_null());
    EXPECT_THAT(error.what(), AllOf(HasSubstr("not a Status: \"<html> [31mxxx"), HasSubstr("...\"")));
    EXPECT_LT(std::string(error.what()).size(), 400u);
}

TEST(ApiError, ErrorWithoutContextNamesServerWithoutPassword) {
    Connection without_context = connection();
    without_context.context.clear();
    EXPECT_THAT(api_error(status(500, "x"), kSubject, without_context).what(), HasSubstr("(https://api.test)"));
}

TEST(ApiError, WatchEventWithoutCodeIs500) {
    EXPECT_EQ(api_error(status(410, "Expired"), kSubject, connection()).code, 410);
    EXPECT_EQ(api_error(Json(), kSubject, connection()).code, 500);
    EXPECT_EQ(api_error(Json{{"code", "410"}}, kSubject, connection()).code, 500);
}

TEST(ApiError, ToleratesMalformedDetails) {
    for (const Json& details : {Json(), Json("text"), Json::array(), Json{{"causes", 7}}, Json{{"causes", {7}}}}) {
        EXPECT_FALSE(error_of(429, status(429, "x", details)).is_disruption_budget()) << details;
    }
}

}  // namespace

}  // namespace cudafault::kube
