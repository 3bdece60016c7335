// SPDX-License-Identifier: Apache-2.0
// Issues server and client certificates for tests.
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

#include "kube/api/common/tls_identity.hpp"

namespace cudafault::kube {

class TestAuthority {
public:
    TestAuthority();

    const std::string& pem() const { return pem_; }

    // Issues a certificate that is valid for one day. `names` is a subjectAltName in OpenSSL's format:
    // "DNS:api.test,IP:127.0.0.1".
    TlsIdentity issue(const std::string& common_name, const std::string& names = "") const;

private:
    struct Free {
        void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
        void operator()(X509* certificate) const { X509_free(certificate); }
    };
    using Key = std::unique_ptr<EVP_PKEY, Free>;
    using Certificate = std::unique_ptr<X509, Free>;

    static Certificate unsigned_certificate(const std::string& common_name, EVP_PKEY* key);
    static void extend(X509* certificate, int extension_nid, const std::string& value);

    Key key_;
    Certificate certificate_;
    std::string pem_;
};

}  // namespace cudafault::kube
