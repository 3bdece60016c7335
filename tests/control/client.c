// SPDX-License-Identifier: Apache-2.0
// Calls CUDA on simulated GPUs, in one of three modes:
//   client OPERATION...
//       Performs the operations in order, prints the code of each on its own line, and exits with 7. An operation is
//       NAME or NAME:NUMBER, optionally followed by *TIMES.
//   client worker BOARD SLOT
//       Calls the driver every few milliseconds and records the results in a slot of the file BOARD. Ends when the stop
//       flag in the file is set or the file is deleted.
//   client storm BOARD CHILDREN
//       Calls the driver continuously until the stop flag is set: from CHILDREN forked children if that is above 0,
//       otherwise from eight threads. The parent uses CUDA before it forks. Each thread or child has its own slot.
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

typedef int Status;
typedef unsigned long long Pointer;
typedef struct {
    unsigned x, y, z;
} Dim3;

Status cuInit(unsigned);
Status cuDeviceGetCount(int*);
Status cuDeviceGetAttribute(int*, int, int);
Status cuDeviceGetUuid(unsigned char*, int);
Status cuDeviceGetPCIBusId(char*, int, int);
Status cuDevicePrimaryCtxRetain(void**, int);
Status cuCtxSetCurrent(void*);
Status cuCtxSynchronize(void);
Status cuCtxGetApiVersion(void*, unsigned*);
Status cuStreamCreate(void**, unsigned);
Status cuStreamSynchronize(void*);
Status cuEventCreate(void**, unsigned);
Status cuEventSynchronize(void*);
Status cuMemAlloc_v2(Pointer*, size_t);
Status cuMemFree_v2(Pointer);
Status cuMemcpyHtoD_v2(Pointer, const void*, size_t);
Status cuMemCreate(Pointer*, size_t, const void*, unsigned long long);
Status cuMemRelease(Pointer);
Status cudaMemcpy(void*, const void*, size_t, int);
Status cudaGetDeviceCount(int*);
Status cudaMalloc(void**, size_t);
Status cudaLaunchKernel(const void*, Dim3, Dim3, void**, size_t, void*);
Status cudaGetLastError(void);
Status cudaPeekAtLastError(void);

enum { max_devices = 8, threads = 8 };
enum { not_initialized = 3 };  // the code of every driver call in a child whose parent used the driver before the fork
static struct Device {
    void *context, *stream, *event;
    Pointer memory;
} devices[max_devices];
static volatile sig_atomic_t signal_count;

static void count_signal(int signal) {
    (void)signal;
    ++signal_count;
}

// Ignores errors, because the plan under test may inject them. Operations that depend on a failed call then fail too.
static void set_up(void) {
    int count = 0;
    cuInit(0);
    cuDeviceGetCount(&count);
    for (int i = count < max_devices ? count - 1 : max_devices - 1; i >= 0; --i) {
        struct Device* device = &devices[i];
        if (cuDevicePrimaryCtxRetain(&device->context, i) || cuCtxSetCurrent(device->context)) continue;
        cuStreamCreate(&device->stream, 0);
        cuEventCreate(&device->event, 0);
        cuMemAlloc_v2(&device->memory, 4096);
    }
}

static int init(long number) { return cuInit((unsigned)number); }

static int count(long number) {
    int found = (int)number;
    return cuDeviceGetCount(&found);
}

static int attribute(long device) {
    int value = 0;
    return cuDeviceGetAttribute(&value, 16, (int)device);
}

