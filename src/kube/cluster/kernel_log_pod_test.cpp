// SPDX-License-Identifier: Apache-2.0
#include "kube/cluster/kernel_log_pod.hpp"

#include <gmock/gmock.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "kube/api/common/cancellation.hpp"
#include "kube/api/common/error.hpp"
#include "kube/api/testing/session_testing.hpp"
#include "kube/api/testing/test_files.hpp"
#include "kube/names.hpp"
#include "kube/testing/paths_testing.hpp"

namespace cudafault::kube {

namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

constexpr const char* kXid = "NVRM: Xid (PCI:0000:65:00): 79, GPU has fallen off the bus.";

const std::string kAnyPod = kPodPath + "/" + names::kKernelLogPrefix + "*";  // the name ends with a random number

KernelLogRequest request_for(const std::string& target = "/dev/kmsg") {
    KernelLogRequest request;
    request.in_namespace = "prod";
    request.node = "n1";
    request.target = target;
    request.lines = {{std::chrono::milliseconds(0), 4, kXid}};
    return request;
}

Json pod_for(const KernelLogRequest& request) { return kernel_log_pod(request, "p", std::chrono::seconds(30)); }

Json container_for(const KernelLogRequest& request) { return pod_for(request).at("spec").at("containers").at(0); }

TEST(KernelLogPod, HasOnlyWhatItNeeds) {
    const Json pod = pod_for(request_for());
    const Json& spec = pod.at("spec");
    EXPECT_EQ(spec.at("nodeName"), "n1");
    EXPECT_EQ(spec.at("restartPolicy"), "Never");
    EXPECT_EQ(spec.at("activeDeadlineSeconds"), 30);
    EXPECT_EQ(spec.at("automountServiceAccountToken"), false);
    EXPECT_EQ(spec.at("tolerations"), Json::parse(R"([{"operator": "Exists"}])"));
    EXPECT_EQ(spec.at("containers").size(), 1u);
    EXPECT_FALSE(spec.contains("serviceAccountName"));
    EXPECT_FALSE(spec.contains("hostPID") || spec.contains("hostNetwork") || spec.contains("hostIPC"));
    EXPECT_EQ(spec.at("containers").at(0).at("securityContext").at("readOnlyRootFilesystem"), true);
    EXPECT_EQ(pod.at("metadata").at("labels"),
              Json({{names::kManagedBy, names::kManager}, {names::kRole, names::kKernelLogRole}}));
}

TEST(KernelLogPod, MountsOnlyTheTargetAndNeverCreatesIt) {
    for (const auto& [target, type] : {std::pair{"/dev/kmsg", "CharDevice"}, std::pair{"/var/log/kern.log", "File"}}) {
        const Json pod = pod_for(request_for(target));
        EXPECT_EQ(pod.at("spec").at("volumes"),
                  Json::array({{{"name", "target"}, {"hostPath", {{"path", target}, {"type", type}}}}}));
        EXPECT_EQ(container_for(request_for(target)).at("volumeMounts").size(), 1u);
    }
}

TEST(KernelLogPod, IsPrivilegedOnlyForADevice) {
    EXPECT_EQ(container_for(request_for()).at("securityContext").at("privileged"), true);
    const Json file = container_for(request_for("/var/log/kern.log")).at("securityContext");
    EXPECT_FALSE(file.contains("privileged"));
    EXPECT_EQ(file.at("allowPrivilegeEscalation"), false);
    EXPECT_EQ(file.at("capabilities").at("drop"), Json::array({"ALL"}));
}

TEST(KernelLogPod, GetsTheLinesAsArgumentsWithLevelAndPause) {
    KernelLogRequest request = request_for();
    request.lines.push_back({std::chrono::milliseconds(1023), 3, R"-(name=it's "$(HOSTNAME)" $1 \n %s)-"});
    EXPECT_EQ(container_for(request).at("args"),
              Json::array({"0", std::string("<4>") + kXid, "1.023", R"-(<3>name=it's "$$(HOSTNAME)" $$1 \n %s)-"}))
        << "the kubelet replaces $$ with $, and would replace $(HOSTNAME)";
    request.target = "/var/log/kern.log";
    EXPECT_EQ(container_for(request).at("args").at(1), kXid) << "a file has no levels";
}

// Runs the command of the container with `target` in place of the mounted path. Returns the exit status.
int run_container(const Json& container, const std::string& target) {
    std::vector<std::string> words = container.at("command").get<std::vector<std::string>>();
    words.back() = target;
    for (const Json& argument : container.at("args")) words.push_back(argument);
    std::vector<char*> pointers;
    for (std::string& word : words) {
        for (size_t at = 0; (at = word.find("$$", at)) != std::string::npos; ++at) word.erase(at, 1);  // as the kubelet
        pointers.push_back(word.data());
    }
    pointers.push_back(nullptr);
    pid_t child = 0;
    int status = -1;
    if (posix_spawnp(&child, pointers[0], nullptr, nullptr, pointers.data(), environ) == 0) waitpid(child, &status, 0);
    return status;
}

TEST(KernelLogPod, CommandAppendsEachLineUnchanged) {
    const TestFolder folder;
    const std::string file = folder.write("kern.log", "before\n");
    KernelLogRequest request = request_for("/var/log/kern.log");
    const std::string text = R"-(name=it's "$(HOSTNAME)" $1 $$ `id` \n %s)-";
    request.lines.push_back({std::chrono::milliseconds(1), 4, text});
    EXPECT_EQ(run_container(container_for(request), file), 0);
    EXPECT_EQ(folder.read("kern.log"), std::string("before\n") + kXid + "\n" + text + "\n");
    EXPECT_NE(run_container(container_for(request), folder.file("no/such/folder")), 0);
}

class WriteKernelLogTest : public SessionTest {
protected:
    WriteKernelLogTest() {
        options.tries = 1;
        responder.on("GET", "/api/v1/nodes/n1", {json_answer({{"metadata", {{"name", "n1"}}}})});
        responder.on("POST", kPodPath, {json_answer(Json::object())});
        responder.on("GET", "/api/v1/namespaces/prod/events", {json_answer({{"items", Json::array()}})});
    }

