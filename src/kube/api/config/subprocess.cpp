// SPDX-License-Identifier: Apache-2.0
#include "kube/api/config/subprocess.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "kube/api/common/error.hpp"
#include "os/descriptor.hpp"

namespace cudafault::kube {

namespace {

std::vector<std::string> environment_of(const Command& command) {
    std::vector<std::string> entries;
    entries.reserve(command.env.size());
    for (const auto& [name, value] : command.env) entries.push_back(fmt::format("{}={}", name, value));
    for (char** entry = environ; *entry; ++entry) {
        const std::string text = *entry;
        const bool replaced = std::any_of(command.env.begin(), command.env.end(),
                                          [&](const auto& item) { return text.starts_with(item.first + "="); });
        if (!replaced) entries.push_back(text);
    }
    return entries;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> list;
    list.reserve(texts.size() + 1);
    for (std::string& text : texts) list.push_back(text.data());
    list.push_back(nullptr);
    return list;
}

// A child process. The destructor kills and reaps it.
class Child {
public:
    Child(const Command& command, int output) : own_group_(!command.keeps_stdin) {
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
        if (own_group_) posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        posix_spawnattr_t attributes;
        posix_spawnattr_init(&attributes);
        // A program that reads from the terminal must stay in the foreground process group.
        if (own_group_) posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
        std::vector<std::string> arguments = command.arguments;
        std::vector<std::string> environment = environment_of(command);
        const int error = posix_spawnp(&pid_, arguments[0].c_str(), &actions, &attributes, pointers(arguments).data(),
                                       pointers(environment).data());
        posix_spawnattr_destroy(&attributes);
        posix_spawn_file_actions_destroy(&actions);
        if (error != 0) throw std::system_error(error, std::generic_category(), arguments[0]);
    }

    ~Child() {
        if (reaped_) return;
        kill(own_group_ ? -pid_ : pid_, SIGKILL);
        wait();
    }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    int wait() {
        int status = 0;
        while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
        }
        reaped_ = true;
        return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    }

private:
    pid_t pid_ = -1;
    bool own_group_;
    bool reaped_ = false;
};

// Returns false at the end of the output.
bool read_more(int pipe, std::string& output) {
    char buffer[4096];
    const ssize_t size = read(pipe, buffer, sizeof buffer);
    if (size > 0) output.append(buffer, static_cast<size_t>(size));
    return size > 0 || (size < 0 && errno == EINTR);
}

std::string read_all(int pipe, Deadline deadline, const Cancellation& cancellation) {
    std::string output;
    for (;;) {
        pollfd waits[] = {{pipe, POLLIN, 0}, {cancellation.descriptor(), POLLIN, 0}};
        const auto remaining = time_left(deadline, std::chrono::minutes(1));
        if (remaining.count() == 0) throw DeadlinePassed("the command did not finish before the timeout");
        poll(waits, 2, static_cast<int>(remaining.count()));
        cancellation.check();
        if (waits[0].revents != 0 && !read_more(pipe, output)) return output;
    }
}

}  // namespace

CommandResult run_captured(const Command& command, Deadline deadline, const Cancellation& cancellation) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
    const Descriptor read_end(ends[0]);
    Descriptor write_end(ends[1]);
    Child child(command, write_end.get());
    write_end.close();
    const std::string output = read_all(read_end.get(), deadline, cancellation);
    return {child.wait(), output};
}

}  // namespace cudafault::kube
