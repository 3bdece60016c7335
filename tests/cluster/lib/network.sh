# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Creates a network namespace for the control plane and one for each node, connected by a bridge in the control
# plane's namespace. The scripts do not change the host's network, and the namespaces have no route to it.

make_network() { # [NODE...]
    local node namespace
    ip netns add "$control_plane"
    ip -n "$control_plane" link add bridge type bridge
    ip -n "$control_plane" link set lo up
    # Pods reach kubernetes.default at this address without kube-proxy.
    ip -n "$control_plane" address add "$service_network.1/32" dev lo
    ip -n "$control_plane" address add "$control_plane_address/24" dev bridge
    ip -n "$control_plane" link set bridge up
    in_control_plane sysctl -q -w net.ipv4.ip_forward=1
    for node in "$@"; do join_node "$node"; done
    for node in "$@"; do route_to_pods "$node" "$@"; done
}

join_node() {
    local namespace
    namespace="$(node_namespace "$1")"
    ip netns add "$namespace"
    ip -n "$namespace" link set lo up
    ip -n "$control_plane" link add "node$1" type veth peer name eth0 netns "$namespace"
    ip -n "$control_plane" link set "node$1" master bridge up
    ip -n "$namespace" address add "$node_network.1$1/24" dev eth0
    ip -n "$namespace" link set eth0 up
    ip -n "$namespace" route add default via "$control_plane_address"
    nsenter --net="/run/netns/$namespace" sysctl -q -w net.ipv4.ip_forward=1
}

route_to_pods() { # NODE ALL-NODES...: adds routes to the pods of NODE, from the control plane and every other node
    local to="$1" from
    ip -n "$control_plane" route add "$pod_network.$to.0/24" via "$node_network.1$to"
    for from in "${@:2}"; do
        [[ "$from" == "$to" ]] || ip -n "$(node_namespace "$from")" route add "$pod_network.$to.0/24" via "$node_network.1$to"
    done
}

cluster_namespaces() { ip netns list | awk '{print $1}' | grep -E "^$network-(cp|node[0-9]+)\$" || true; }

remove_network() {
    local namespace pid
    for namespace in $(cluster_namespaces); do
        # The remaining processes were started by these scripts: by tests/cluster/enter, or by an interrupted start.
        for pid in $(ip netns pids "$namespace"); do kill -KILL "$pid" 2>/dev/null || true; done
        ip netns delete "$namespace"
    done
}
