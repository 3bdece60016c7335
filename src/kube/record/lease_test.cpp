// SPDX-License-Identifier: Apache-2.0
#include "kube/record/lease.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kube/api/common/cancellation.hpp"
#include "kube/api/transport/api_error.hpp"
#include "kube/testing/injection_testing.hpp"
#include "kube/testing/paths_testing.hpp"
#include "os/process.hpp"
#include "os/timestamp.hpp"

namespace cudafault::kube {

namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string seconds_ago(int count) {
    return utc_text(std::chrono::system_clock::now() - std::chrono::seconds(count), Precision::microseconds);
}

Json lease_of(const std::string& holder, int renewed_ago = 0) {
    return {{"metadata",
             {{"name", "cudafault-" + plain_deployment().hash()},
              {"namespace", "prod"},
              {"uid", "uid-lease"},
              {"resourceVersion", "5"}}},
            {"spec", {{"holderIdentity", holder}, {"renewTime", seconds_ago(renewed_ago)}}}};
}

// A holder on this machine whose process has ended or never existed.
std::string dead_holder() {
    const std::string own = lease_holder();
    const std::string machine = own.substr(0, own.find(fmt::format("/{}/", getpid())));
    return machine + "/2147483646/77 eve@desk";
}

TEST(IsDeadHolder, IsTrueForAZombie) {
    const std::string own = lease_holder();
    const std::string machine = own.substr(0, own.find(fmt::format("/{}/", getpid())));
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
        char byte;
        _exit(read(ends[0], &byte, 1) == 1 ? 0 : 1);
    }
    const std::string holder = fmt::format("{}/{}/{} eve@desk", machine, child, start_time(child).value_or(0));
    EXPECT_FALSE(is_dead_holder(holder));
    ASSERT_EQ(write(ends[1], "", 1), 1);
    siginfo_t info;
    ASSERT_EQ(waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT), 0);
    EXPECT_TRUE(is_dead_holder(holder));
    waitpid(child, nullptr, 0);
    close(ends[0]);
    close(ends[1]);
}

class LeaseTest : public WorkloadTest {
protected:
    void serve_lease(const Json& json) { serve_object(path, json); }

    void acquire_and_release() {
        HeldLease lease(
            client(), workload.ref, [&](const std::string& line) { progress_lines.push_back(line); }, kRenewal);
        lease.release();
    }

    std::vector<std::string> methods() const {
        std::vector<std::string> all;
        for (const SeenRequest& request : responder.requests()) all.push_back(request.method);
        return all;
    }

    static constexpr std::chrono::milliseconds kRenewal{1500};
    const Workload workload = plain_deployment();
    const std::string path = kLeasePath + "/cudafault-" + workload.hash();
    std::vector<std::string> progress_lines;
};

TEST_F(LeaseTest, IsAcquiredAndReleased) {
    responder.on("POST", kLeasePath, {json_answer(lease_of(lease_holder()))});
    responder.on("DELETE", path, {json_answer(Json::object())});
    serve_lease(lease_of(lease_holder()));
    acquire_and_release();
    EXPECT_THAT(methods(), ElementsAre("POST", "GET", "DELETE"));
    const Json sent = Json::parse(seen(0).body);
    EXPECT_EQ(text_at(sent, {"spec", "holderIdentity"}), lease_holder());
    EXPECT_EQ(number_at(sent, {"spec", "leaseDurationSeconds"}), 60);
    EXPECT_EQ(sent.at("metadata").at("ownerReferences").at(0).at("uid"), "uid-web");
    EXPECT_EQ(Json::parse(seen(2).body).at("preconditions").at("uid"), "uid-lease");
    EXPECT_THAT(progress_lines, IsEmpty());
}

