// SPDX-License-Identifier: Apache-2.0
// Calls CUDA on simulated GPUs. The argument selects a scenario, for example fork() or reloading the driver.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../clients/linking/work.h"

static Driver driver;

Status cuDriverGetVersion(int*) __attribute__((weak));

static void* open_driver(void) {
    void* library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!library) exit(printf("%s\n", dlerror()));
#define TAKE(name, base, version, member, parameters) *(void**)&driver.member = dlsym(library, #name);
    DRIVER_FUNCTIONS(TAKE)
    return library;
}

static int work_in_child(void) {
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        int result = work(&driver);
        fflush(stdout);
        _exit(result);
    }
    int status;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

// A child of a process that has used CUDA cannot use CUDA: every call returns 3, unless a fault is armed for the call.
static int allocate_in_child(void) {
    fflush(stdout);
    pid_t child = fork();
    Pointer memory;
    int status;
    if (child == 0) {
        printf("allocation %d\n", driver.allocate(&memory, 64));
        fflush(stdout);
        _exit(0);
    }
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

// The first child makes CUDA calls, then the parent, and then a second child that is forked afterwards.
static int fork_child(void) {
    int first = work_in_child(), parent = work(&driver), second = allocate_in_child();
    printf("first child %d, parent %d, second child %d\n", first, parent, second);
    return 0;
}

// The parent uses CUDA before it forks four concurrent children. Each child then forks a child of its own.
static int fork_grandchildren(void) {
    enum { kChildren = 4 };
    pid_t children[kChildren];
    work(&driver);
    fflush(stdout);
    for (int i = 0; i < kChildren; ++i) {
        children[i] = fork();
        if (children[i] == 0) {
            Pointer memory;
            printf("allocation %d\n", driver.allocate(&memory, 64));
            _exit(allocate_in_child());
        }
    }
    int all_ended = 1;
    for (int i = 0; i < kChildren; ++i) {
        int status;
        waitpid(children[i], &status, 0);
        all_ended &= WIFEXITED(status) && WEXITSTATUS(status) == 0;
    }
    printf("%s\n", all_ended ? "all children ended" : "a child died unexpectedly");
    work(&driver);
    return 0;
}

// Repeats an allocation until it returns the expected status, for 20 seconds at most. Returns 0 at the timeout, else 1.
static int wait_for_status(Status expected) {
    for (int i = 0; i < 20000; ++i) {
        Pointer memory;
        Status status = driver.allocate(&memory, 64);
        if (status == 0) driver.release(memory);
        if (status == expected) return 1;
        usleep(1000);
    }
    return 0;
}

// Parent and child allocate while the test arms and disarms a fault. The test waits for lines of the output before each
// step.
static int allocate_in_parent_and_child(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    pid_t child = fork();
    work(&driver);
    const char* process = child ? "parent" : "child";
    printf("%s works %d\n", process, wait_for_status(0));
    printf("%s fails %d\n", process, wait_for_status(719));
    printf("%s works again %d\n", process, wait_for_status(0));
    if (child) waitpid(child, NULL, 0);
    return 0;
}

// Unloads the driver and maps a page at its address, so that the dynamic linker loads it at another address next time.
static void unload_driver(void* library) {
    struct link_map* map;
    dlinfo(library, RTLD_DI_LINKMAP, &map);
    void* address = (void*)map->l_addr;
    dlclose(library);
    mmap(address, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
}

// dlclose unloads the driver, as it does without the library. The driver can then be loaded at another address.
static int reload(void* library) {
    int before = work(&driver);
    unload_driver(library);
    void* loaded = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
    printf("after dlclose the driver is %s\n", loaded ? "still loaded" : "unloaded");
    open_driver();
    printf("%d %d\n", before, work(&driver));
    return 0;
}

// Requires the library to be preloaded. Without the library, the weak reference is NULL.
static int weak_reference(void* library) {
    int version;
    Status (*looked_up)(int*);
    *(void**)&looked_up = dlsym(library, "cuDriverGetVersion");
    printf("open: looked up %d, weak %d\n", looked_up(&version), cuDriverGetVersion(&version));
    unload_driver(library);
    printf("closed: weak %d\n", cuDriverGetVersion(&version));
    *(void**)&looked_up = dlsym(open_driver(), "cuDriverGetVersion");
    printf("open again: looked up %d, weak %d\n", looked_up(&version), cuDriverGetVersion(&version));
    return 0;
}

static void show_errors(const char* after) {
    const char* error = dlerror();
    printf("%s: errno %d, %s\n", after, errno, error ? error : "no dlerror");
    errno = 77;
}

// Shows that lookups and CUDA calls do not change errno or dlerror, except that a lookup clears an older dlerror.
static int show_error_state(void* library) {
    int device;
    void* context;
    Pointer memory;
    show_errors("at first");
    dlopen("/no/such/library.so", RTLD_NOW);
    errno = 77;
    driver.init(0);
    show_errors("the first call, after a dlopen that failed");
    dlopen("/no/such/library.so", RTLD_NOW);
    errno = 77;
    dlsym(library, "cuInit");
    show_errors("a lookup, after a dlopen that failed");
    dlsym(library, "cuMemAlloc_v2");
    show_errors("another lookup");
    driver.device(&device, 0);
    driver.retain(&context, device);
    driver.set_current(context);
    show_errors("calls");
    Status status = driver.allocate(&memory, 64);
    show_errors("an allocation");
    printf("allocation %d\n", status);
    return 0;
}

static int call_cuda_at_exit;

static void work_at_exit(void) {
    printf("at exit\n");
    work(&driver);
}

__attribute__((destructor)) static void work_in_destructor(void) {
    if (!call_cuda_at_exit) return;
    printf("in a destructor\n");
    work(&driver);
}

static volatile sig_atomic_t signal_count, failures_in_handler;

static void allocate_in_handler(int signal) {
    (void)signal;
    Pointer memory;
    failures_in_handler += driver.allocate(&memory, 64) == 719;
    ++signal_count;
}

static void tick_every(int microseconds) {
    struct sigaction action = {.sa_handler = allocate_in_handler, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &action, NULL);
    struct itimerval timer = {{0, microseconds}, {0, microseconds}};
    setitimer(ITIMER_REAL, &timer, NULL);
}

// Expects a fault that fails every allocation, in the program and in the signal handler that interrupts it.
static int allocate_during_signals(void) {
    long calls = 1, failed = 1;
    Pointer memory;
    // Ends without a fault, because NVIDIA's driver does not support calls from a signal handler.
    if (driver.allocate(&memory, 64) != 719) return printf("the allocation does not fail\n");
    tick_every(500);
    while (signal_count < 500) {
        failed += driver.allocate(&memory, 64) == 719;
        ++calls;
    }
    signal(SIGALRM, SIG_IGN);
    printf("%ld calls, %s in the program, %s in the handler\n", calls + signal_count,
           calls == failed ? "all failed" : "not all failed",
           signal_count == failures_in_handler ? "all failed" : "not all failed");
    return 0;
}

static void count_signal(int signal) {
    (void)signal;
    ++signal_count;
}

// Expects a fault that delays the allocation for the full time, even if signals interrupt the delay.
static int measure_delay(void) {
    struct timespec start, end;
    struct sigaction action = {.sa_handler = count_signal};
    sigaction(SIGALRM, &action, NULL);
    struct itimerval timer = {{0, 5000}, {0, 5000}};
    void* context;
    STEP(driver.init(0));
    STEP(driver.retain(&context, 0));
    STEP(driver.set_current(context));
    setitimer(ITIMER_REAL, &timer, NULL);
    clock_gettime(CLOCK_MONOTONIC, &start);
    Pointer memory;
    Status status = driver.allocate(&memory, 64);
    clock_gettime(CLOCK_MONOTONIC, &end);
    signal(SIGALRM, SIG_IGN);
    long milliseconds = (end.tv_sec - start.tv_sec) * 1000 + (end.tv_nsec - start.tv_nsec) / 1000000;
    printf("allocation %d, %s\n", status, milliseconds >= 200 && milliseconds < 2000 ? "in time" : "not in time");
    return 0;
}

int main(int argc, char** argv) {
    const char* scenario = argc > 1 ? argv[1] : "";
    void* library = open_driver();
    if (!strcmp(scenario, "fork")) return fork_child();
    if (!strcmp(scenario, "family")) return fork_grandchildren();
    if (!strcmp(scenario, "live")) return allocate_in_parent_and_child();
    if (!strcmp(scenario, "reload")) return reload(library);
    if (!strcmp(scenario, "weak")) return weak_reference(library);
    if (!strcmp(scenario, "errors")) return show_error_state(library);
    if (!strcmp(scenario, "exit")) {
        call_cuda_at_exit = 1;
        return atexit(work_at_exit);
    }
    if (!strcmp(scenario, "signals")) return allocate_during_signals();
    return strcmp(scenario, "delay") ? 2 : measure_delay();
}
