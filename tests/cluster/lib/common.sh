# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Shared by the cluster's scripts: paths, and functions that start, identify and stop processes.
set -euo pipefail

cluster_scripts="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
project="$(cd "$cluster_scripts/../.." && pwd)"
products="${CUDAFAULT_BUILD:-$project/build}"
cache="${XDG_CACHE_HOME:-$HOME/.cache}/cudafault/cluster"
images="$project/build/cluster-images"
nodes=(1 2)
skip_status=77

# Each cluster has its own network namespaces, so all clusters use the same addresses.
control_plane_address=10.97.0.1
node_network=10.97.0      # node N: .1N
pod_network=10.98         # pods of node N: .N.0/24
service_network=10.99.0   # kubernetes.default: .1

print_message() { printf 'cluster: %s\n' "$*" >&2; }
fail() { print_message "$*"; exit 1; }
skip() { printf 'SKIP cluster: %s\n' "$*" >&2; exit "$skip_status"; }

select_cluster() {
    cluster="$1"
    [[ "$cluster" =~ ^[a-z0-9][a-z0-9-]{0,20}$ ]] ||
        fail "invalid cluster name '$cluster': expected at most 21 characters of a-z, 0-9 and -"
    state="${CUDAFAULT_CLUSTERS:-$project/build/cluster}/$cluster"
    # Another checkout may have a cluster with the same name.
    network="cudafault-$cluster-$(sha256sum <<<"$state" | cut -c1-6)"
    control_plane="$network-cp"
    kubeconfig="$state/kubeconfig/admin"
    proxy_socket="$state/api.sock"
}
select_cluster "${CUDAFAULT_CLUSTER:-test}"

node_namespace() { echo "$network-node$1"; }

has_nodes() { [[ "$(cat "$state/gpus" 2>/dev/null)" =~ ^[0-9]+$ ]]; }

# The path contains a hash of the sources, so a change of the sources causes a new build of Kubernetes.
binaries() {
    echo "$cache/$(cd "$cluster_scripts/k8s" && cat go.mod go.sum ./*.go | sha256sum | cut -c1-16)"
}

packages() {
    echo "$cache/packages-$(. /etc/os-release && echo "$ID-$VERSION_ID")"
}

in_control_plane() { nsenter --net="/run/netns/$control_plane" "$@"; }

kubectl() { in_control_plane "$(binaries)/kubectl" --kubeconfig "$kubeconfig" "$@"; }

wait_for() { # DESCRIPTION SECONDS COMMAND...
    local description="$1" deadline=$((SECONDS + $2))
    shift 2
    until "$@" >/dev/null 2>&1; do
        if ((SECONDS >= deadline)); then
            print_message "timed out waiting for $description"
            return 1
        fi
        sleep 0.1
    done
}

# A process is identified by PID, start time and boot ID, because the kernel reuses PIDs.

process_identity() { # PID of a running process
    local stat
    stat="$(cat "/proc/$1/stat" 2>/dev/null)" || return 1
    read -ra stat <<<"${stat##*) }"
    [[ "${stat[0]}" != Z ]] && echo "$1 ${stat[19]} $(cat /proc/sys/kernel/random/boot_id)"
}

record_process() { process_identity "$2" >"$state/pid/$1" || fail "$1 ended immediately: see $state/log/$1.log"; }

pid_of() { # NAME of a recorded process; fails if the process has ended
    local pid
    read -r pid _ 2>/dev/null <"$state/pid/$1" && [[ "$(process_identity "$pid")" == "$(cat "$state/pid/$1")" ]] && echo "$pid"
}

start_process() { # NAME COMMAND...: starts a process in the control plane's network namespace that outlives the caller
    local process="$1"
    shift
    setsid nsenter --net="/run/netns/$control_plane" "$@" >"$state/log/$process.log" 2>&1 </dev/null &
    record_process "$process" $!
}

# Sends SIGKILL to a node, because unshare ignores SIGTERM. When unshare ends, PID 1 and all other processes of the node
# end too.
end() { # NAME...
    local process pid
    for process in "$@"; do
        pid="$(pid_of "$process")" || continue
        if [[ "$process" == node* ]]; then kill -KILL "$pid"; else kill -TERM "$pid"; fi 2>/dev/null || true
    done
    for process in "$@"; do
        wait_for_end "$process" || true
        rm -f "$state/pid/$process"
    done
}

wait_for_end() {
    local pid
    for ((tenths = 0; tenths < 50; tenths++)); do
        pid="$(pid_of "$1")" || return 0
        if ((tenths == 30)); then kill -KILL "$pid" 2>/dev/null || true; fi
        sleep 0.1
    done
    print_message "$1 (pid $pid) did not end within 5 s"
    return 1
}
