// SPDX-License-Identifier: Apache-2.0
// Calls every function of the tables with known values in all registers and on the stack. The functions are in stand-in
// libraries that record the calls. Prints `FAIL NAME SONAME: REASON` for each function that fails a check, and finally
// `N functions`.
//   caller calls none|simple|all CUDA-CODE NVML-CODE NCCL-CODE [NAME...]
//       Checks which calls fail and with which code. Does not call the functions NAME.
//   caller first ...
//       The same as `calls`, with each call in a separate process that makes no other call.
//   caller absent
//       Checks calls of functions that the real libraries do not have.
//   caller ways
//       Checks that each way to obtain a function yields the same stub.
//   caller unknown
//       Checks functions that are not in the tables.
//   caller last_error CODE
//       Checks that a failing call of one runtime does not set the last error of another.
//   caller alone LIBRARY FILE NEWEST
//       Opens one stand-in with RTLD_GLOBAL. Checks FILE, whose references to the stand-in have no version, and NEWEST,
//       which is linked to the newest runtime.
// The program has two builds. One is linked to libraries that are linked to the stand-ins, and calls the addresses that
// are bound in these libraries. The other opens the stand-ins with RTLD_LOCAL and looks up every function.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "registers.h"

enum { hook_none, hook_resolver, hook_last_error, hook_enumerate };
enum { driver, runtime_11, runtime_12, runtime_13, nvml, nccl, library_count };

struct Function {
    const char* name;
    void* stub;  // the address that a program calls
    int library;
    bool returns_status;
    bool simple_fails;
    int hook;
    int arguments;       // number of arguments, if the function has a hook
    const char* symbol;  // name of the function for cuGetProcAddress
    int version;
    bool per_thread;
};

#define FUNCTION(name, library, status, simple, hook, arguments, symbol, version, per_thread) \
    {#name, NULL, library, status, simple, hook, arguments, symbol, version, per_thread},
static struct Function functions[] = {
#include "functions.inc"
};
enum { function_count = sizeof functions / sizeof *functions };

static struct Library {
    const char* soname;
    bool versioned;
    void* handle;
    void* const* real;  // addresses, in the order of `functions`
    void* const* linked;
    int first;
} libraries[library_count] = {{.soname = "libcuda.so.1"},
                              {.soname = "libcudart.so.11.0", .versioned = true},
                              {.soname = "libcudart.so.12", .versioned = true},
                              {.soname = "libcudart.so.13", .versioned = true},
                              {.soname = "libnvidia-ml.so.1"},
                              {.soname = "libnccl.so.2"}};

static bool preloaded, linked;
static int failures;
static const struct Function* current;

static bool report(const struct Function* function, const char* reason) {
    printf("FAIL %s %s: %s\n", function->name, libraries[function->library].soname, reason);
    ++failures;
    return false;
}

static void report_crash(int signal) {
    report(current, signal == SIGSEGV ? "crashed with SIGSEGV" : "crashed");
    fflush(stdout);
    _exit(3);
}

static void catch_crashes(void) {
    static char stack[65536];
    sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = sizeof stack}, NULL);
    const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGABRT};
    for (int i = 0; i < 4; ++i)
        sigaction(signals[i], &(struct sigaction){.sa_handler = report_crash, .sa_flags = SA_ONSTACK}, NULL);
}

static bool starts_with(const char* text, const char* start) { return strncmp(text, start, strlen(start)) == 0; }

// Programs look up documented names only. Code that nvcc generates is linked to the names that begin with "__".
static bool is_looked_up(const struct Function* function) { return !starts_with(function->name, "__"); }

static bool is_in_cudafault(void* address) {
    Dl_info info;
    return address && dladdr(address, &info) && strstr(info.dli_fname, "libcudafault.so");
}

static void* look_up(const struct Library* library, const char* name) {
    return library->versioned ? dlvsym(library->handle, name, library->soname) : dlsym(library->handle, name);
}

static void* open_library(const char* file, int mode) {
    void* handle = dlopen(file, RTLD_NOW | mode);
    if (!handle) exit(printf("%s\n", dlerror()));
    return handle;
}

