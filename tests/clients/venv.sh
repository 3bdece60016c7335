# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by the client tests of Python packages. Keeps one virtual environment per client in build/clients.

clients_folder=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$clients_folder/../.." && pwd)
build=${CUDAFAULT_BUILD:-$root/build}
. "$clients_folder/versions.env"

# list_tests NAME [ARGUMENT...]: prints the names of the tests and exits if an argument is --list. Needs no package.
list_tests() {
    local name=$1
    shift
    [[ " $* " != *" --list "* ]] || exec python3 "$clients_folder/$name/check.py" "$@"
}

# prepare_venv NAME PIP-ARGUMENT...: creates build/clients/NAME-venv, unless a complete environment with exactly these
# packages exists. Sets $venv to the path.
prepare_venv() {
    venv=$build/clients/$1-venv
    shift
    local stamp=$venv/.installed
    if [ -x "$venv/bin/python" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$*" ]; then
        echo "using $venv"
        return
    fi
    echo "installing $* into $venv"
    rm -f "$stamp"
    mkdir -p "$build/clients"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --no-input "$@"
    printf '%s\n' "$*" >"$stamp"
}
