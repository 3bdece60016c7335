// SPDX-License-Identifier: Apache-2.0
// Calls CUDA every 5 ms and ignores the results, so that the log of libcudafault.so shows when faults start and stop.
// Prints no output.
#include <signal.h>
#include <stddef.h>
#include <time.h>
#include <unistd.h>

int cuInit(unsigned flags);
int cuDevicePrimaryCtxRetain(void** context, int device);
int cuCtxSetCurrent(void* context);
int cuCtxSynchronize(void);
int cuMemAlloc_v2(unsigned long long* pointer, size_t bytes);
int cuMemFree_v2(unsigned long long pointer);

static void exit_on_signal(int signal) {
    (void)signal;
    _exit(0);
}

int main(void) {
    const struct timespec pause = {.tv_nsec = 5 * 1000 * 1000};
    void* context = NULL;
    signal(SIGTERM, exit_on_signal);  // PID 1 of a container has no default action
    cuInit(0);
    cuDevicePrimaryCtxRetain(&context, 0);
    cuCtxSetCurrent(context);
    for (;;) {
        unsigned long long memory = 0;
        if (cuMemAlloc_v2(&memory, 4096) == 0) cuMemFree_v2(memory);
        cuCtxSynchronize();
        nanosleep(&pause, NULL);
    }
}
