// SPDX-License-Identifier: Apache-2.0
// Opens the libraries named on the command line, calls the functions of the table below, and prints a line `library
// function code` for each call.
#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { max_libraries = 8, cufft_c2c = 0x29 };

typedef struct Call {
    const char *library, *function;
    int (*make)(void* function);
} Call;

static int get_number(void* function) {
    int number = 0;
    int status = ((int (*)(int*))function)(&number);
    return status ? status : number;
}

static int create_handle(void* function) {
    void* pointer;
    return ((int (*)(void**))function)(&pointer);
}

static int allocate(void* function) {
    void* pointer;
    return ((int (*)(void**, size_t))function)(&pointer, 4096);
}

static int initialize(void* function) { return ((int (*)(unsigned))function)(0); }

static int create_fft_plan(void* function) {
    int handle;
    return ((int (*)(int*, int, int, int))function)(&handle, 1024, cufft_c2c, 1);
}

static int create_communicator(void* function) {
    void* communicator;
    return ((int (*)(void**, int, const int*))function)(&communicator, 1, NULL);
}

static int call_without_arguments(void* function) { return ((int (*)(void))function)(); }

static const Call calls[] = {
    {"libcuda.so", "cuInit", initialize},
    {"libcuda.so", "cuDriverGetVersion", get_number},
    {"libnvidia-ml.so", "nvmlInit_v2", call_without_arguments},
    {"libcudart.so", "cudaRuntimeGetVersion", get_number},
    {"libcudart.so", "cudaGetDeviceCount", get_number},
    {"libcudart.so", "cudaMalloc", allocate},
    {"libcublas.so", "cublasCreate_v2", create_handle},
    {"libcufft.so", "cufftPlan1d", create_fft_plan},
    {"libnccl.so", "ncclCommInitAll", create_communicator},
};

static const char* base_name(const char* path) {
    const char* slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void make_calls(void* library, const char* name) {
    for (size_t i = 0; i < sizeof calls / sizeof *calls; ++i) {
        if (strncmp(name, calls[i].library, strlen(calls[i].library))) continue;
        void* function = dlsym(library, calls[i].function);
        printf("%s %s %d\n", name, calls[i].function, function ? calls[i].make(function) : -1);
        fflush(stdout);
    }
}

int main(int argc, char** argv) {
    void* libraries[max_libraries];
    if (argc - 1 > max_libraries) return 2;
    for (int i = 1; i < argc; ++i) {
        libraries[i - 1] = dlopen(argv[i], RTLD_NOW | RTLD_LOCAL);
        if (!libraries[i - 1]) {
            printf("%s\n", dlerror());
            return 1;
        }
    }
    for (int i = 1; i < argc; ++i) make_calls(libraries[i - 1], base_name(argv[i]));
    return 0;
}