static void open_libraries(void) {
    for (int i = 0; i < library_count; ++i) {
        struct Library* library = &libraries[i];
        library->handle = open_library(library->soname, RTLD_LOCAL);
        char name[32];
        snprintf(name, sizeof name, "real_%d", i);
        library->real = dlsym(library->handle, name);
        snprintf(name, sizeof name, "linked_%d", i);
        library->linked = dlsym(RTLD_DEFAULT, name);
        while (functions[library->first].library != i) ++library->first;
    }
    linked = libraries[0].linked != NULL;
    for (int i = 0; i < function_count; ++i) {
        const struct Library* library = &libraries[functions[i].library];
        functions[i].stub = linked ? library->linked[i - library->first] : look_up(library, functions[i].name);
    }
}

static int index_of(const struct Function* function) { return (int)(function - functions); }

static void* real_of(const struct Function* function) {
    const struct Library* library = &libraries[function->library];
    return library->real[index_of(function) - library->first];
}

// The values of a call. Integer values point to memory that must not change; all other values are random bits.

enum { block_bytes = 256, block_count = 16 };
static char memory[block_count][block_bytes];
static char untouched[sizeof memory];

static uint64_t random_bits(void) {
    static uint64_t state = 0x9e3779b97f4a7c15;
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

static void fill(void* bytes, size_t size) {
    for (uint64_t* word = bytes; size; size -= 8) *word++ = random_bits();
}

static struct Values new_values(void) {
    fill(memory, sizeof memory);
    for (int i = 0; i < block_count; ++i) memory[i][block_bytes - 1] = '\0';  // ends the block as a string
    memcpy(untouched, memory, sizeof memory);
    struct Values values;
    fill(&values, sizeof values);
    for (int i = 0; i < block_count; ++i) {
        *(i < integer_registers ? &values.integer[i] : &values.stack[i - integer_registers]) = (uint64_t)memory[i];
    }
#ifdef __x86_64__
    values.extra[0] = 8;  // number of vector registers in use
#endif
    return values;
}

static const char* difference(const struct Function* function, const struct Values* sent) {
    const struct Values* received = &recorded.values;
    const int integers = function->hook ? function->arguments : integer_registers;
    if (memcmp(received->integer, sent->integer, sizeof(uint64_t) * integers)) return "integer arguments differ";
    if (function->hook) return NULL;  // a hook forwards only the declared arguments
    if (memcmp(received->vector, sent->vector, sizeof received->vector)) return "vector registers differ";
    if (memcmp(received->stack, sent->stack, sizeof received->stack)) return "arguments on the stack differ";
#ifdef __x86_64__
    if (received->extra[0] != sent->extra[0]) return "rax differs";
    if (received->extra[1] != sent->extra[1]) return "r10 differs";
#else
    if (received->extra[0] != sent->extra[0]) return "x8 differs";
#endif
    if (recorded.stack_pointer != call_stack_pointer) return "the stack pointer differs";
    if (recorded.return_address != (uint64_t)call_returns_here) return "the return address differs";
    return NULL;
}

static bool has_same_result(const struct Function* function, const struct Result* result) {
    const struct Result* expected = &recorded.result;
    if (function->hook) return (uint32_t)result->integer[0] == (uint32_t)expected->integer[0];
    return memcmp(result, expected, sizeof *expected) == 0;
}

static bool check_reached(const struct Function* function, int index) {
    if (recorded.count == 0) return report(function, "the real function was not called");
    if (recorded.index != (uint64_t)index) return report(function, "another function was called");
    return recorded.count == 1 || report(function, "the real function was called more than once");
}

static bool check_preserved(const struct Function* function, int damage) {
    if (damage & DAMAGED_STACK) return report(function, "the call changed the stack pointer");
    if (damage & DAMAGED_REGISTERS)
        return report(function, "the call changed a register that a function must preserve");
    return memcmp(memory, untouched, sizeof memory) == 0 ||
           report(function, "the call changed the memory that an argument points to");
}

static int call(const struct Function* function, const struct Values* values, struct Result* result) {
    recorded.count = 0;
    return call_with(values, function->stub, result);
}

// Checks that a call of `function` reaches the real function with this index.
static bool check_passes_to(const struct Function* function, int index) {
    const struct Values values = new_values();
    struct Result result;
    fill(&recorded.result, sizeof recorded.result);
    recorded.result.integer[0] |= 1;  // an error code, because a resolver hook does not change a failed result
    const int damage = call(function, &values, &result);
    if (!check_reached(function, index)) return false;
    const char* differs = difference(function, &values);
    if (differs) return report(function, differs);
    if (!has_same_result(function, &result))
        return report(function, "the stub changed the result of the real function");
    return check_preserved(function, damage);
}

static bool check_passes(const struct Function* function) { return check_passes_to(function, index_of(function)); }

static bool check_fails(const struct Function* function, int code) {
    const struct Values values = new_values();
    struct Result result;
    recorded.result.integer[0] = 0;
    const int damage = call(function, &values, &result);
    if (function->hook == hook_enumerate) {
        if (!check_reached(function, index_of(function))) return false;
        const char* differs = difference(function, &values);
        if (differs) return report(function, differs);
    } else if (recorded.count != 0) {
        return report(function, "a real function was called");
    }
    if ((int)result.integer[0] != code) return report(function, "the function did not return the injected code");
    return check_preserved(function, damage);
}

static bool is_cuda(const struct Function* function) { return function->library <= runtime_13; }

static void check_call(bool must_fail, int code) {
    if (preloaded && !is_in_cudafault(current->stub)) {
        report(current, "the program does not call the stub");
    } else if (must_fail) {
        check_fails(current, code);
    } else {
        check_passes(current);
    }
}

static void check_first_call(bool must_fail, int code) {
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        check_call(must_fail, code);
        fflush(stdout);
        _exit(failures);
    }
    int status = 0;
    waitpid(child, &status, 0);
    failures += status != 0;
}

