// SPDX-License-Identifier: Apache-2.0
#include "local/holder.hpp"

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <future>
#include <system_error>
#include <thread>
#include <utility>

namespace cudafault::local {

namespace {

// The C library has no functions for capabilities. The system calls affect only the calling thread.
using CapabilitySets = __user_cap_data_struct[_LINUX_CAPABILITY_U32S_3];

bool call(long number, CapabilitySets& sets) {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    return syscall(number, &header, &sets) == 0;
}

bool has_capabilities() {
    CapabilitySets sets{};
    return call(SYS_capget, sets) && (sets[0].permitted != 0 || sets[1].permitted != 0);
}

bool drop_capabilities() {
    CapabilitySets none{};
    return call(SYS_capset, none);
}

[[noreturn]] void hold(std::promise<pid_t> id) {
    id.set_value(drop_capabilities() ? gettid() : getpid());
    for (;;) pause();
}

}  // namespace

pid_t start_holder() {
    if (!has_capabilities()) return getpid();
    std::promise<pid_t> id;
    std::future<pid_t> started = id.get_future();
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);  // the main thread handles the signals
    try {
        std::thread(hold, std::move(id)).detach();
    } catch (const std::system_error&) {
        started = {};
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return started.valid() ? started.get() : getpid();
}

}  // namespace cudafault::local
