// SPDX-License-Identifier: Apache-2.0
#include "fault/xids.hpp"

namespace cudafault {

namespace {

constexpr Xid kXids[] = {
#define CUDAFAULT_XID(number, code, name, title) {number, code, name, title},
#include "xids.inc"
#undef CUDAFAULT_XID
};
constexpr int kXidCount = sizeof(kXids) / sizeof(kXids[0]);

// An XID that is not in kXids, with the error that a program usually gets.
struct XidError {
    uint32_t xid;
    const char* error;
};
constexpr XidError kXidErrors[] = {
#define CUDAFAULT_XID_ERROR(xid, error) {xid, error},
#include "xid_errors.inc"
#undef CUDAFAULT_XID_ERROR
};

constexpr ErrorName kErrors[] = {
#define CUDAFAULT_ERROR(api, code, name) {Api::api, code, name},
#include "errors.inc"
#undef CUDAFAULT_ERROR
};

}  // namespace

const Xid* xids() { return kXids; }
int xid_count() { return kXidCount; }

const Xid* find_xid(uint32_t number) {
    for (const Xid& xid : kXids) {
        if (xid.number == number) return &xid;
    }
    return nullptr;
}

void describe_unknown_xid(uint32_t number, Message& message) {
    message.add("unknown XID ");
    message.add(uint64_t{number});
    message.add(": expected one of");
    for (int i = 0; i < kXidCount; ++i) {
        message.add(i == 0 ? " " : ", ");
        message.add(uint64_t{kXids[i].number});
    }
    const char* error = nullptr;
    for (const XidError& row : kXidErrors) {
        if (row.xid == number) error = row.error;
    }
    message.add(error ? "; this XID is not available yet, use error=" : "; use error= for another code");
    message.add(error ? error : "");
    if (error) message.add(" instead");
}

const ErrorName* find_error(Text name) {
    for (const ErrorName& error : kErrors) {
        if (name == Text(error.name)) return &error;
    }
    return nullptr;
}

const ErrorName* error_of(Api api, int32_t code) {
    for (const ErrorName& error : kErrors) {
        if (error.api == api && error.code == code) return &error;
    }
    return nullptr;
}

}  // namespace cudafault
