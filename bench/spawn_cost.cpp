// SPDX-License-Identifier: Apache-2.0
// Measures the run time of /bin/true with each of several LD_PRELOAD values, in rotation, so that changes of
// the machine's speed affect all values equally.
//   spawn_cost ROUNDS PRELOAD...       ("" preloads nothing)
// Prints one line per round: the nanoseconds for each value, tab-separated.
#include <spawn.h>
#include <sys/wait.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

int64_t nanoseconds_of_true(const std::string& preload) {
    std::string setting = "LD_PRELOAD=" + preload;
    char program[] = "/bin/true";
    char* arguments[] = {program, nullptr};
    char* environment[] = {preload.empty() ? nullptr : setting.data(), nullptr};
    const auto start = std::chrono::steady_clock::now();
    pid_t child = 0;
    int status = 0;
    if (posix_spawn(&child, program, nullptr, nullptr, arguments, environment) != 0 ||
        waitpid(child, &status, 0) != child || status != 0) {
        std::fprintf(stderr, "spawn_cost: /bin/true with LD_PRELOAD='%s' failed\n", preload.c_str());
        std::exit(1);
    }
    return std::chrono::nanoseconds(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3) {
        std::fputs("usage: spawn_cost ROUNDS PRELOAD...\n", stderr);
        return 2;
    }
    const std::vector<std::string> preloads(argv + 2, argv + argc);
    const size_t rounds = std::strtoul(argv[1], nullptr, 10);
    for (const std::string& preload : preloads) nanoseconds_of_true(preload);  // loads the files into the page cache
    std::vector<int64_t> times(preloads.size());
    for (size_t round = 0; round < rounds; ++round) {
        for (size_t i = 0; i < preloads.size(); ++i) {
            const size_t next = (round + i) % preloads.size();  // each value is measured first equally often
            times[next] = nanoseconds_of_true(preloads[next]);
        }
        for (size_t i = 0; i < times.size(); ++i)
            std::printf("%s%lld", i ? "\t" : "", static_cast<long long>(times[i]));
        std::puts("");
    }
}