    std::string write(const KernelLogRequest& request = request_for()) {
        Client client(session());
        try {
            write_kernel_log(client, request);
            return "";
        } catch (const Error& error) {
            return error.what();
        }
    }

    void serve_pod(const std::vector<Json>& states) {
        std::vector<Answer> answers;
        for (const Json& state : states) answers.push_back(json_answer(state));
        responder.on("GET", kAnyPod, answers);
        responder.on("DELETE", kAnyPod, {json_answer(Json::object())});
    }

    void serve_events(const std::string& reason, const std::string& message) {
        const Json event = {{"reason", reason}, {"message", message}, {"type", "Warning"}};
        responder.on("GET", "/api/v1/namespaces/prod/events", {json_answer({{"items", Json::array({event})}})});
    }

    static Json pod(const std::string& phase, const Json& container_state = {}) {
        Json object = {{"metadata", {{"name", "p"}, {"namespace", "prod"}, {"uid", "u"}}},
                       {"spec", {{"nodeName", "n1"}}},
                       {"status", {{"phase", phase}}}};
        if (!container_state.is_null()) {
            object["status"]["containerStatuses"] =
                Json::array({{{"name", "kernel-log"}, {"image", "busybox"}, {"state", container_state}}});
        }
        return object;
    }

    static Json waiting(const std::string& reason, const std::string& message = "") {
        return pod("Pending", {{"waiting", {{"reason", reason}, {"message", message}}}});
    }

    std::vector<std::string> methods() const {
        std::vector<std::string> found;
        for (const SeenRequest& request : responder.requests()) {
            if (request.target.starts_with(kPodPath)) found.push_back(request.method);
        }
        return found;
    }