TEST_F(LeaseTest, IsReleasedByTheDestructor) {
    responder.on("POST", kLeasePath, {json_answer(lease_of(lease_holder()))});
    responder.on("DELETE", path, {status_answer(403, "Forbidden")});
    serve_lease(lease_of(lease_holder()));
    {
        HeldLease lease(client(), workload.ref, {});
    }
    EXPECT_THAT(methods(), ElementsAre("POST", "GET", "DELETE")) << "the destructor must ignore errors of the release";
    EXPECT_THROW(acquire_and_release(), ApiError);
}

TEST_F(LeaseTest, IsNotDeletedIfAnotherClientHoldsIt) {
    responder.on("POST", kLeasePath, {json_answer(lease_of(lease_holder()))});
    serve_lease(lease_of("boot/pid:[1]/1/2 eve@desk"));
    acquire_and_release();
    EXPECT_THAT(methods(), ElementsAre("POST", "GET"));
}

TEST_F(LeaseTest, IsTakenImmediatelyFromADeadHolderOnThisMachine) {
    responder.on("POST", kLeasePath, {status_answer(409, "AlreadyExists")});
    responder.on("PATCH", path, {json_answer(lease_of(lease_holder()))});
    serve_lease(lease_of(dead_holder()));
    acquire_and_release();
    EXPECT_THAT(methods(), ElementsAre("POST", "GET", "PATCH", "GET"));
    const Json taken = lease_of(dead_holder()).patch(Json::parse(seen(2).body));
    EXPECT_EQ(text_at(taken, {"spec", "holderIdentity"}), lease_holder());
    EXPECT_THAT(seen(2).body, HasSubstr("/metadata/resourceVersion"));
    EXPECT_THAT(progress_lines, IsEmpty());
}

TEST_F(LeaseTest, IsTakenAfterItExpires) {
    responder.on("POST", kLeasePath, {status_answer(409, "AlreadyExists")});
    responder.on("PATCH", path, {json_answer(lease_of(lease_holder()))});
    serve_lease(lease_of("boot/pid:[1]/1/2 eve@desk", 70));
    const auto began = Clock::now();
    acquire_and_release();
    EXPECT_GT(Clock::now() - began, kRenewal)
        << "the holder's clock may differ, so the client must wait for a missing renewal";
    EXPECT_THAT(methods(), ElementsAre("POST", "GET", "POST", "GET", "POST", "GET", "PATCH", "GET"));
}

TEST_F(LeaseTest, IsNotTakenWhileAnotherClientRenewsIt) {
    responder.on("POST", kLeasePath, {status_answer(409, "AlreadyExists")});
    std::vector<Answer> renewed;
    for (int version = 1; version < 9; ++version) {
        Json lease = lease_of("boot/pid:[1]/1/2 eve@desk", 3600);
        lease["metadata"]["resourceVersion"] = std::to_string(version);
        renewed.push_back(json_answer(lease));
    }
    responder.on("GET", path, renewed);
    options.deadline = after(std::chrono::seconds(5));
    EXPECT_THROW(acquire_and_release(), DeadlinePassed);
    EXPECT_THAT(methods(), testing::Not(testing::Contains("PATCH")));
}

TEST_F(LeaseTest, WaitsForAnotherHolderAndReportsItOnce) {
    const Answer already_exists = status_answer(409, "AlreadyExists");
    responder.on("POST", kLeasePath, {already_exists, already_exists, json_answer(lease_of(lease_holder()))});
    serve_lease(lease_of("boot/pid:[1]/1/2 eve@desk", 50));
    acquire_and_release();
    EXPECT_THAT(progress_lines, ElementsAre("waiting for the lease held by eve@desk"));
    EXPECT_THAT(methods(), ElementsAre("POST", "GET", "POST", "GET", "POST", "GET"));
}

TEST_F(LeaseTest, WaitsAfterAConflict) {
    responder.on("POST", kLeasePath, {status_answer(409, "AlreadyExists"), json_answer(lease_of(lease_holder()))});
    responder.on("PATCH", path, {status_answer(409, "Conflict")});
    serve_lease(lease_of(dead_holder(), 70));
    acquire_and_release();
    EXPECT_THAT(methods(), ElementsAre("POST", "GET", "PATCH", "POST", "GET"));
}

