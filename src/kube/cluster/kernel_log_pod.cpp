// SPDX-License-Identifier: Apache-2.0
#include "kube/cluster/kernel_log_pod.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "kube/api/client/resource.hpp"
#include "kube/api/common/cancellation.hpp"
#include "kube/api/common/error.hpp"
#include "kube/api/common/json.hpp"
#include "kube/api/transport/api_error.hpp"
#include "kube/api/transport/session.hpp"
#include "kube/names.hpp"
#include "kube/object/path.hpp"
#include "kube/record/random_id.hpp"
#include "kube/workload/diagnosis.hpp"
#include "kube/workload/pod_state.hpp"
#include "os/one_line.hpp"

namespace cudafault::kube {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kPollInterval(500);
constexpr seconds kWriteTime(10);  // for each request that an interrupt must not end
constexpr const char* kContainer = "kernel-log";
constexpr const char* kVolume = "target";
constexpr const char* kMount = "/cudafault/kernel-log";
constexpr const char* kOnTheNode = "run `cudafault kernel-log` on the node";

// $0 is the target, and the arguments are pairs of a pause in seconds and a line. A shell writes the output of one
// printf with one write. Opens the target for each line, because the kernel limits the rate of each open file of
// /dev/kmsg.
constexpr const char* kScript = R"(while [ "$#" -gt 0 ]; do
    [ "$1" = 0 ] || sleep "$1"
    printf '%s\n' "$2" >>"$0" || exit 1
    shift 2
done)";

bool is_device(const std::string& target) { return target.starts_with("/dev/"); }

// The kubelet replaces $(NAME) in commands and arguments, and $$ with $.
std::string without_expansion(const std::string& text) {
    std::string escaped;
    for (const char c : text) escaped.append(c == '$' ? 2 : 1, c);
    return escaped;
}

std::string pause_text(milliseconds pause) {
    if (pause.count() == 0) return "0";
    return fmt::format("{}.{:03}", pause.count() / 1000, pause.count() % 1000);
}

Json arguments_of(const KernelLogRequest& request) {
    Json arguments = Json::array();
    for (const KernelLogLine& line : request.lines) {
        const std::string level = is_device(request.target) ? fmt::format("<{}>", line.level) : "";
        arguments.push_back(pause_text(line.pause));
        arguments.push_back(without_expansion(level + line.text));
    }
    return arguments;
}

// A file may belong to another user, such as the syslog user.
Json security_context(const std::string& target) {
    Json context = {{"runAsUser", 0}, {"readOnlyRootFilesystem", true}};
    if (is_device(target)) {
        context["privileged"] = true;
        return context;
    }
    context["allowPrivilegeEscalation"] = false;
    context["capabilities"] = {{"drop", {"ALL"}}, {"add", {"DAC_OVERRIDE"}}};
    context["seccompProfile"] = {{"type", "RuntimeDefault"}};
    return context;
}

Json container_of(const KernelLogRequest& request) {
    return {{"name", kContainer},
            {"image", request.image},
            {"imagePullPolicy", "IfNotPresent"},
            {"command", {"sh", "-c", without_expansion(kScript), kMount}},
            {"args", arguments_of(request)},
            {"resources",
             {{"requests", {{"cpu", "10m"}, {"memory", "16Mi"}}}, {"limits", {{"cpu", "100m"}, {"memory", "16Mi"}}}}},
            {"securityContext", security_context(request.target)},
            {"terminationMessagePolicy", "FallbackToLogsOnError"},
            {"volumeMounts", Json::array({{{"name", kVolume}, {"mountPath", kMount}}})}};
}

// Sends a request that neither an interrupt nor the deadline of the command ends, so that its outcome is known.
template <typename Action>
void uninterrupted(Session& session, const Action& action) {
    SessionOptions options = session.options();
    options.cancellation = std::make_shared<Cancellation>();
    options.deadline = after(kWriteTime);
    Session own(session, options);
    Client client(own);
    action(client);
}

