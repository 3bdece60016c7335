// SPDX-License-Identifier: Apache-2.0
// Calls every function of the tables with known values in all registers and on the stack, over stand-in libraries that
// record what reaches them. Prints `FAIL NAME SONAME: what` for each function that is not as told, and at last
// `N functions`.
//   caller calls none|simple|all CUDA-CODE NVML-CODE NCCL-CODE [NAME...]
//       which calls fail, with which codes; but for NAMEs
//   caller first ...
//       the same, each in a process of its own that calls nothing else
//   caller absent
//       the real libraries lack every function
//   caller ways
//       each way to obtain a function gives the same stub
//   caller unknown
//       addresses that no table knows
//   caller last_error CODE
//       failing calls of one runtime are the last error of no other
//   caller alone LIBRARY FILE NEWEST
//       one stand-in, opened for all to see, and FILE, whose references to it have no version; then NEWEST, which is
//       linked to the newest runtime
// Either it is linked to libraries that are linked to the stand-ins, and takes their functions; or it opens the
// stand-ins itself, for nobody else to see, and looks every function up.
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
    void* stub;  // what a call goes through
    int library;
    bool returns_status;
    bool simple_fails;
    int hook;
    int arguments;       // of a function with a hook
    const char* symbol;  // as cuGetProcAddress knows it
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
static const struct Function* now;

static bool wrong(const struct Function* function, const char* what) {
    printf("FAIL %s %s: %s\n", function->name, libraries[function->library].soname, what);
    ++failures;
    return false;
}

static void crashed(int signal) {
    wrong(now, signal == SIGSEGV ? "crashed with SIGSEGV" : "crashed");
    fflush(stdout);
    _exit(3);
}

static void catch_crashes(void) {
    static char stack[65536];
    sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = sizeof stack}, NULL);
    const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGABRT};
    for (int i = 0; i < 4; ++i)
        sigaction(signals[i], &(struct sigaction){.sa_handler = crashed, .sa_flags = SA_ONSTACK}, NULL);
}

static bool starts_with(const char* text, const char* start) { return strncmp(text, start, strlen(start)) == 0; }

// dlsym knows the documented names only; those that nvcc's code calls are linked.
static bool is_looked_up(const struct Function* function) { return !starts_with(function->name, "__"); }

static bool is_ours(void* address) {
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

// What a call carries: pointers to memory that must not change as integers, and random bits elsewhere.

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
    for (int i = 0; i < block_count; ++i) memory[i][block_bytes - 1] = '\0';  // whoever takes it for a text
    memcpy(untouched, memory, sizeof memory);
    struct Values values;
    fill(&values, sizeof values);
    for (int i = 0; i < block_count; ++i) {
        *(i < integer_registers ? &values.integer[i] : &values.stack[i - integer_registers]) = (uint64_t)memory[i];
    }
#ifdef __x86_64__
    values.extra[0] = 8;  // vector registers in use
#endif
    return values;
}

static const char* difference(const struct Function* function, const struct Values* sent) {
    const struct Values* got = &recorded.values;
    const int integers = function->hook ? function->arguments : integer_registers;
    if (memcmp(got->integer, sent->integer, sizeof(uint64_t) * integers)) return "integer arguments differ";
    if (function->hook) return NULL;  // not a jump: what it does not have need not arrive
    if (memcmp(got->vector, sent->vector, sizeof got->vector)) return "vector registers differ";
    if (memcmp(got->stack, sent->stack, sizeof got->stack)) return "arguments on the stack differ";
#ifdef __x86_64__
    if (got->extra[0] != sent->extra[0]) return "rax differs";
    if (got->extra[1] != sent->extra[1]) return "r10 differs";
#else
    if (got->extra[0] != sent->extra[0]) return "x8 differs";
#endif
    if (recorded.stack_pointer != call_stack_pointer) return "the stack pointer differs";
    if (recorded.return_address != (uint64_t)call_returns_here) return "the return address differs";
    return NULL;
}

