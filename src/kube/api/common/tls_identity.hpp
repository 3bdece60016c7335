// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace cudafault::kube {

// A client certificate chain and its private key as PEM text. Never written to a file.
struct TlsIdentity {
    std::string certificate;
    std::string key;

    bool operator==(const TlsIdentity&) const = default;
};

}  // namespace cudafault::kube
