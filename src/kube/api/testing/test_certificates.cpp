// SPDX-License-Identifier: Apache-2.0
#include "kube/api/testing/test_certificates.hpp"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <stdexcept>

namespace cudafault::kube {

namespace {

void require(bool done) {
    if (!done) throw std::runtime_error("OpenSSL cannot create a test certificate");
}

template <typename Write>
std::string to_pem(const Write& write) {
    const std::unique_ptr<BIO, int (*)(BIO*)> bio(BIO_new(BIO_s_mem()), BIO_free);
    require(write(bio.get()) == 1);
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &data);
    return std::string(data, static_cast<size_t>(size));
}

std::string certificate_pem(X509* certificate) {
    return to_pem([&](BIO* bio) { return PEM_write_bio_X509(bio, certificate); });
}

}  // namespace

TestAuthority::Certificate TestAuthority::unsigned_certificate(const std::string& common_name, EVP_PKEY* key) {
    Certificate certificate(X509_new());
    X509_set_version(certificate.get(), X509_VERSION_3);
    unsigned char serial[8];
    require(RAND_bytes(serial, sizeof serial) == 1);
    serial[0] &= 0x7f;
    const std::unique_ptr<BIGNUM, void (*)(BIGNUM*)> number(BN_bin2bn(serial, sizeof serial, nullptr), BN_free);
    BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate.get()));
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 24L * 3600);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1, 0);
    require(X509_set_pubkey(certificate.get(), key) == 1);
    return certificate;
}

void TestAuthority::extend(X509* certificate, int extension_nid, const std::string& value) {
    const std::unique_ptr<X509_EXTENSION, void (*)(X509_EXTENSION*)> extension(
        X509V3_EXT_conf_nid(nullptr, nullptr, extension_nid, value.c_str()), X509_EXTENSION_free);
    require(extension && X509_add_ext(certificate, extension.get(), -1) == 1);
}

TestAuthority::TestAuthority()
    : key_(EVP_EC_gen("P-256")), certificate_(unsigned_certificate("test authority", key_.get())) {
    extend(certificate_.get(), NID_basic_constraints, "critical,CA:TRUE");
    require(X509_set_issuer_name(certificate_.get(), X509_get_subject_name(certificate_.get())) == 1);
    require(X509_sign(certificate_.get(), key_.get(), EVP_sha256()) > 0);
    pem_ = certificate_pem(certificate_.get());
}

TlsIdentity TestAuthority::issue(const std::string& common_name, const std::string& names) const {
    const Key key(EVP_EC_gen("P-256"));
    const Certificate certificate = unsigned_certificate(common_name, key.get());
    if (!names.empty()) extend(certificate.get(), NID_subject_alt_name, names);
    require(X509_set_issuer_name(certificate.get(), X509_get_subject_name(certificate_.get())) == 1);
    require(X509_sign(certificate.get(), key_.get(), EVP_sha256()) > 0);
    return {certificate_pem(certificate.get()), to_pem([&](BIO* bio) {
                return PEM_write_bio_PrivateKey(bio, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
            })};
}

}  // namespace cudafault::kube