static bool same_result(const struct Function* function, const struct Result* result) {
    const struct Result* given = &recorded.result;
    if (function->hook) return (uint32_t)result->integer[0] == (uint32_t)given->integer[0];
    return memcmp(result, given, sizeof *given) == 0;
}

static bool reached(const struct Function* function, int index) {
    if (recorded.count == 0) return wrong(function, "the real function was not called");
    if (recorded.index != (uint64_t)index) return wrong(function, "another function was called");
    return recorded.count == 1 || wrong(function, "the real function was called more than once");
}

static bool kept(const struct Function* function, int damage) {
    if (damage & DAMAGED_STACK) return wrong(function, "the stack pointer is not what it was before the call");
    if (damage & DAMAGED_REGISTERS) return wrong(function, "a register that a function must keep has changed");
    return memcmp(memory, untouched, sizeof memory) == 0 || wrong(function, "memory behind an argument has changed");
}

static int call(const struct Function* function, const struct Values* values, struct Result* result) {
    recorded.count = 0;
    return call_with(values, function->stub, result);
}

// That a call of `function` reaches the real one that is known by `index`.
static bool passes_to(const struct Function* function, int index) {
    const struct Values values = new_values();
    struct Result result;
    fill(&recorded.result, sizeof recorded.result);
    recorded.result.integer[0] |= 1;  // an error, for those who look: a resolver does not touch what failed
    const int damage = call(function, &values, &result);
    if (!reached(function, index)) return false;
    const char* differs = difference(function, &values);
    if (differs) return wrong(function, differs);
    if (!same_result(function, &result)) return wrong(function, "the result differs");
    return kept(function, damage);
}

static bool passes(const struct Function* function) { return passes_to(function, index_of(function)); }

static bool fails(const struct Function* function, int code) {
    const struct Values values = new_values();
    struct Result result;
    recorded.result.integer[0] = 0;
    const int damage = call(function, &values, &result);
    if (function->hook == hook_enumerate) {
        if (!reached(function, index_of(function))) return false;
        const char* differs = difference(function, &values);
        if (differs) return wrong(function, differs);
    } else if (recorded.count != 0) {
        return wrong(function, "a real function was called");
    }
    if ((int)result.integer[0] != code) return wrong(function, "the code differs");
    return kept(function, damage);
}

static bool is_cuda(const struct Function* function) { return function->library <= runtime_13; }

