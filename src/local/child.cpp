// SPDX-License-Identifier: Apache-2.0
#include "local/child.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <utility>

#include "local/error.hpp"
#include "local/system.hpp"

namespace cudafault::local {

namespace {

constexpr int kTickMs = 1000;
constexpr int kForwarded[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM, SIGWINCH, SIGCONT, SIGTSTP};

// While it lives, the signals that concern the command are read from descriptor() instead of being delivered.
class Signals {
public:
    Signals() {
        sigemptyset(&taken_);
        sigaddset(&taken_, SIGCHLD);
        for (const int signal : kForwarded) sigaddset(&taken_, signal);
        for (int signal = SIGRTMIN; signal <= SIGRTMAX; ++signal) sigaddset(&taken_, signal);
        sigprocmask(SIG_BLOCK, &taken_, &before_);
        // An inherited SIG_IGN would reap the command before its end could be seen.
        struct sigaction action {};
        action.sa_handler = SIG_DFL;
        sigaction(SIGCHLD, &action, &child_before_);
        descriptor_ = Descriptor(signalfd(-1, &taken_, SFD_CLOEXEC | SFD_NONBLOCK));
    }
    Signals(const Signals&) = delete;
    Signals& operator=(const Signals&) = delete;
    ~Signals() { restore(); }

    void restore() const {
        sigaction(SIGCHLD, &child_before_, nullptr);
        sigprocmask(SIG_SETMASK, &before_, nullptr);
    }

    int descriptor() const { return descriptor_.get(); }

private:
    sigset_t taken_, before_;
    struct sigaction child_before_;
    Descriptor descriptor_;
};

// In the child: becomes the command, or writes down why it cannot.
[[noreturn]] void become(std::vector<char*>& arguments, std::vector<char*>& environment, const Signals& signals,
                         int report) {
    signals.restore();
    execvpe(arguments[0], arguments.data(), environment.data());
    const int error = errno;
    if (write(report, &error, sizeof error) < 0) _exit(kOwnFailure);
    _exit(error == ENOENT ? kNotFound : kNotExecutable);
}

pid_t start(std::vector<std::string> command, Environment& environment, const Signals& signals) {
    std::vector<char*> arguments;
    for (std::string& word : command) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    std::vector<char*> variables = environment.pointers();

    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) throw Error(kOwnFailure, "no pipe can be made: " + error_text());
    const Descriptor report(ends[0]);
    Descriptor sender(ends[1]);
    const pid_t child = fork();
    if (child < 0) throw Error(kOwnFailure, "no process can be started: " + error_text());
    if (child == 0) become(arguments, variables, signals, sender.get());

    sender = Descriptor();
    int error = 0;
    if (read(report.get(), &error, sizeof error) != sizeof error) return child;  // closed by the exec
    waitpid(child, nullptr, 0);
    const bool missing = error == ENOENT;
    throw Error(missing ? kNotFound : kNotExecutable,
                fmt::format("{} cannot be run: {}", command[0], error_text(error)));
}

// What the terminal sends goes to the whole foreground group, so the command has it already.
bool is_from_terminal(const signalfd_siginfo& signal) { return signal.ssi_code == SI_KERNEL; }

void pass_on(pid_t child, const signalfd_siginfo& signal) {
    const int number = static_cast<int>(signal.ssi_signo);
    if (number == SIGCHLD) return;
    if (!is_from_terminal(signal)) kill(child, number);
    if (number == SIGTSTP) raise(SIGSTOP);  // the shell waits for us to stop, too
}

void pass_on_all(pid_t child, int descriptor) {
    signalfd_siginfo signal;
    while (read(descriptor, &signal, sizeof signal) == sizeof signal) pass_on(child, signal);
}

End supervise(pid_t child, int signals, const std::function<void()>& tick) {
    int status = 0;
    while (waitpid(child, &status, WNOHANG) != child) {
        tick();
        pollfd wait{signals, POLLIN, 0};
        poll(&wait, 1, kTickMs);
        pass_on_all(child, signals);
    }
    return WIFSIGNALED(status) ? End{true, WTERMSIG(status)} : End{false, WEXITSTATUS(status)};
}

}  // namespace

End run_command(const std::vector<std::string>& command, Environment& environment, const std::function<void()>& tick) {
    const Signals signals;
    const pid_t child = start(command, environment, signals);
    return supervise(child, signals.descriptor(), tick);
}

void end_like(End end) {
    if (!end.by_signal) std::exit(end.value);
    const rlimit none{0, 0};
    setrlimit(RLIMIT_CORE, &none);  // the command has left its own
    signal(end.value, SIG_DFL);
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_UNBLOCK, &all, nullptr);
    raise(end.value);
    std::exit(end.code());
}

}  // namespace cudafault::local
