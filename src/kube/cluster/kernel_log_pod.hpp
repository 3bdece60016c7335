// SPDX-License-Identifier: Apache-2.0
// Writes lines to the kernel log of a node, with a pod that cudafault creates and deletes.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "kube/api/client/client.hpp"
#include "kube/api/common/progress.hpp"

namespace cudafault::kube {

// Has a shell with printf and sleep. Its full name is accepted by container runtimes without a default registry.
inline constexpr const char* kKernelLogImage = "docker.io/library/busybox:1.36";

struct KernelLogLine {
    std::chrono::milliseconds pause{0};  // before the line
    int level = 4;                       // as in syslog.h; written only to a device
    std::string text;                    // without newline
};

struct KernelLogRequest {
    std::string in_namespace;
    std::string node;
    std::string target = "/dev/kmsg";  // a character device below /dev, or an existing file
    std::string image = kKernelLogImage;
    std::vector<KernelLogLine> lines;
    Progress on_progress;
};

// Returns the pod. Its container is privileged only if the target is a device, because only a privileged container may
// open a device of the node. The kubelet ends the pod after `limit`, even if this command is killed.
Json kernel_log_pod(const KernelLogRequest& request, const std::string& name, std::chrono::seconds limit);

// Creates the pod, waits until it has written all lines, and deletes it. Also deletes it after a failure and an
// interrupt. Throws Error if the node does not exist, if the namespace does not admit the pod, and if the pod fails or
// has not written the lines at the session's deadline; the message has the reason. Throws ApiError without permission.
void write_kernel_log(Client& client, const KernelLogRequest& request);

}  // namespace cudafault::kube