static void check_call(bool must_fail, int code) {
    if (preloaded && !is_ours(now->stub)) {
        wrong(now, "the program has another function than the library's");
    } else if (must_fail) {
        fails(now, code);
    } else {
        passes(now);
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
    for (now = functions; now < functions + function_count; ++now) {
        bool left_out = false;
        for (int i = 4; i < count; ++i) left_out |= !strcmp(now->name, words[i]);
        // A resolver's real function is always called, and what it fails with stays; the last error, once a runtime
        // function has failed, has a check of its own.
        const bool must_fail = (all ? now->returns_status : simple && now->simple_fails) && now->hook != hook_resolver;
        left_out |= (all || simple) && now->hook == hook_last_error;
        left_out |= !linked && !is_looked_up(now);
        if (left_out) continue;
        ++checked;
        const int code = is_cuda(now) ? cuda_code : now->library == nvml ? nvml_code : nccl_code;
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
    for (now = functions; now < functions + function_count; ++now) {
        if (look_up(&libraries[now->library], now->name)) wrong(now, "dlsym finds what is not there");
        const struct Values values = new_values();
        struct Result result;
        const int damage = call(now, &values, &result);
        if (now->returns_status && now->hook != hook_last_error && (int)result.integer[0] != code_of_absence(now)) {
            wrong(now, "the code of an absent library differs");
        }
        kept(now, damage);
    }
    return function_count;
}

// Puts one question to a resolver of which the real one answers `answer`; NULL where it went wrong.
static void* resolve(const struct Function* resolver, const struct Function* asked, void* answer, int status) {
    void* found = NULL;
    struct Values values = new_values();
    const bool by_version = strstr(resolver->name, "ByVersion") || starts_with(resolver->name, "cuGetProcAddress");
    values.integer[0] = (uint64_t)asked->symbol;
    values.integer[1] = (uint64_t)&found;
    values.integer[2] = by_version ? (uint64_t)asked->version : 0;
    values.integer[by_version ? 3 : 2] = asked->per_thread ? 2 : 1;
    recorded.answer = answer;
    recorded.result.integer[0] = (uint64_t)status;
    struct Result result;
    const int damage = call(resolver, &values, &result);
    recorded.answer = NULL;
    const char* differs = difference(resolver, &values);
    if (differs) wrong(resolver, differs);
    if ((int)result.integer[0] != status) wrong(resolver, "the status differs");
    return reached(resolver, index_of(resolver)) && kept(resolver, damage) ? found : NULL;
}

static int check_resolver(const struct Function* resolver) {
    int checked = 0;
    for (const struct Function* asked = functions; asked->library == driver; ++asked, ++checked) {
        void* expected = preloaded ? asked->stub : real_of(asked);
        if (resolve(resolver, asked, real_of(asked), 0) != expected) {
            wrong(asked, resolver->name);
        }
    }
    const struct Function* first = functions;
    if (resolve(resolver, first, real_of(first), 500) != real_of(first)) wrong(resolver, "a failure was changed");
    if (resolve(resolver, first, NULL, 0) != NULL) wrong(resolver, "an empty answer was changed");
    return checked + 2;
}

// The function that RTLD_DEFAULT means without the library: that of the first stand-in that has one of the name.
static const struct Function* first_of_name(const struct Function* function) {
    const struct Function* first = functions;
    while (strcmp(first->name, function->name)) ++first;
    return first;
}

static int check_ways(void) {
    int checked = 0;
    for (now = functions; now < functions + function_count; ++now) {
        const struct Library* library = &libraries[now->library];
        if (preloaded && !is_ours(now->stub)) wrong(now, "linked to another function than the library's");
        ++checked;
        if (now->hook == hook_resolver && now->returns_status) checked += check_resolver(now);
        if (!is_looked_up(now)) continue;
        void* expected = preloaded ? now->stub : real_of(now);
        if (dlsym(library->handle, now->name) != expected) wrong(now, "dlsym with a handle differs");
        if (look_up(library, now->name) != expected) wrong(now, "dlvsym with a handle differs");
        struct Function by_default = *first_of_name(now);
        by_default.stub = dlsym(RTLD_DEFAULT, now->name);
        if (!by_default.stub) {
            wrong(now, "dlsym with RTLD_DEFAULT finds nothing");
        } else if (passes_to(&by_default, index_of(first_of_name(now))) && preloaded && !is_ours(by_default.stub)) {
            wrong(now, "dlsym with RTLD_DEFAULT goes round the library");
        }
        checked += 3;
    }
    return checked;
}

static const struct Function* find(int library, const char* name) {
    const struct Function* function = functions;
    while (function->library != library || strcmp(function->name, name)) ++function;
    return now = function;
}

// A driver newer than the tables hands out addresses that nobody knows: spare stubs jump there, while there are any.
static int check_unknown(void) {
    enum { given = 1100, spares = 1024 };
    char* unknown = dlsym(libraries[driver].handle, "unknown_functions");
    const struct Function* resolver = find(driver, "cuGetProcAddress_v2");
    const struct Function* known = find(driver, "cuMemAlloc_v2");
    struct Function got = {.name = "unknown", .stub = resolve(resolver, known, unknown, 0)};
    passes_to(&got, function_count);
    passes(known);  // the resolver's answer for a program is not the function that another is linked to

    const struct Function asked = {.symbol = "cuNotYetKnown", .version = 14000};
    int ours = 0;
    for (int i = 1; i <= given; ++i) {
        void* real = unknown + 32 * i;
        got.stub = resolve(resolver, &asked, real, 0);
        if (resolve(resolver, &asked, real, 0) != got.stub) wrong(resolver, "one address has two stubs");
        ours += is_ours(got.stub);
        if (!is_ours(got.stub) && got.stub != real) wrong(resolver, "an unknown address became another");
        passes_to(&got, function_count);
    }
    // The first may have taken one.
    if (preloaded ? ours != spares && ours != spares - 1 : ours != 0)
        wrong(resolver, "the number of spare stubs differs");
    return given;
}

static int simple_call(const struct Function* function) {
    const struct Values values = new_values();
    struct Result result;
    recorded.result.integer[0] = 0;
    kept(function, call(function, &values, &result));
    return (int)result.integer[0];
}

static void expect_code(int library, const char* name, int code) {
    const struct Function* function = find(library, name);
    const int found = simple_call(function);
    char text[80];
    snprintf(text, sizeof text, "expected %d, found %d", code, found);
    if (found != code) wrong(function, text);
}

static int check_last_error(int code) {
    for (int failing = runtime_11; failing <= runtime_13; ++failing) {
        const int other = failing == runtime_13 ? runtime_11 : failing + 1;
        expect_code(failing, "cudaPeekAtLastError", 0);
        expect_code(failing, "cudaMalloc", code);
        expect_code(other, "cudaPeekAtLastError", 0);
        expect_code(other, "cudaGetLastError", 0);
        expect_code(failing, "cudaPeekAtLastError", code);
        expect_code(failing, "cudaPeekAtLastError", code);
        expect_code(failing, "cudaGetLastError", code);
        if (recorded.count != 1) wrong(now, "the runtime's own last error was not taken");
        expect_code(failing, "cudaGetLastError", 0);
    }
    return 3;
}

// Each function of a stand-in by the addresses that a library with references to it got.
static int check_references(const char* file, int number) {
    char name[32];
    snprintf(name, sizeof name, "linked_%d", number);
    void* const* references = dlsym(open_library(file, RTLD_LOCAL), name);
    int checked = 0;
    for (now = functions; now < functions + function_count; ++now) {
        if (now->library != number) continue;
        struct Function called = *now;
        called.stub = references[checked++];
        passes_to(&called, index_of(now));
    }
    return checked;
}

// The program sees one runtime. Whatever other versions the library exports, a name without a version means that one.
static int check_alone(int number, const char* file) {
    void* handle = open_library(libraries[number].soname, RTLD_GLOBAL);
    const int checked = check_references(file, number);
    for (now = functions; now < functions + function_count; ++now) {
        if (now->library != number) continue;
        if (!is_looked_up(now)) continue;
        struct Function called = *now;
        called.stub = dlsym(RTLD_DEFAULT, now->name);
        if (preloaded && !is_ours(called.stub)) wrong(now, "dlsym with RTLD_DEFAULT goes round the library");
        called.stub ? passes_to(&called, index_of(now)) : wrong(now, "dlsym with RTLD_DEFAULT finds nothing");
        called.stub = dlsym(handle, now->name);
        called.stub ? passes_to(&called, index_of(now)) : wrong(now, "dlsym with a handle finds nothing");
        for (int other = runtime_11; other <= runtime_13; ++other) {
            if (libraries[number].versioned && other != number &&
                dlvsym(RTLD_DEFAULT, now->name, libraries[other].soname)) {
                wrong(now, "dlvsym with RTLD_DEFAULT finds a version that is not there");
            }
        }
    }
    return checked;
}

int main(int argc, char** argv) {
    catch_crashes();
    preloaded = is_ours((void*)dlsym);
    const char* what = argc > 1 ? argv[1] : "";
    int checked = 0;
    if (strcmp(what, "alone")) open_libraries();
    if (!strcmp(what, "alone") && argc > 4) {
        checked = check_alone(atoi(argv[2]), argv[3]) + check_references(argv[4], runtime_13);
    }
    if ((!strcmp(what, "calls") || !strcmp(what, "first")) && argc > 5) {
        checked = check_calls(!strcmp(what, "first"), argc - 2, argv + 2);
    }
    if (!strcmp(what, "absent")) checked = check_absent();
    if (!strcmp(what, "ways")) checked = check_ways();
    if (!strcmp(what, "unknown")) checked = check_unknown();
    if (!strcmp(what, "last_error") && argc > 2) checked = check_last_error(atoi(argv[2]));
    printf("%d functions\n", checked);
    return checked == 0 || failures != 0;
}
