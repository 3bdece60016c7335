// SPDX-License-Identifier: Apache-2.0
// Starts many processes that make a CUDA call every 20 ms, record when a call first fails, and continue.
//   arm_swarm COUNT     starts COUNT copies of itself, prints "ready" once each has made a call, and "failed TIME" with
//   the
//                       CLOCK_REALTIME nanoseconds of the last process's first failure once all have failed; ends with
//                       the end of its input.
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
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

struct Board {
    std::atomic<int> calling;
    std::atomic<int> failed;
    std::atomic<int64_t> last_failure_ns;
};

int64_t now_ns() {
    timespec time{};
    clock_gettime(CLOCK_REALTIME, &time);
    return time.tv_sec * 1'000'000'000LL + time.tv_nsec;
}

Board* map_board(int descriptor) {
    void* board = mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    if (board == MAP_FAILED) std::abort();
    return static_cast<Board*>(board);
}

void note_failure(Board& board) {
    const int64_t now = now_ns();
    int64_t latest = board.last_failure_ns;
    while (latest < now && !board.last_failure_ns.compare_exchange_weak(latest, now)) {
    }
    ++board.failed;
}

[[noreturn]] void call_for_ever(Board& board) {
    bool failed = false;
    cuCtxSynchronize();
    ++board.calling;
    for (auto next = std::chrono::steady_clock::now();; next += kInterval) {
        std::this_thread::sleep_until(next);
        if (cuCtxSynchronize() == 0 || failed) continue;
        failed = true;
        note_failure(board);
    }
}

std::vector<pid_t> start(int count, int descriptor) {
    std::vector<pid_t> children;
    std::string number = std::to_string(descriptor);
    char program[] = "/proc/self/exe";
    char role[] = "child";
    char* arguments[] = {program, role, number.data(), nullptr};
    for (int i = 0; i < count; ++i) {
        pid_t child = 0;
        if (posix_spawn(&child, program, nullptr, nullptr, arguments, environ) != 0) std::abort();
        children.push_back(child);
    }
    return children;
}

bool input_ended() {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    char byte = 0;
    return poll(&input, 1, 1) > 0 && read(STDIN_FILENO, &byte, 1) <= 0;
}

void report(const Board& board, int count) {
    bool ready = false, done = false;
    while (!input_ended()) {
        if (!ready && board.calling == count) {
            ready = true;
            std::puts("ready");
        }
        if (!done && board.failed == count) {
            done = true;
            std::printf("failed %lld\n", static_cast<long long>(board.last_failure_ns));
        }
        std::fflush(stdout);
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc == 3 && std::string(argv[1]) == "child") call_for_ever(*map_board(std::atoi(argv[2])));
    const int count = argc == 2 ? std::atoi(argv[1]) : 0;
    if (count < 1 || count > kMaxProcesses) {
        std::fputs("usage: arm_swarm COUNT, from 1 to 4096\n", stderr);
        return 2;
    }
    const int descriptor = memfd_create("arm_swarm", 0);
    if (descriptor < 0 || ftruncate(descriptor, sizeof(Board)) != 0) std::abort();
    const Board* board = map_board(descriptor);
    const std::vector<pid_t> children = start(count, descriptor);
    report(*board, count);
    for (const pid_t child : children) kill(child, SIGKILL);
    for (const pid_t child : children) waitpid(child, nullptr, 0);
}
