# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Starts etcd, API server, controller manager, scheduler, and `kubectl proxy` for clients outside the network namespace.

start_etcd() {
    # Disables fsync, because the data need not survive a crash of the machine.
    start_process etcd "$(binaries)/etcd" --data-dir "$state/etcd" --unsafe-no-fsync --log-level warn \
        --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
        --listen-peer-urls http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380 \
        --initial-cluster default=http://127.0.0.1:2380
}

start_api_server() {
    local pki="$state/pki"
    start_process apiserver "$(binaries)/kube-apiserver" --etcd-servers=http://127.0.0.1:2379 \
        --secure-port=443 --bind-address=0.0.0.0 --advertise-address="$control_plane_address" \
        --tls-cert-file="$pki/apiserver.crt" --tls-private-key-file="$pki/apiserver.key" \
        --client-ca-file="$pki/ca.crt" --token-auth-file="$pki/tokens.csv" \
        --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction --allow-privileged=true \
        --service-cluster-ip-range="$service_network.0/24" --service-account-issuer=https://kubernetes.default.svc \
        --service-account-signing-key-file="$pki/service-accounts.key" \
        --service-account-key-file="$pki/service-accounts.pub" \
        --kubelet-client-certificate="$pki/kubelet-client.crt" --kubelet-client-key="$pki/kubelet-client.key" \
        --kubelet-preferred-address-types=InternalIP \
        --default-not-ready-toleration-seconds=10 --default-unreachable-toleration-seconds=10
}

start_controllers() {
    # With the default limit of 20 requests per second, service accounts of new namespaces are created seconds late.
    start_process controller-manager "$(binaries)/kube-controller-manager" --kubeconfig="$state/kubeconfig/controller-manager" \
        --use-service-account-credentials --service-account-private-key-file="$state/pki/service-accounts.key" \
        --root-ca-file="$state/pki/ca.crt" --leader-elect=false --bind-address=127.0.0.1 \
        --kube-api-qps=500 --kube-api-burst=1000 --node-monitor-period=2s --node-monitor-grace-period=16s
    start_process scheduler "$(binaries)/kube-scheduler" --kubeconfig="$state/kubeconfig/scheduler" --leader-elect=false \
        --bind-address=127.0.0.1
}

start_proxy() {
    # `kubectl proxy` rejects exec and attach by default.
    start_process proxy "$(binaries)/kubectl" --kubeconfig "$kubeconfig" proxy --unix-socket="$proxy_socket" --reject-paths='^$'
}

api_is_ready() { kubectl get --raw /readyz; }

# The API server rejects pods until these objects exist, which is seconds after the nodes are Ready.
namespace_is_usable() { kubectl -n default get serviceaccount/default configmap/kube-root-ca.crt; }
