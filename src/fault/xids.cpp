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