static int check_calls(bool first, int count, char** words) {
    const bool all = !strcmp(words[0], "all"), simple = !strcmp(words[0], "simple");
    const int cuda_code = atoi(words[1]), nvml_code = atoi(words[2]), nccl_code = atoi(words[3]);
    int checked = 0;
    for (current = functions; current < functions + function_count; ++current) {
        bool skipped = false;
        for (int i = 4; i < count; ++i) skipped |= !strcmp(current->name, words[i]);
        // The stub of a resolver always calls the real function and does not change its error. check_last_error()
        // checks the last error after a failed call of a runtime function.
        const bool must_fail =
            (all ? current->returns_status : simple && current->simple_fails) && current->hook != hook_resolver;
        skipped |= (all || simple) && current->hook == hook_last_error;
        skipped |= !linked && !is_looked_up(current);
        if (skipped) continue;
        ++checked;
        const int code = is_cuda(current) ? cuda_code : current->library == nvml ? nvml_code : nccl_code;
        first ? check_first_call(must_fail, code) : check_call(must_fail, code);
    }
    return checked;
}

static int code_of_absence(const struct Function* function) {
    if (!strcmp(function->name, "cuInit")) return 100;
    const int codes[library_count] = {3, 35, 35, 35, 12, 3};
    return codes[function->library];
}

static int check_absent(void) {
    for (current = functions; current < functions + function_count; ++current) {
        if (look_up(&libraries[current->library], current->name)) report(current, "dlsym finds an absent function");
        const struct Values values = new_values();
        struct Result result;
        const int damage = call(current, &values, &result);
        if (current->returns_status && current->hook != hook_last_error &&
            (int)result.integer[0] != code_of_absence(current)) {
            report(current, "the function did not return the code for an absent library");
        }
        check_preserved(current, damage);
    }
    return function_count;
}

// Calls a resolver for the function `wanted` while the real resolver returns `address`. Returns NULL if a check fails.
static void* resolve(const struct Function* resolver, const struct Function* wanted, void* address, int status) {
    void* found = NULL;
    struct Values values = new_values();
    const bool by_version = strstr(resolver->name, "ByVersion") || starts_with(resolver->name, "cuGetProcAddress");
    values.integer[0] = (uint64_t)wanted->symbol;
    values.integer[1] = (uint64_t)&found;
    values.integer[2] = by_version ? (uint64_t)wanted->version : 0;
    values.integer[by_version ? 3 : 2] = wanted->per_thread ? 2 : 1;
    recorded.address = address;
    recorded.result.integer[0] = (uint64_t)status;
    struct Result result;
    const int damage = call(resolver, &values, &result);
    recorded.address = NULL;
    const char* differs = difference(resolver, &values);
    if (differs) report(resolver, differs);
    if ((int)result.integer[0] != status) report(resolver, "the resolver changed the status of the real resolver");
    return check_reached(resolver, index_of(resolver)) && check_preserved(resolver, damage) ? found : NULL;
}

