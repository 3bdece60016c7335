// SPDX-License-Identifier: Apache-2.0
// A program, or with -DPLUGIN a plugin, that is linked to libcuda.
#include "work.h"

#define DECLARE(name, base, version, member, parameters) Status name parameters;
DRIVER_FUNCTIONS(DECLARE)

#define TAKE(name, base, version, member, parameters) .member = name,

#ifdef PLUGIN
int plugin(void) {
#else
int main(void) {
#endif
    const Driver driver = {DRIVER_FUNCTIONS(TAKE)};
    return work(&driver);
}