static int uuid(long device) {
    unsigned char bytes[16];
    const Status status = cuDeviceGetUuid(bytes, (int)device);
    printf("GPU-");
    for (int i = 0; i < 16; ++i) printf(i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", bytes[i]);
    printf("\n");
    return status;
}

static int pci(long device) {
    char id[32] = "";
    const Status status = cuDeviceGetPCIBusId(id, sizeof id, (int)device);
    printf("%s\n", id);
    return status;
}

static int set_current(long device) { return cuCtxSetCurrent(devices[device].context); }

static int context(long device) {
    unsigned version = 0;
    return cuCtxGetApiVersion(devices[device].context, &version);
}

static int stream(long device) { return cuStreamSynchronize(devices[device].stream); }
static int event(long device) { return cuEventSynchronize(devices[device].event); }

static int copy(long device) {
    char bytes[64] = "";
    return cuMemcpyHtoD_v2(devices[device].memory, bytes, sizeof bytes);
}

static int runtime_copy(long device) {
    enum { device_to_host = 2 };
    char bytes[64];
    return cudaMemcpy(bytes, (const void*)(uintptr_t)devices[device].memory, sizeof bytes, device_to_host);
}

// Allocates memory of the device independently of the current context, as PyTorch's expandable segments do.
static int create(long device) {
    struct {  // CUmemAllocationProp
        int type, handle_types, location_type, location_id;
        char reserved[64];
    } properties = {.type = 1, .location_type = 1, .location_id = (int)device};
    Pointer memory;
    const Status status = cuMemCreate(&memory, (size_t)2 << 20, &properties, 0);
    if (status == 0) cuMemRelease(memory);
    return status;
}

static int synchronize(long number) {
    (void)number;
    return cuCtxSynchronize();
}

static int default_stream(long number) {
    (void)number;
    return cuStreamSynchronize(NULL);
}

static int allocate(long number) {
    (void)number;
    Pointer memory;
    const Status status = cuMemAlloc_v2(&memory, 64);
    if (status == 0) cuMemFree_v2(memory);
    return status;
}

static int runtime_count(long number) {
    int found = (int)number;
    return cudaGetDeviceCount(&found);
}

static int runtime_allocate(long number) {
    (void)number;
    void* memory;
    return cudaMalloc(&memory, 64);
}

// Launches a function that was never registered as a kernel.
static int launch(long number) {
    (void)number;
    return cudaLaunchKernel((const void*)launch, (Dim3){1, 1, 1}, (Dim3){1, 1, 1}, NULL, 0, NULL);
}

static int peek(long number) {
    (void)number;
    return cudaPeekAtLastError();
}

static int get(long number) {
    (void)number;
    return cudaGetLastError();
}

static void* peek_thread(void* code) {
    *(int*)code = cudaPeekAtLastError();
    return NULL;
}

static int peek_in_thread(long number) {
    int code = (int)number;
    pthread_t thread;
    if (pthread_create(&thread, NULL, peek_thread, &code) != 0) abort();
    pthread_join(thread, NULL);
    return code;
}

static void* call_repeatedly(void* calls) {
    void* context = devices[0].context;
    cuCtxSetCurrent(context);
    intptr_t failed = 0;
    for (long i = 0; i < *(long*)calls; ++i) failed += cuCtxSynchronize() != 0;
    return (void*)failed;
}

// Makes `calls` calls from each thread concurrently. Returns the number of failures.
static int call_concurrently(long calls) {
    pthread_t started[threads];
    int failed = 0;
    for (int i = 0; i < threads; ++i) {
        if (pthread_create(&started[i], NULL, call_repeatedly, &calls) != 0) abort();
    }
    for (int i = 0; i < threads; ++i) {
        void* result;
        pthread_join(started[i], &result);
        failed += (int)(intptr_t)result;
    }
    return failed;
}

static int sleep_ms(long milliseconds) { return usleep((useconds_t)milliseconds * 1000); }

static long now_ms(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

// Returns the duration of a call in milliseconds, or -1 if it fails.
static int measure_synchronize(long number) {
    const long before = now_ms();
    return synchronize(number) == 0 ? (int)(now_ms() - before) : -1;
}

static int get_signal_count(long number) {
    (void)number;
    return signal_count;
}

static const struct {
    const char* name;
    int (*run)(long);
} operations[] = {{"init", init},
                  {"count", count},
                  {"attribute", attribute},
                  {"uuid", uuid},
                  {"pci", pci},
                  {"use", set_current},
                  {"context", context},
                  {"stream", stream},
                  {"event", event},
                  {"copy", copy},
                  {"runtime_copy", runtime_copy},
                  {"create", create},
                  {"sync", synchronize},
                  {"default_stream", default_stream},
                  {"alloc", allocate},
                  {"runtime_count", runtime_count},
                  {"runtime_alloc", runtime_allocate},
                  {"launch", launch},
                  {"peek", peek},
                  {"get", get},
                  {"peek_in_thread", peek_in_thread},
                  {"hammer", call_concurrently},
                  {"sleep", sleep_ms},
                  {"timed", measure_synchronize},
                  {"signals", get_signal_count}};

static void run_operation(const char* word) {
    const size_t length = strcspn(word, ":*");
    const char *number = strchr(word, ':'), *times = strchr(word, '*');
    for (size_t i = 0; i < sizeof operations / sizeof *operations; ++i) {
        if (strlen(operations[i].name) != length || strncmp(operations[i].name, word, length)) continue;
        for (long remaining = times ? atol(times + 1) : 1; remaining > 0; --remaining) {
            printf("%d\n", operations[i].run(number ? atol(number + 1) : 0));
            fflush(stdout);
        }
        return;
    }
    exit(printf("unknown operation %s\n", word));
}

struct Board {
    uint64_t stop;
    struct Slot {
        uint64_t pid, calls, failed, last_code;
    } slots[16];
    uint64_t watching, successes;  // in storm mode: whether to count successful calls, and their number
};

static void record(struct Slot* slot, Status status) {
    if (status != 0) {
        slot->last_code = (uint64_t)status;
        __atomic_add_fetch(&slot->failed, 1, __ATOMIC_RELEASE);
    }
    __atomic_add_fetch(&slot->calls, 1, __ATOMIC_RELEASE);
}

static struct Board* open_board(const char* file) {
    const int descriptor = open(file, O_RDWR | O_CLOEXEC);
    struct Board* board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    return board == MAP_FAILED ? NULL : board;
}

static int work(const char* file, int number) {
    struct Board* board = open_board(file);
    if (!board) return 1;
    struct Slot* slot = &board->slots[number];
    set_up();
    slot->pid = (uint64_t)getpid();
    while (!__atomic_load_n(&board->stop, __ATOMIC_ACQUIRE) && access(file, F_OK) == 0) {
        record(slot, cuCtxSynchronize());
        record(slot, allocate(0));
        usleep(2000);
    }
    return 0;
}

struct Storm {
    struct Board* board;
    struct Slot* slot;
};

static void* call_until_stop(void* argument) {
    const struct Storm* storm = argument;
    cuCtxSetCurrent(devices[0].context);
    storm->slot->pid = (uint64_t)getpid();
    while (!__atomic_load_n(&storm->board->stop, __ATOMIC_ACQUIRE)) {
        const uint64_t watching = __atomic_load_n(&storm->board->watching, __ATOMIC_ACQUIRE);
        const Status status = cuCtxSynchronize();
        if (watching && status == 0) __atomic_add_fetch(&storm->board->successes, 1, __ATOMIC_RELEASE);
        record(storm->slot, status == not_initialized ? 0 : status);
    }
    return NULL;
}

static int storm_in_threads(struct Board* board) {
    pthread_t started[threads];
    struct Storm storms[threads];
    for (int i = 0; i < threads; ++i) {
        storms[i] = (struct Storm){board, &board->slots[i]};
        if (pthread_create(&started[i], NULL, call_until_stop, &storms[i]) != 0) abort();
    }
    for (int i = 0; i < threads; ++i) pthread_join(started[i], NULL);
    return 0;
}

static int storm_in_children(struct Board* board, int children) {
    int failed_children = 0;
    for (int i = 0; i < children; ++i) {
        if (fork() != 0) continue;
        call_until_stop(&(struct Storm){board, &board->slots[i]});
        _exit(0);
    }
    for (int status; wait(&status) > 0;) failed_children += status != 0;
    return failed_children;
}

static int storm(const char* file, int children) {
    struct Board* board = open_board(file);
    if (!board) return 1;
    set_up();
    return children > 0 ? storm_in_children(board, children) : storm_in_threads(board);
}

static void print_goodbye(void) { printf("goodbye\n"); }

int main(int argc, char** argv) {
    if (argc == 4 && !strcmp(argv[1], "worker")) return work(argv[2], atoi(argv[3]));
    if (argc == 4 && !strcmp(argv[1], "storm")) return storm(argv[2], atoi(argv[3]));
    signal(SIGUSR1, count_signal);
    atexit(print_goodbye);
    set_up();
    for (int i = 1; i < argc; ++i) run_operation(argv[i]);
    return 7;
}
