// SPDX-License-Identifier: Apache-2.0
#include "fault/xids.hpp"

namespace cudafault {

namespace {

constexpr Xid kXids[] = {
#define CUDAFAULT_XID(number, code, name, title, reserved) {number, code, name, title, reserved},
#include "xids.inc"
#undef CUDAFAULT_XID
};

const Xid* row_of(uint32_t number) {
    for (const Xid& xid : kXids) {
        if (xid.number == number) return &xid;
    }
    return nullptr;
}

constexpr ErrorName kErrors[] = {
#define CUDAFAULT_ERROR(api, code, name) {Api::api, code, name},
#include "errors.inc"
#undef CUDAFAULT_ERROR
};

}  // namespace

const Xid* find_xid(uint32_t number) {
    const Xid* xid = row_of(number);
    return xid && xid->simple_code != 0 ? xid : nullptr;
}

void describe_refused_xid(uint32_t number, TextBuilder& message) {
    const Xid* xid = row_of(number);
    message.add(xid ? "XID " : "unknown XID ");
    message.add(uint64_t{number});
    if (!xid) {
        message.add(": `cudafault xids` lists the XIDs; use error= for another code");
    } else if (xid->reserved) {
        message.add(" is reserved: ");
        message.add(xid->title);
        message.add("; use error= for a code");
    } else {
        message.add(" makes no CUDA call fail: use an XID that `cudafault xids` lists with a code, or error=");
    }
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
