# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Creates a certificate authority, the servers' certificates, the key for service account tokens, and a kubeconfig with
# a token for the administrator and each component.

make_key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1"; }

make_authority() {
    make_key ca.key
    openssl req -x509 -new -key ca.key -days 30 -subj /CN=cudafault-cluster -out ca.crt \
        -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
    make_key service-accounts.key
    openssl ec -in service-accounts.key -pubout -out service-accounts.pub 2>/dev/null
}

make_certificate() { # FILE SUBJECT EXTENSIONS
    make_key "$1.key"
    openssl req -new -key "$1.key" -subj "$2" |
        openssl x509 -req -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -extfile <(echo "$3") -out "$1.crt" 2>/dev/null
}

make_kubeconfig() { # FILE USER [GROUP]
    local token
    token="$(openssl rand -hex 16)"
    echo "$token,$2,$2,\"${3:-}\"" >>tokens.csv
    cat >"$state/kubeconfig/$1" <<EOF
apiVersion: v1
kind: Config
clusters: [{name: $cluster, cluster: {server: "https://$control_plane_address", certificate-authority: "$state/pki/ca.crt"}}]
users: [{name: "$2", user: {token: $token}}]
contexts: [{name: $cluster, context: {cluster: $cluster, user: "$2"}}]
current-context: $cluster
EOF
}

make_credentials() ( # [NODE...]
    umask 077
    mkdir -p "$state/pki" "$state/kubeconfig"
    cd "$state/pki" || exit
    make_authority
    make_certificate apiserver /CN=kube-apiserver "extendedKeyUsage=serverAuth
subjectAltName=IP:$control_plane_address,IP:$service_network.1,IP:127.0.0.1,DNS:localhost,DNS:kubernetes.default.svc"
    make_certificate kubelet-client /O=system:masters/CN=kube-apiserver-kubelet-client extendedKeyUsage=clientAuth
    make_kubeconfig admin admin system:masters
    make_kubeconfig controller-manager system:kube-controller-manager
    make_kubeconfig scheduler system:kube-scheduler
    for node in "$@"; do make_kubeconfig "node$node" "system:node:node$node" system:nodes; done
)