    bool is_deleted() const { return !methods().empty() && methods().back() == "DELETE"; }
};

TEST_F(WriteKernelLogTest, CreatesThePodWaitsAndDeletesIt) {
    serve_pod({pod("Pending"), pod("Succeeded")});
    EXPECT_EQ(write(), "");
    EXPECT_THAT(methods(), ElementsAre("POST", "GET", "GET", "DELETE"));
}

TEST_F(WriteKernelLogTest, UnknownNodeIsRefusedBeforeThePodIsCreated) {
    responder.on("GET", "/api/v1/nodes/n1", {status_answer(404, "NotFound")});
    EXPECT_THAT(write(), AllOf(HasSubstr("node \"n1\" does not exist"), HasSubstr("kubectl get nodes")));
    EXPECT_THAT(methods(), IsEmpty());
}

TEST_F(WriteKernelLogTest, NeedsNoPermissionToReadNodes) {
    responder.on("GET", "/api/v1/nodes/n1", {status_answer(403, "Forbidden", R"(User "u" cannot get nodes)")});
    serve_pod({pod("Succeeded")});
    EXPECT_EQ(write(), "");
}

TEST_F(WriteKernelLogTest, PolicyThatForbidsThePodIsExplained) {
    const std::string pod_security = R"(pods "p" is forbidden: violates PodSecurity "restricted:latest": privileged)";
    const std::string webhook = R"(admission webhook "validate.kyverno.svc" denied the request: no hostPath)";
    const std::string policy = "ValidatingAdmissionPolicy 'no-host' with binding 'b' denied request: no hostPath";
    for (const auto& [code, reason, message] :
         {std::tuple{403, "Forbidden", pod_security}, std::tuple{400, "BadRequest", webhook},
          std::tuple{422, "Invalid", policy}}) {
        responder.on("POST", kPodPath, {status_answer(code, reason, message)});
        EXPECT_THAT(write(), AllOf(StartsWith("namespace prod does not admit the pod"), HasSubstr(message),
                                   HasSubstr("-n, such as one with the pod security level privileged"),
                                   HasSubstr("`cudafault kernel-log` on the node")));
    }
    EXPECT_THAT(methods(), ElementsAre("POST", "POST", "POST"));
}

TEST_F(WriteKernelLogTest, MissingPermissionIsNotCalledAPolicy) {
    responder.on("POST", kPodPath, {status_answer(403, "Forbidden", R"(User "u" cannot create resource "pods")")});
    EXPECT_THAT(write(), AllOf(Not(HasSubstr("does not admit")), HasSubstr("ask for a Role")));
}

TEST_F(WriteKernelLogTest, FailureToStartIsExplainedAndThePodDeleted) {
    serve_pod({waiting("ErrImagePull", "not found")});
    EXPECT_THAT(write(), AllOf(HasSubstr("ErrImagePull: not found"), HasSubstr("another image with --image")));
    EXPECT_TRUE(is_deleted());

    serve_pod({waiting("ContainerCreating")});
    serve_events("FailedMount", "MountVolume.SetUp failed: hostPath type check failed: /x is not a file");
    EXPECT_THAT(write(request_for("/x")),
                AllOf(HasSubstr("node n1 has no file /x"), HasSubstr("type check failed"), HasSubstr("--to")));
    EXPECT_TRUE(is_deleted());

    Json rejected = pod("Failed");
    rejected["status"].update({{"reason", "OutOfcpu"}, {"message", "Node didn't have enough resource: cpu"}});
    serve_pod({rejected});
    EXPECT_THAT(write(), AllOf(HasSubstr("node n1 did not run pod"), HasSubstr("OutOfcpu: Node didn't")));
    EXPECT_TRUE(is_deleted());
}

TEST_F(WriteKernelLogTest, FailureToWriteHasTheOutputOfTheShell) {
    serve_pod(
        {pod("Failed", {{"terminated", {{"exitCode", 1}, {"message", "sh: can't create: Permission denied\n"}}}})});
    EXPECT_THAT(write(), AllOf(HasSubstr("exit code 1"), HasSubstr("Permission denied"), HasSubstr("some lines")));
    EXPECT_TRUE(is_deleted());
}

TEST_F(WriteKernelLogTest, TimeoutIsExplainedAndThePodDeleted) {
    options.deadline = after(std::chrono::milliseconds(700));
    serve_pod({pod("Pending")});
    EXPECT_THAT(write(), AllOf(HasSubstr("had not finished on node n1 at the timeout: its container has not started"),
                               HasSubstr("--timeout")));
    EXPECT_TRUE(is_deleted());
}

TEST_F(WriteKernelLogTest, InterruptDeletesThePod) {
    const auto cancellation = std::make_shared<Cancellation>();
    options.cancellation = cancellation;
    serve_pod({pod("Running", {{"running", Json::object()}})});
    std::thread interrupt([&] {
        responder.wait_for_requests(3);
        cancellation->cancel();
    });
    EXPECT_THAT(write(), AllOf(StartsWith("interrupted"), HasSubstr("may have written some lines")));
    interrupt.join();
    EXPECT_TRUE(is_deleted());
}

TEST_F(WriteKernelLogTest, InterruptDuringTheCreationStillDeletesThePod) {
    const auto cancellation = std::make_shared<Cancellation>();
    options.cancellation = cancellation;
    Answer slow = json_answer(Json::object());
    slow.before_head = std::chrono::milliseconds(200);
    responder.on("POST", kPodPath, {slow});
    serve_pod({pod("Pending")});
    std::thread interrupt([&] {
        responder.wait_for_requests(2);
        cancellation->cancel();
    });
    EXPECT_THAT(write(), StartsWith("interrupted"));
    interrupt.join();
    EXPECT_THAT(methods(), ElementsAre("POST", "DELETE"));
}

TEST_F(WriteKernelLogTest, PodIsDeletedIfTheResponseToItsCreationIsLost) {
    responder.on("POST", kPodPath, {dropped()});
    serve_pod({pod("Pending")});
    EXPECT_NE(write(), "");
    EXPECT_THAT(methods(), ElementsAre("POST", "DELETE"));
}

TEST_F(WriteKernelLogTest, PodThatCannotBeDeletedIsNamed) {
    serve_pod({pod("Succeeded")});
    responder.on("DELETE", kAnyPod, {status_answer(500, "InternalError")});
    EXPECT_THAT(write(), AllOf(HasSubstr("was not deleted"), HasSubstr("kubectl delete pod cudafault-kernel-log-")));
}

TEST_F(WriteKernelLogTest, PodThatAnotherClientDeletesIsReported) {
    responder.on("GET", kAnyPod, {status_answer(404, "NotFound")});
    EXPECT_THAT(write(), HasSubstr("another client deleted pod"));
}

}  // namespace

}  // namespace cudafault::kube
