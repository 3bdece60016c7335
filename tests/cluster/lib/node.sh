# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Starts and stops nodes. A node is a process tree in its own namespaces and cgroups, with node_init.sh as PID 1. It
# shares the kernel and the root file system of the machine.

start_node() {
    local node="$1" folder="$state/node$1"
    mkdir -p "$folder"/{kubelet,log-pods,log-containers,containerd,cni,addresses,sysctl,pki}
    # The kubelet would change these three settings for the whole machine. Files with the expected values replace them.
    echo 1 >"$folder/sysctl/overcommit_memory"
    echo 10 >"$folder/sysctl/panic"
    echo 1 >"$folder/sysctl/panic_on_oops"
    write_cni_config "$node" >"$folder/cni/10-cluster.conflist"
    write_containerd_config "$node" >"$folder/containerd.toml"
    write_kubelet_config >"$folder/kubelet.yaml"
    make_cgroups "$node" >"$folder/cgroups"
    (
        while read -r cgroup; do echo "$BASHPID" >"$cgroup/cgroup.procs"; done <"$folder/cgroups"
        exec setsid nsenter --net="/run/netns/$(node_namespace "$node")" \
            unshare --mount --cgroup --pid --fork --uts --ipc --mount-proc --kill-child \
            bash "$cluster_scripts/lib/node_init.sh" "$cluster" "$node" >"$state/log/node$node.log" 2>&1 </dev/null
    ) &
    record_process "node$node" $!
}

stop_node() {
    end "node$1"
    remove_cgroups "$1"
}

write_cni_config() {
    cat <<EOF
{"cniVersion": "1.0.0", "name": "cluster", "plugins": [{
    "type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": false,
    "ipam": {"type": "host-local", "dataDir": "$state/node$1/addresses",
             "ranges": [[{"subnet": "$pod_network.$1.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}}]}
EOF
}

write_containerd_config() {
    local cri='plugins."io.containerd.grpc.v1.cri"'
    cat <<EOF
version = 2
root = "$state/node$1/containerd"
oom_score = 0
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.btrfs",
    "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.aufs",
    "io.containerd.snapshotter.v1.devmapper", "io.containerd.tracing.processor.v1.otlp"]
[$cri]
  restrict_oom_score_adj = true  # a lower value needs CAP_SYS_RESOURCE
  disable_apparmor = true
  sandbox_image = "rig.local/pause:1"
[$cri.cni]
  bin_dir = "$(packages)/usr/lib/cni"
  conf_dir = "$state/node$1/cni"
[$cri.containerd]
  snapshotter = "overlayfs"
[$cri.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[$cri.containerd.runtimes.runc.options]
  SystemdCgroup = false
  BinaryName = "$(packages)/usr/sbin/runc"
EOF
}

# syncFrequency keeps its default of one minute, because a shorter period would distort measurements of `arm`.
write_kubelet_config() {
    cat <<EOF
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: 0.0.0.0
readOnlyPort: 0
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: false}
  x509: {clientCAFile: "$state/pki/ca.crt"}
authorization: {mode: AlwaysAllow}
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
cgroupDriver: cgroupfs
failCgroupV1: false
failSwapOn: false
oomScoreAdj: 0
enforceNodeAllocatable: [pods]
makeIPTablesUtilChains: false
evictionHard: {memory.available: 100Mi, nodefs.available: "1%", imagefs.available: "1%"}
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
nodeStatusUpdateFrequency: 4s
nodeStatusReportFrequency: 4s
resolvConf: ""
clusterDNS: []
EOF
}

# Creates a cgroup below the caller's in every hierarchy of version 1, and prints the paths.
make_cgroups() {
    local controllers path cgroup
    while IFS=: read -r _ controllers path; do
        [[ -n "$controllers" ]] || continue
        cgroup="/sys/fs/cgroup/${controllers#name=}${path%/}/$(node_namespace "$1")"
        mkdir -p "$cgroup"
        if [[ "$controllers" == cpuset ]]; then # a cpuset is initially empty, and an empty cpuset accepts no process
            cat /sys/fs/cgroup/cpuset/cpuset.cpus >"$cgroup/cpuset.cpus"
            cat /sys/fs/cgroup/cpuset/cpuset.mems >"$cgroup/cpuset.mems"
        fi
        echo "$cgroup"
    done </proc/self/cgroup
}

remove_cgroups() {
    local cgroup
    [[ -e "$state/node$1/cgroups" ]] || return 0
    while read -r cgroup; do
        wait_for "the end of $cgroup" 5 remove_cgroup "$cgroup" || true
    done <"$state/node$1/cgroups"
    rm "$state/node$1/cgroups"
}

remove_cgroup() {
    [[ ! -d "$1" ]] || find "$1" -depth -type d -exec rmdir {} + 2>/dev/null
}

# Prints the reason if nodes cannot run on this machine. Prints nothing otherwise.
print_node_obstacle() {
    local controllers path
    [[ ! -e /sys/fs/cgroup/cgroup.controllers ]] ||
        { echo "nodes need cgroup version 1, but this machine has version 2: use --no-nodes"; return; }
    for controllers in cpu cpuacct cpuset memory devices freezer blkio pids name=systemd; do
        path="$(awk -F: -v want="$controllers" '$2 == want {print $3}' /proc/self/cgroup)"
        [[ -n "$path" && -w "/sys/fs/cgroup/${controllers#name=}$path" ]] ||
            { echo "nodes need the cgroup hierarchy $controllers, which is not writable: use --no-nodes"; return; }
    done
    unshare --mount --cgroup --pid --fork --uts --ipc --mount-proc true 2>/dev/null ||
        echo "nodes need mount, pid, cgroup, uts and ipc namespaces, which cannot be created: use --no-nodes"
}

node_init_pid() { # NODE: prints the pid outside the node's namespaces of unshare's only child
    local pid
    pid="$(pid_of "node$1")" && pgrep --parent "$pid"
}

on_node() { # NODE COMMAND...
    local pid
    pid="$(node_init_pid "$1")" || fail "node$1 is not running"
    nsenter --target "$pid" --mount --pid --net --uts --ipc --cgroup "${@:2}"
}
