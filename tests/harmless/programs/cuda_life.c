// SPDX-License-Identifier: Apache-2.0
// What CUDA programs do around their calls, on simulated GPUs: cuda_life fork|reload|exit|signals|delay.
#define _GNU_SOURCE
#include <dlfcn.h>
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

static void* open_driver(void) {
    void* library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!library) exit(printf("%s\n", dlerror()));
#define TAKE(name, base, version, member, parameters) *(void**)&driver.member = dlsym(library, #name);
    DRIVER_FUNCTIONS(TAKE)
    return library;
}

static int in_child(void) {
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

// The child is the first to call; then the parent; then another child.
static int forks(void) {
    int first = in_child(), parent = work(&driver), second = in_child();
    printf("first child %d, parent %d, second child %d\n", first, parent, second);
    return 0;
}

// dlclose unloads the driver as without the library, and it can be loaded again, at another address.
static int reload(void* library) {
    int before = work(&driver);
    struct link_map* map;
    dlinfo(library, RTLD_DI_LINKMAP, &map);
    void* address = (void*)map->l_addr;
    dlclose(library);
    void* left = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
    printf("after dlclose the driver is %s\n", left ? "still there" : "gone");
    // Keeps the linker from loading it where it was.
    mmap(address, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    open_driver();
    printf("%d %d\n", before, work(&driver));
    return 0;
}

static int work_in_the_end;

static void work_at_exit(void) {
    printf("at exit\n");
    work(&driver);
}

__attribute__((destructor)) static void work_in_destructor(void) {
    if (!work_in_the_end) return;
    printf("in a destructor\n");
    work(&driver);
}

static volatile sig_atomic_t handled, failed_in_handler;

static void allocate_in_handler(int signal) {
    (void)signal;
    Pointer memory;
    failed_in_handler += driver.allocate(&memory, 64) == 719;
    ++handled;
}

static void tick_every(int microseconds) {
    struct sigaction action = {.sa_handler = allocate_in_handler, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &action, NULL);
    struct itimerval timer = {{0, microseconds}, {0, microseconds}};
    setitimer(ITIMER_REAL, &timer, NULL);
}

// Every allocation fails by the fault, in the program and in the signal handler that interrupts it.
static int signals(void) {
    long calls = 0, failed = 0;
    Pointer memory;
    tick_every(500);
    while (handled < 500) {
        failed += driver.allocate(&memory, 64) == 719;
        ++calls;
    }
    signal(SIGALRM, SIG_IGN);
    printf("%s in the program, %s in the handler\n", calls == failed ? "all failed" : "not all failed",
           handled == failed_in_handler ? "all failed" : "not all failed");
    return 0;
}

static void count_only(int signal) {
    (void)signal;
    ++handled;
}

// A delayed call is as late as the fault says although signals interrupt it, and keeps errno.
static int delay(void) {
    struct timespec start, end;
    struct sigaction action = {.sa_handler = count_only};
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
    const char* what = argc > 1 ? argv[1] : "";
    void* library = open_driver();
    if (!strcmp(what, "fork")) return forks();
    if (!strcmp(what, "reload")) return reload(library);
    if (!strcmp(what, "exit")) {
        work_in_the_end = 1;
        return atexit(work_at_exit);
    }
    if (!strcmp(what, "signals")) return signals();
    return strcmp(what, "delay") ? 2 : delay();
}
