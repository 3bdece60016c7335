// SPDX-License-Identifier: Apache-2.0
// Watches the plan file for changes. Watches its directory, because Kubernetes replaces a symbolic link in that
// directory and editors rename files.
#include "preload/process/watcher.hpp"

#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>

#include "fault/atomics.hpp"
#include "os/clock.hpp"
#include "os/system_call.hpp"
#include "preload/decide/uptake.hpp"
#include "preload/evidence/evidence.hpp"
#include "preload/evidence/log.hpp"
#include "preload/process/procfs.hpp"
#include "preload/process/signals.hpp"
#include "preload/process/state.hpp"
#include "preload/resolve/elf.hpp"
#include "preload/resolve/libc.hpp"

namespace cudafault {

namespace {

constexpr uint32_t kChanges =
    IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_MODIFY | IN_ATTRIB;
constexpr int kPollMs = 250;      // without inotify, or before the directory exists
constexpr int kWatchedMs = 5000;  // polls too, because the file may be a link into a directory that is not watched
constexpr int kArmedMs = 800;     // the final count is written after two rounds, in less than 2 s
constexpr size_t kWatcherStack = 128 << 10;

struct PthreadFunctions {
    int (*create)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
    int (*init_attributes)(pthread_attr_t*);
    int (*set_detached)(pthread_attr_t*, int);
    int (*set_stack_size)(pthread_attr_t*, size_t);
};

template <typename Function>
bool find_function(Function& function, Text name) {
    function = reinterpret_cast<Function>(const_cast<void*>(find_in_libc(name)));
    return function != nullptr;
}

bool find_pthread(PthreadFunctions& found) {
    return find_function(found.create, "pthread_create") && find_function(found.init_attributes, "pthread_attr_init") &&
           find_function(found.set_detached, "pthread_attr_setdetachstate") &&
           find_function(found.set_stack_size, "pthread_attr_setstacksize");
}

// Writes the plan into the control block if the content of the file has changed.
void read_plan_file() {
    PlanFile& file = process().plan_file;
    const size_t size = read_small_file(file.path, file.text);
    if (file.was_read && size == file.size_before && memcmp(file.text, file.text_before, size) == 0) return;
    memcpy(file.text_before, file.text, size);
    file.size_before = size;
    file.was_read = true;
    uint64_t revision;
    const Text spec = take_revision(Text(file.text, size), revision);
    store(file.revision, revision);
    set_private_plan(spec, run_clock_ns());
}

int watch_directory(int inotify, const char* file) {
    char directory[sizeof(PlanFile::path)];
    const Text path(file);
    size_t size = path.size - base_name_of(path).size;
    while (size > 1 && path[size - 1] == '/') --size;
    TextBuilder builder(directory);
    builder.add(size == 0 ? Text(".") : path.first(size));
    return static_cast<int>(system_call(SYS_inotify_add_watch, inotify, address_of(directory), kChanges));
}

void wait_for_change(int inotify, bool watching, bool armed) {
    const int ms = !watching ? kPollMs : armed ? kArmedMs : kWatchedMs;
    timespec timeout = {ms / 1000, ms % 1000 * 1'000'000L};
    pollfd poll = {inotify, POLLIN, 0};
    system_call(SYS_ppoll, address_of(&poll), watching ? 1 : 0, address_of(&timeout), 0, 8);
    char events[4096];
    if (poll.revents & POLLIN) read_file(inotify, events, sizeof events);
}

// Uses a high descriptor number, because a program may close the low numbers and expect to get them for its own files.
int open_inotify() {
    constexpr int kDuplicate = 1030;  // F_DUPFD_CLOEXEC
    constexpr int kHighNumbers[] = {1000, 200, 0};
    const int low = static_cast<int>(system_call(SYS_inotify_init1, IN_CLOEXEC | IN_NONBLOCK));
    int high = -1;
    for (int i = 0; low >= 0 && high < 0 && i < 3; ++i) {
        high = static_cast<int>(system_call(SYS_fcntl, low, kDuplicate, kHighNumbers[i]));
    }
    if (low >= 0) close_file(low);
    return high;
}

void* watch(void*) {
    int inotify = -1;
    for (;;) {
        if (system_call(SYS_fcntl, inotify, 1 /* F_GETFD */) < 0) inotify = open_inotify();
        // Add the watch in each round, because the directory may be created later or replaced.
        const bool watching = inotify >= 0 && watch_directory(inotify, process().plan_file.path) >= 0;
        read_plan_file();
        take_up_plan();
        const bool is_count_due = record_final_count();
        wait_for_change(inotify, watching, is_count_due || load(process().slot) != 0);
    }
}

bool start_watcher() {
    PthreadFunctions pthread{};
    pthread_attr_t attributes;
    pthread_t thread;
    if (!find_pthread(pthread) || pthread.init_attributes(&attributes) != 0) return false;
    pthread.set_detached(&attributes, PTHREAD_CREATE_DETACHED);
    pthread.set_stack_size(&attributes, kWatcherStack);
    const SignalsBlocked blocked;  // the watcher thread must not run the program's signal handlers
    return pthread.create(&thread, &attributes, watch, nullptr) == 0;
}

}  // namespace

bool watch_plan(const char* file) {
    PlanFile& plan_file = process().plan_file;
    const Text path(file);
    if (path.size >= sizeof plan_file.path) {
        log_message("CUDAFAULT_PLAN_FILE is longer than 4095 characters, so no fault is injected");
        return false;
    }
    for (size_t i = 0; i < path.size; ++i) plan_file.path[i] = path[i];
    read_plan_file();
    if (start_watcher()) return true;
    log_message(
        "changes to the plan file are ignored, because no thread can be started: the plan that was read stays armed");
    return true;
}

}  // namespace cudafault