// Throws nothing if the account may not read nodes, because reading nodes needs a ClusterRole.
void require_node(Client& client, const std::string& name) {
    try {
        if (client.find({nodes(), "", name})) return;
    } catch (const ApiError& error) {
        if (!error.is_forbidden()) throw;
        return;
    }
    throw Error(fmt::format("node \"{}\" does not exist: `kubectl get nodes` lists the nodes", name));
}

// Admission plugins, quotas and policies reject a pod with 403; webhooks and ValidatingAdmissionPolicies also use other
// codes.
bool is_rejected_by_policy(const ApiError& error) {
    const std::string message = text_at(error.status, "message");
    return error.is_forbidden() || message.find(" denied the request") != std::string::npos ||
           message.find(" denied request") != std::string::npos;
}

class KernelLogWriter {
public:
    KernelLogWriter(Client& client, const KernelLogRequest& request)
        : client_(client),
          request_(request),
          ref_{pods(), request.in_namespace, names::kKernelLogPrefix + random_id()} {}
    ~KernelLogWriter();  // deletes the pod if remove() was not called
    KernelLogWriter(const KernelLogWriter&) = delete;
    KernelLogWriter& operator=(const KernelLogWriter&) = delete;

    void create();
    void wait_until_written();
    void remove();

private:
    bool has_written();
    void throw_if_failed() const;
    void throw_if_target_missing() const;
    std::string failure() const;
    std::string waiting_reason() const;
    std::string why_not_finished() const;
    const Json& container_state() const;
    bool has_started() const;

    Client& client_;
    const KernelLogRequest& request_;
    const ObjectRef ref_;
    bool may_exist_ = false;
    Json pod_;                  // as last read
    std::vector<Json> events_;  // warnings about the pod, as last read
};

KernelLogWriter::~KernelLogWriter() {
    try {
        remove();
    } catch (const std::exception& error) {
        if (request_.on_progress) request_.on_progress(error.what());
    }
}

void KernelLogWriter::create() {
    const auto left = time_left(client_.session().options().deadline, seconds(INT32_MAX));
    const seconds limit = std::max(seconds(1), std::chrono::ceil<seconds>(left));
    may_exist_ = true;
    try {
        uninterrupted(client_.session(),
                      [&](Client& client) { client.create(pods(), kernel_log_pod(request_, ref_.name, limit)); });
    } catch (const ApiError& error) {
        may_exist_ = false;
        if (error.is_permission_denied() || !is_rejected_by_policy(error)) throw;
        throw Error(fmt::format(
            "namespace {} does not admit the pod that writes to {}: {}; choose another namespace with -n, "
            "such as one with the pod security level privileged, or {}",
            request_.in_namespace, request_.target, one_line(text_at(error.status, "message")), kOnTheNode));
    }
}

void KernelLogWriter::remove() {
    if (!may_exist_) return;
    may_exist_ = false;
    try {
        uninterrupted(client_.session(), [&](Client& client) { client.remove(ref_); });
    } catch (const ApiError& error) {
        if (error.is_not_found()) return;
        throw Error(fmt::format("pod {} was not deleted: {}; delete it with `kubectl delete pod {} -n {}`", ref_.name,
                                error.what(), ref_.name, ref_.in_namespace));
    }
}

bool KernelLogWriter::has_written() {
    const auto pod = client_.find(ref_);
    if (!pod) {
        throw Error(
            fmt::format("another client deleted pod {}, which may have written some lines; check that node {} "
                        "exists, and run the command again",
                        ref_.name, request_.node));
    }
    pod_ = *pod;
    return text_at(pod_, {"status", "phase"}) == "Succeeded";
}

void KernelLogWriter::wait_until_written() {
    try {
        while (!has_written()) {
            if (!has_started()) events_ = warnings_on(client_, ref_.in_namespace, pod_uid(pod_));
            throw_if_failed();
            throw_if_target_missing();
            client_.session().wait_until(after(kPollInterval));
        }
    } catch (const Cancelled&) {
        throw Error(fmt::format("interrupted; pod {} may have written some lines", ref_.name));
    } catch (const DeadlinePassed&) {
        throw Error(fmt::format("pod {} had not finished on node {} at the timeout: {}", ref_.name, request_.node,
                                why_not_finished()));
    }
}

