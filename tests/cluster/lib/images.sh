# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Imports images into a node's containerd. The name of an image file contains a hash of the contents. A file in the
# node's folder lists the imported images, so a restarted node and a second `up` import only new images.

import_images() { # NODE NAME...
    local node="$1" name archive
    for name in "${@:2}"; do
        archive="$(echo "$images/$name"-????????????????.tar)"
        [[ -e "$archive" ]] || continue
        ! has_image "$node" "$archive" || continue
        on_node "$node" "$(packages)/usr/bin/ctr" --namespace k8s.io images import "$archive" >/dev/null
        basename "$archive" >>"$state/node$node/images"
    done
}

has_image() { grep -qsxF "$(basename "$2")" "$state/node$1/images"; }

has_all_images() {
    local archive
    for archive in "$images"/*.tar; do has_image "$1" "$archive" || return 1; done
}