static int check_resolver(const struct Function* resolver) {
    int checked = 0;
    for (const struct Function* wanted = functions; wanted->library == driver; ++wanted, ++checked) {
        void* expected = preloaded ? wanted->stub : real_of(wanted);
        if (resolve(resolver, wanted, real_of(wanted), 0) != expected) {
            char reason[96];
            snprintf(reason, sizeof reason, "%s returned another address", resolver->name);
            report(wanted, reason);
        }
    }
    const struct Function* first = functions;
    if (resolve(resolver, first, real_of(first), 500) != real_of(first))
        report(resolver, "the resolver changed the result of a failed lookup");
    if (resolve(resolver, first, NULL, 0) != NULL) report(resolver, "the resolver changed a NULL result");
    return checked + 2;
}

// Returns the function that dlsym(RTLD_DEFAULT) finds if the fault library is not loaded. This is the function in the
// first stand-in library that exports the name.
static const struct Function* first_of_name(const struct Function* function) {
    const struct Function* first = functions;
    while (strcmp(first->name, function->name)) ++first;
    return first;
}

static int check_ways(void) {
    int checked = 0;
    for (current = functions; current < functions + function_count; ++current) {
        const struct Library* library = &libraries[current->library];
        if (preloaded && !is_in_cudafault(current->stub)) report(current, "the reference is not bound to the stub");
        ++checked;
        if (current->hook == hook_resolver && current->returns_status) checked += check_resolver(current);
        if (!is_looked_up(current)) continue;
        void* expected = preloaded ? current->stub : real_of(current);
        if (dlsym(library->handle, current->name) != expected)
            report(current, "dlsym with a handle returns another address");
        if (look_up(library, current->name) != expected)
            report(current, "dlvsym with a handle returns another address");
        struct Function by_default = *first_of_name(current);
        by_default.stub = dlsym(RTLD_DEFAULT, current->name);
        if (!by_default.stub) {
            report(current, "dlsym with RTLD_DEFAULT fails");
        } else if (check_passes_to(&by_default, index_of(first_of_name(current))) && preloaded &&
                   !is_in_cudafault(by_default.stub)) {
            report(current, "dlsym with RTLD_DEFAULT bypasses the library");
        }
        checked += 3;
    }
    return checked;
}

static const struct Function* find_function(int library, const char* name) {
    const struct Function* function = functions;
    while (function->library != library || strcmp(function->name, name)) ++function;
    return current = function;
}

// A driver that is newer than the tables returns unknown addresses. Each address gets a spare stub until all spare
// stubs are in use.
static int check_unknown(void) {
    enum { unknown_count = 1100, spares = 1024 };
    char* unknown = dlsym(libraries[driver].handle, "unknown_functions");
    const struct Function* resolver = find_function(driver, "cuGetProcAddress_v2");
    const struct Function* known = find_function(driver, "cuMemAlloc_v2");
    struct Function resolved = {.name = "unknown", .stub = resolve(resolver, known, unknown, 0)};
    check_passes_to(&resolved, function_count);
    check_passes(known);  // the result of the resolver does not change linked functions

    const struct Function unknown_function = {.symbol = "cuNotYetKnown", .version = 14000};
    int stubs = 0;
    for (int i = 1; i <= unknown_count; ++i) {
        void* real = unknown + 32 * i;
        resolved.stub = resolve(resolver, &unknown_function, real, 0);
        if (resolve(resolver, &unknown_function, real, 0) != resolved.stub)
            report(resolver, "one address has two stubs");
        stubs += is_in_cudafault(resolved.stub);
        if (!is_in_cudafault(resolved.stub) && resolved.stub != real)
            report(resolver, "the resolver replaced an unknown address");
        check_passes_to(&resolved, function_count);
    }
    // The first resolve() may have used a spare stub.
    if (preloaded ? stubs != spares && stubs != spares - 1 : stubs != 0)
        report(resolver, "the resolver did not use the expected number of spare stubs");
    return unknown_count;
}