TEST_F(LeaseTest, IsRenewedWhileItIsHeld) {
    responder.on("POST", kLeasePath, {json_answer(lease_of(lease_holder()))});
    responder.on("PATCH", path, {json_answer(lease_of(lease_holder()))});
    responder.on("DELETE", path, {json_answer(Json::object())});
    serve_lease(lease_of(lease_holder()));
    {
        const HeldLease lease(client(), workload.ref, {}, std::chrono::milliseconds(10));
        ASSERT_TRUE(responder.wait_for_requests(3));
    }
    EXPECT_EQ(seen(2).method, "PATCH");
    const Json patch = Json::parse(seen(2).body);
    EXPECT_EQ(text_at(lease_of(lease_holder(), 3600).patch(patch), {"spec", "renewTime"}).substr(0, 13),
              seconds_ago(0).substr(0, 13));
    EXPECT_ANY_THROW(lease_of("boot/pid:[1]/1/2 eve@desk").patch(patch))
        << "the patch must fail if another client holds the lease";
}

TEST_F(LeaseTest, ReleaseCancelsAHangingRenewalAndRetriesOnAConflict) {
    Answer never;
    never.end = Answer::End::kHold;
    responder.on("POST", kLeasePath, {json_answer(lease_of(lease_holder()))});
    responder.on("PATCH", path, {never});
    responder.on("DELETE", path, {status_answer(409, "Conflict"), json_answer(Json::object())});
    serve_lease(lease_of(lease_holder()));
    const auto began = Clock::now();
    {
        HeldLease lease(client(), workload.ref, {}, std::chrono::milliseconds(10));
        ASSERT_TRUE(responder.wait_for_requests(2));
        lease.release();
    }
    EXPECT_LT(Clock::now() - began, std::chrono::seconds(5));
    EXPECT_THAT(methods(), ElementsAre("POST", "PATCH", "GET", "DELETE", "GET", "DELETE"));
}

TEST_F(LeaseTest, DestructorDoesNotRetryAFailedRelease) {
    responder.on("POST", kLeasePath, {json_answer(lease_of(lease_holder()))});
    responder.on("DELETE", path, {status_answer(403, "Forbidden")});
    serve_lease(lease_of(lease_holder()));
    {
        HeldLease lease(client(), workload.ref, {}, kRenewal);
        EXPECT_THROW(lease.release(), ApiError);
    }
    EXPECT_THAT(methods(), ElementsAre("POST", "GET", "DELETE"));
}

TEST_F(LeaseTest, WaitsNoLongerThanTheSessionDeadline) {
    options.deadline = after(std::chrono::milliseconds(200));
    responder.on("POST", kLeasePath, {status_answer(409, "AlreadyExists")});
    serve_lease(lease_of("boot/pid:[1]/1/2 eve@desk"));
    EXPECT_THROW(acquire_and_release(), DeadlinePassed);
}

TEST_F(LeaseTest, FailsWithoutPermission) {
    responder.on("POST", kLeasePath, {status_answer(403, "Forbidden")});
    EXPECT_THROW(acquire_and_release(), ApiError);
}

TEST(IsDeadHolder, ComparesMachineAndStartTime) {
    EXPECT_FALSE(is_dead_holder(lease_holder()));
    EXPECT_TRUE(is_dead_holder(dead_holder()));
    EXPECT_FALSE(is_dead_holder("another-boot" + dead_holder()));
    for (const char* text : {"", " ", "eve@desk", "boot/pid:[1]/1/2 eve@desk"}) EXPECT_FALSE(is_dead_holder(text));
    // The same PID with a different start time.
    const std::string own = lease_holder();
    const size_t start = own.rfind('/', own.find(' ')) + 1;
    EXPECT_TRUE(is_dead_holder(own.substr(0, start) + "1" + own.substr(start)));
}

}  // namespace

}  // namespace cudafault::kube
