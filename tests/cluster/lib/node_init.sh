#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# node_init.sh CLUSTER NODE: PID 1 of a node. Mounts the node's file systems, starts containerd, imports the images, and
# restarts the device plugin and the kubelet after they exit.
source "$(dirname "$0")/common.sh"
select_cluster "$1"
source "$(dirname "$0")/images.sh"
node="$2"
folder="$state/node$node"

on_node() { "${@:2}"; }  # this process already runs on the node

mount_file_systems() {
    local controller
    mount --make-rshared /
    mount -t sysfs sysfs /sys
    mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
    for controller in cpu cpuacct cpuset memory devices freezer blkio pids; do
        mkdir "/sys/fs/cgroup/$controller"
        mount -t cgroup -o "$controller" cgroup "/sys/fs/cgroup/$controller"
    done
    mkdir /sys/fs/cgroup/systemd
    mount -t cgroup -o none,name=systemd cgroup /sys/fs/cgroup/systemd
    mount -t tmpfs tmpfs /run
    mkdir -p /run/netns /run/lock
    # The kubelet uses these fixed paths. On the host they stay empty folders.
    mkdir -p /var/lib/kubelet /var/log/pods /var/log/containers
    mount --bind "$folder/kubelet" /var/lib/kubelet
    mount --bind "$folder/log-pods" /var/log/pods
    mount --bind "$folder/log-containers" /var/log/containers
    mount --bind "$folder/sysctl/overcommit_memory" /proc/sys/vm/overcommit_memory
    mount --bind "$folder/sysctl/panic" /proc/sys/kernel/panic
    mount --bind "$folder/sysctl/panic_on_oops" /proc/sys/kernel/panic_on_oops
}

start_containerd() {
    containerd --config "$folder/containerd.toml" --log-level warn >"$state/log/containerd$node.log" 2>&1 &
    wait_for containerd 30 ctr version
}

supervise_device_plugin() {
    while true; do
        [[ ! -S /var/lib/kubelet/device-plugins/kubelet.sock ]] || "$(binaries)/device-plugin" nvidia.com/gpu "$1" || true
        sleep 0.3
    done >"$state/log/device-plugin$node.log" 2>&1
}

supervise_kubelet() {
    while true; do
        "$(binaries)/kubelet" --config="$folder/kubelet.yaml" --kubeconfig="$state/kubeconfig/node$node" \
            --hostname-override="node$node" --node-ip="$node_network.1$node" --cert-dir="$folder/pki" \
            >>"$state/log/kubelet$node.log" 2>&1 &
        echo $! >/run/kubelet.pid
        wait $! || echo "the kubelet ended with $?"
        sleep 1
    done
}

mount_file_systems
hostname "node$node"
PATH="$(packages)/usr/bin:$(packages)/usr/sbin:$PATH"
start_containerd
import_images "$node" pause busybox
import_images "$node" inference-server gcc &
supervise_device_plugin "$(cat "$state/gpus")" &
supervise_kubelet
