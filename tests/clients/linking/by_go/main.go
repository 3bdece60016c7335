// SPDX-License-Identifier: Apache-2.0

// Performs the operations of work.h from Go. It opens libcuda through cgo at run time, as go-nvml opens libnvidia-ml.
package main

/*
#cgo LDFLAGS: -ldl
#include <dlfcn.h>
#include "../work.h"

static int go_work(void) {
    void *handle = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_GLOBAL);
    if (!handle) {
        printf("%s\n", dlerror());
        return 1;
    }
    Driver driver;
#define TAKE(name, base, version, member, parameters) *(void **)&driver.member = dlsym(handle, #name);
    DRIVER_FUNCTIONS(TAKE)
    int result = work(&driver);
    fflush(stdout);
    return result;
}
*/
import "C"

import "os"

func main() {
	os.Exit(int(C.go_work()))
}
