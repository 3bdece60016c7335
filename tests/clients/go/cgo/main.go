// SPDX-License-Identifier: Apache-2.0

// Links libcuda through cgo, and allocates from several goroutines, which the Go scheduler moves between threads.
package main

/*
#cgo LDFLAGS: -l:libcuda.so.1
#include <stddef.h>

int cuInit(unsigned flags);
int cuDevicePrimaryCtxRetain(void **context, int device);
int cuCtxSetCurrent(void *context);
int cuMemAlloc_v2(unsigned long long *memory, size_t size);
int cuMemFree_v2(unsigned long long memory);
*/
import "C"

import (
	"fmt"
	"os"
	"runtime"
	"unsafe"
)

const goroutines = 8

func step(name string, status C.int) {
	if status != 0 {
		fmt.Println(name, status)
		os.Exit(1)
	}
}

// allocate locks the goroutine to its thread, because a CUDA context is current in one thread only.
func allocate(context unsafe.Pointer) C.int {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	step("cuCtxSetCurrent", C.cuCtxSetCurrent(context))
	var memory C.ulonglong
	status := C.cuMemAlloc_v2(&memory, 4096)
	if status == 0 {
		step("cuMemFree", C.cuMemFree_v2(memory))
	}
	return status
}

func main() {
	var context unsafe.Pointer
	step("cuInit", C.cuInit(0))
	step("cuDevicePrimaryCtxRetain", C.cuDevicePrimaryCtxRetain(&context, 0))
	statuses := make(chan C.int, goroutines)
	for i := 0; i < goroutines; i++ {
		go func() { statuses <- allocate(context) }()
	}
	failed := 0
	for i := 0; i < goroutines; i++ {
		status := <-statuses
		fmt.Println("allocation", status)
		if status != 0 {
			failed = 1
		}
	}
	os.Exit(failed)
}