static int simple_call(const struct Function* function) {
    const struct Values values = new_values();
    struct Result result;
    recorded.result.integer[0] = 0;
    check_preserved(function, call(function, &values, &result));
    return (int)result.integer[0];
}

static void expect_code(int library, const char* name, int code) {
    const struct Function* function = find_function(library, name);
    const int found = simple_call(function);
    char text[80];
    snprintf(text, sizeof text, "expected %d, found %d", code, found);
    if (found != code) report(function, text);
}

static int check_last_error(int code) {
    for (int failing = runtime_11; failing <= runtime_13; ++failing) {
        const int other_runtime = failing == runtime_13 ? runtime_11 : failing + 1;
        expect_code(failing, "cudaPeekAtLastError", 0);
        expect_code(failing, "cudaMalloc", code);
        expect_code(other_runtime, "cudaPeekAtLastError", 0);
        expect_code(other_runtime, "cudaGetLastError", 0);
        expect_code(failing, "cudaPeekAtLastError", code);
        expect_code(failing, "cudaPeekAtLastError", code);
        expect_code(failing, "cudaGetLastError", code);
        if (recorded.count != 1) report(current, "the stub did not clear the runtime's own last error");
        expect_code(failing, "cudaGetLastError", 0);
    }
    return 3;
}

// Calls each function of a stand-in through the references of another library.
static int check_references(const char* file, int number) {
    char name[32];
    snprintf(name, sizeof name, "linked_%d", number);
    void* const* references = dlsym(open_library(file, RTLD_LOCAL), name);
    int checked = 0;
    for (current = functions; current < functions + function_count; ++current) {
        if (current->library != number) continue;
        struct Function called = *current;
        called.stub = references[checked++];
        check_passes_to(&called, index_of(current));
    }
    return checked;
}

// Checks references to a library that is loaded alone. A name without a version must bind to this library, although
// libcudafault.so also exports the versions of other runtimes.
static int check_alone(int number, const char* file) {
    void* handle = open_library(libraries[number].soname, RTLD_GLOBAL);
    const int checked = check_references(file, number);
    for (current = functions; current < functions + function_count; ++current) {
        if (current->library != number) continue;
        if (!is_looked_up(current)) continue;
        struct Function called = *current;
        called.stub = dlsym(RTLD_DEFAULT, current->name);
        if (preloaded && !is_in_cudafault(called.stub)) report(current, "dlsym with RTLD_DEFAULT bypasses the library");
        called.stub ? check_passes_to(&called, index_of(current)) : report(current, "dlsym with RTLD_DEFAULT fails");
        called.stub = dlsym(handle, current->name);
        called.stub ? check_passes_to(&called, index_of(current)) : report(current, "dlsym with a handle fails");
        for (int other_runtime = runtime_11; other_runtime <= runtime_13; ++other_runtime) {
            if (libraries[number].versioned && other_runtime != number &&
                dlvsym(RTLD_DEFAULT, current->name, libraries[other_runtime].soname)) {
                report(current, "dlvsym with RTLD_DEFAULT finds an absent version");
            }
        }
    }
    return checked;
}

int main(int argc, char** argv) {
    catch_crashes();
    preloaded = is_in_cudafault((void*)dlsym);
    const char* mode = argc > 1 ? argv[1] : "";
    int checked = 0;
    if (strcmp(mode, "alone")) open_libraries();
    if (!strcmp(mode, "alone") && argc > 4) {
        checked = check_alone(atoi(argv[2]), argv[3]) + check_references(argv[4], runtime_13);
    }
    if ((!strcmp(mode, "calls") || !strcmp(mode, "first")) && argc > 5) {
        checked = check_calls(!strcmp(mode, "first"), argc - 2, argv + 2);
    }
    if (!strcmp(mode, "absent")) checked = check_absent();
    if (!strcmp(mode, "ways")) checked = check_ways();
    if (!strcmp(mode, "unknown")) checked = check_unknown();
    if (!strcmp(mode, "last_error") && argc > 2) checked = check_last_error(atoi(argv[2]));
    printf("%d functions\n", checked);
    return checked == 0 || failures != 0;
}
