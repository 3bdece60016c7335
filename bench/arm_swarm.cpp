// SPDX-License-Identifier: Apache-2.0
// Starts many processes that make a CUDA call every 20 ms, record when a call first fails, and continue.
//
//   arm_swarm COUNT [floor]
//
// The program starts COUNT copies of itself and prints "ready" when every copy has made a call. When a call has
// failed in every copy, it prints "failed TIME": the time of the latest first failure, in CLOCK_REALTIME nanoseconds.
// It exits at the end of its input. With `floor` the processes make no CUDA call: a byte of input sets a flag in shared
// memory, and each process is recorded as failed when it reads the flag. This is the lower bound of the time to arm a
// fault.
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "cuda_stand_in.hpp"

extern char** environ;

namespace {

constexpr int kMaxProcesses = 4096;
constexpr auto kInterval = std::chrono::milliseconds(20);

struct SharedState {
    std::atomic<int> calling;
    std::atomic<int> failed;
    std::atomic<int64_t> last_failure_ns;
    std::atomic<int> flag;  // set by a byte of input, for `floor`
};

int64_t now_ns() {
    timespec time{};
    clock_gettime(CLOCK_REALTIME, &time);
    return time.tv_sec * 1'000'000'000LL + time.tv_nsec;
}

SharedState* map_shared_state(int descriptor) {
    void* state = mmap(nullptr, sizeof(SharedState), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    if (state == MAP_FAILED) std::abort();
    return static_cast<SharedState*>(state);
}

void record_failure(SharedState& state) {
    const int64_t now = now_ns();
    int64_t latest = state.last_failure_ns;
    while (latest < now && !state.last_failure_ns.compare_exchange_weak(latest, now)) {
    }
    ++state.failed;
}

template <typename Call>
[[noreturn]] void call_forever(SharedState& state, Call fails) {
    bool failed = false;
    fails();
    ++state.calling;
    for (auto next = std::chrono::steady_clock::now();; next += kInterval) {
        std::this_thread::sleep_until(next);
        if (!fails() || failed) continue;
        failed = true;
        record_failure(state);
    }
}

std::vector<pid_t> start_processes(int count, int descriptor, std::string role) {
    std::vector<pid_t> children;
    std::string number = std::to_string(descriptor);
    char program[] = "/proc/self/exe";
    char* arguments[] = {program, role.data(), number.data(), nullptr};
    for (int i = 0; i < count; ++i) {
        pid_t child = 0;
        if (posix_spawn(&child, program, nullptr, nullptr, arguments, environ) != 0) std::abort();
        children.push_back(child);
    }
    return children;
}

// Sets the flag if a byte of input is available. Returns false at the end of input.
bool read_input(SharedState& state) {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    char byte = 0;
    if (poll(&input, 1, 1) <= 0) return true;
    if (read(STDIN_FILENO, &byte, 1) <= 0) return false;
    state.flag = 1;
    return true;
}

void report_progress(SharedState& state, int count) {
    bool ready = false, done = false;
    while (read_input(state)) {
        if (!ready && state.calling == count) {
            ready = true;
            std::puts("ready");
        }
        if (!done && state.failed == count) {
            done = true;
            std::printf("failed %lld\n", static_cast<long long>(state.last_failure_ns));
        }
        std::fflush(stdout);
    }
}

}  // namespace

int main(int argc, char** argv) {
    const std::string first = argc > 1 ? argv[1] : "", second = argc > 2 ? argv[2] : "";
    if (first == "caller") {
        call_forever(*map_shared_state(std::stoi(second)), [] { return cuCtxSynchronize() != 0; });
    }
    if (first == "floor") {
        SharedState& state = *map_shared_state(std::stoi(second));
        call_forever(state, [&] { return state.flag != 0; });
    }
    int count = 0;
    std::from_chars(first.data(), first.data() + first.size(), count);
    if (count < 1 || count > kMaxProcesses || (argc == 3 && second != "floor") || argc > 3) {
        std::fputs("usage: arm_swarm COUNT [floor], COUNT from 1 to 4096\n", stderr);
        return 2;
    }
    const int descriptor = memfd_create("arm_swarm", 0);
    if (descriptor < 0 || ftruncate(descriptor, sizeof(SharedState)) != 0) std::abort();
    SharedState* state = map_shared_state(descriptor);
    const std::vector<pid_t> children = start_processes(count, descriptor, argc == 3 ? "floor" : "caller");
    report_progress(*state, count);
    for (const pid_t child : children) kill(child, SIGKILL);
    for (const pid_t child : children) waitpid(child, nullptr, 0);
}
