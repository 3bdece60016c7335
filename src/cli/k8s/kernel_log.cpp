// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>

#include "cli/k8s/cluster.hpp"
#include "cli/log_line_options.hpp"
#include "cli/xid_options.hpp"
#include "kube/cluster/kernel_log_pod.hpp"
#include "os/plural.hpp"

namespace cudafault::cli {

namespace {

constexpr const char* kNodeLogExamples = R"(Examples:
  cudafault k8s kernel-log gpu-node-7 79 --gpu 0000:65:00.0 -n monitoring
  cudafault k8s kernel-log gpu-node-7 48 --gpu 0000:65:00.0 --driver 580 --follow-ups -n monitoring
  cudafault k8s kernel-log gpu-node-7 79 --gpu 0000:65:00.0 --to /var/log/kern.log -n monitoring

The command creates one pod in the namespace, and deletes it. The pod mounts only the target, and is privileged if the
target is a device: the namespace must have the pod security level privileged. `cudafault k8s rbac kernel-log` prints the
Role.)";

struct NodeLogOptions {
    ClusterOptions cluster;
    LogLineOptions lines;
    std::string node;
    std::string target = "/dev/kmsg";
    std::string image = kube::kKernelLogImage;
};

void check_target(const std::string& target) {
    if (target.starts_with('/') && target.find("..") == std::string::npos) return;
    refuse_option(fmt::format(
        "invalid --to \"{}\": expected /dev/kmsg, or the absolute path of an existing file on the node", target));
}

// The GPUs of a node are not visible through the Kubernetes API.
kernel_log::Gpu gpu_at(const std::string& address) {
    if (is_pci_address(address)) return {full_address(address), "", "", 0, {}, {}};
    refuse_option(
        fmt::format("invalid --gpu \"{}\": expected the PCI address of a GPU of the node, such as 0000:65:00.0; "
                    "`nvidia-smi --query-gpu=index,uuid,pci.bus_id --format=csv` prints it on the node",
                    address));
}

std::vector<kube::KernelLogLine> lines_with_pauses(const LogLineOptions& options) {
    const SelectedLines selected = select_lines(options, gpu_at);
    std::vector<kube::KernelLogLine> result;
    const auto add = [&](const std::vector<kernel_log::Line>& lines, std::chrono::nanoseconds pause) {
        for (const kernel_log::Line& line : lines) {
            for (const kernel_log::Line& written : written_lines(line, options.journald)) {
                result.push_back({std::chrono::ceil<std::chrono::milliseconds>(pause), written.level, written.text});
                pause = {};
            }
        }
    };
    add(selected.first, {});
    add(selected.xid, {});
    std::chrono::nanoseconds previous{};
    for (const FollowUpLines& next : selected.follow_ups) {
        add(next.lines, std::max(next.delay - previous, std::chrono::nanoseconds{}));
        previous = std::max(previous, next.delay);
    }
    return result;
}

void print_written(const NodeLogOptions& options, const kube::KernelLogRequest& request) {
    if (options.cluster.is_document()) {
        nlohmann::json lines = nlohmann::json::array();
        for (const auto& line : request.lines) lines.push_back({{"level", line.level}, {"text", line.text}});
        return print_document(options.cluster, {{"node", request.node}, {"target", request.target}, {"lines", lines}});
    }
    for (const auto& line : request.lines) fmt::print("{}\n", line.text);
    progress(
        fmt::format("wrote {} to {} on node {}", plural(request.lines.size(), "line"), request.target, request.node));
}

void write_node_log(const NodeLogOptions& options) {
    check_target(options.target);
    kube::KernelLogRequest request;
    request.node = options.node;
    request.target = options.target;
    request.image = options.image;
    request.lines = lines_with_pauses(options.lines);
    request.on_progress = progress;
    in_cluster(options.cluster, [&](ClusterAccess& cluster) {
        request.in_namespace = cluster.in_namespace;
        kube::write_kernel_log(cluster.client, request);
        print_written(options, request);
    });
}

}  // namespace

void add_k8s_kernel_log(CLI::App& k8s) {
    const auto options = std::make_shared<NodeLogOptions>();
    CLI::App* verb = k8s.add_subcommand("kernel-log", "Write the kernel log lines of an XID on a node");
    verb->add_option("node", options->node, "Name of the node")->option_text("NODE")->required();
    add_log_line_options(*verb, options->lines, "PCI address of the GPU, or for an SXid of the NVSwitch");
    verb->add_option("--to", options->target, "/dev/kmsg, or an existing file on the node")
        ->type_name("PATH")
        ->capture_default_str();
    verb->add_option("--image", options->image, "Image of the pod; it must have a shell")
        ->type_name("IMAGE")
        ->capture_default_str();
    add_cluster_options(*verb, options->cluster);
    add_output_option(*verb, options->cluster);
    verb->footer(kNodeLogExamples);
    verb->callback([options] { write_node_log(*options); });
}

}  // namespace cudafault::cli