// The state of the only container; null if the kubelet has not reported it.
const Json& KernelLogWriter::container_state() const {
    static const Json kNone;
    const Json* status = container_status(pod_, kContainer);
    return status ? value_at(*status, "state") : kNone;
}

bool KernelLogWriter::has_started() const {
    return container_state().contains("running") || container_state().contains("terminated");
}

std::string KernelLogWriter::failure() const {
    const Json& ended = value_at(container_state(), "terminated");
    if (!ended.is_object()) {  // the kubelet did not start the container, or the pod was active for too long
        return fmt::format("node {} did not run pod {}: {}: {}; choose another node, or {}", request_.node, ref_.name,
                           text_at(pod_, {"status", "reason"}), one_line(text_at(pod_, {"status", "message"})),
                           kOnTheNode);
    }
    const std::string output = one_line(text_at(ended, "message"));
    return fmt::format(
        "pod {} failed on node {} with exit code {}{}, and may have written some lines; use --image with an image that "
        "has "
        "a shell, or {}",
        ref_.name, request_.node, number_at(ended, {"exitCode"}),
        output.empty() ? "" : fmt::format(" and the output \"{}\"", output), kOnTheNode);
}

// A reason for which the kubelet does not start the container, such as ErrImagePull.
std::string KernelLogWriter::waiting_reason() const {
    const std::string reason = text_at(value_at(container_state(), "waiting"), "reason");
    return reason == "ContainerCreating" || reason == "PodInitializing" ? "" : reason;
}

void KernelLogWriter::throw_if_failed() const {
    if (is_finished(pod_)) throw Error(failure());
    if (waiting_reason().empty()) return;
    const bool is_image = waiting_reason().find("Image") != std::string::npos;
    throw Error(diagnosis_text(pod_, events_) + (is_image ? ", or name another image with --image" : ""));
}

void KernelLogWriter::throw_if_target_missing() const {
    for (const Json& event : events_) {
        if (text_at(event, "message").find("hostPath type check failed") == std::string::npos) continue;
        throw Error(fmt::format(
            "node {} has no {} {}, and cudafault does not create it ({}); use --to with another path", request_.node,
            is_device(request_.target) ? "device" : "file", request_.target, one_line(text_at(event, "message"))));
    }
}

std::string KernelLogWriter::why_not_finished() const {
    if (has_started()) return "it is still running, and may have written some lines; use a longer --timeout";
    std::string diagnosis = diagnosis_text(pod_, events_);
    if (!diagnosis.empty()) return diagnosis;
    return "its container has not started; check that the kubelet of the node is running, or use a longer --timeout";
}

}  // namespace

Json kernel_log_pod(const KernelLogRequest& request, const std::string& name, seconds limit) {
    const Json target = {{"path", request.target}, {"type", is_device(request.target) ? "CharDevice" : "File"}};
    return {{"apiVersion", "v1"},
            {"kind", "Pod"},
            {"metadata",
             {{"name", name},
              {"namespace", request.in_namespace},
              {"labels", {{names::kManagedBy, names::kManager}, {names::kRole, names::kKernelLogRole}}}}},
            {"spec",
             {{"nodeName", request.node},
              {"restartPolicy", "Never"},
              {"activeDeadlineSeconds", limit.count()},
              {"terminationGracePeriodSeconds", 1},  // the shell does not handle SIGTERM
              {"automountServiceAccountToken", false},
              {"enableServiceLinks", false},
              {"tolerations", Json::array({{{"operator", "Exists"}}})},
              {"containers", Json::array({container_of(request)})},
              {"volumes", Json::array({{{"name", kVolume}, {"hostPath", target}}})}}}};
}

void write_kernel_log(Client& client, const KernelLogRequest& request) {
    require_node(client, request.node);
    KernelLogWriter writer(client, request);
    writer.create();
    writer.wait_until_written();
    writer.remove();
}

}  // namespace cudafault::kube
