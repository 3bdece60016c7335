// SPDX-License-Identifier: Apache-2.0
#include "local/child.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <utility>

#include "local/error.hpp"
#include "local/system.hpp"
#include "os/descriptor.hpp"

namespace cudafault::local {

namespace {

constexpr int kTickMs = 1000;

// These signals are not forwarded: the terminal sends SIGTTIN and SIGTTOU to each process that reads or writes, and the
// others report errors of this process.
constexpr int kNotForwarded[] = {SIGTTIN, SIGTTOU, SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV, SIGSYS};
constexpr int kFromTerminal[] = {SIGHUP, SIGINT, SIGQUIT, SIGTSTP, SIGCONT, SIGWINCH};

// During the lifetime of the object, the signals to forward are read from descriptor() and not delivered.
class Signals {
public:
    Signals() {
        sigfillset(&taken_);
        for (const int signal : kNotForwarded) sigdelset(&taken_, signal);
        sigprocmask(SIG_BLOCK, &taken_, &before_);
        // With an inherited SIG_IGN, the kernel reaps the command before waitpid can return its status.
        struct sigaction action{};
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

// Runs in the child: executes the command, or sends the error number to the parent.
[[noreturn]] void execute(std::vector<char*>& arguments, std::vector<char*>& environment, const Signals& signals,
                          int report) {
    signals.restore();
    execvpe(arguments[0], arguments.data(), environment.data());
    const int error = errno;
    if (write(report, &error, sizeof error) < 0) _exit(kOwnFailure);
    _exit(error == ENOENT ? kNotFound : kNotExecutable);
}

pid_t start(std::vector<std::string> command, Environment& environment, const Signals& signals) {
    std::vector<char*> arguments;
    arguments.reserve(command.size() + 1);
    for (std::string& word : command) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    std::vector<char*> variables = environment.pointers();

    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) throw Error(kOwnFailure, "cannot create a pipe: " + error_text());
    const Descriptor report(ends[0]);
    Descriptor sender(ends[1]);
    const pid_t child = fork();
    if (child < 0) throw Error(kOwnFailure, "cannot start a process: " + error_text());
    if (child == 0) execute(arguments, variables, signals, sender.get());

    sender = Descriptor();
    int error = 0;
    if (read(report.get(), &error, sizeof error) != sizeof error) return child;  // execvpe closed the pipe
    waitpid(child, nullptr, 0);
    const bool missing = error == ENOENT;
    throw Error(missing ? kNotFound : kNotExecutable,
                fmt::format("cannot run \"{}\": {}", command[0], error_text(error)));
}

// Returns true if the terminal sent the signal. The terminal signals the whole foreground process group, so the command
// has received the signal too.
bool is_from_terminal(const signalfd_siginfo& signal) {
    return signal.ssi_code == SI_KERNEL && std::ranges::count(kFromTerminal, static_cast<int>(signal.ssi_signo)) > 0;
}

// Waits for the command, forwards signals to it, and stops this process when the command stops.
class Supervisor {
public:
    Supervisor(pid_t child, int signals, const std::function<void()>& tick)
        : child_(child), signals_(signals), tick_(tick) {}

    End watch() {
        int status = 0;
        while (waitpid(child_, &status, WNOHANG | WUNTRACED) != child_ || WIFSTOPPED(status)) {
            if (WIFSTOPPED(status)) stop_like(WSTOPSIG(status));
            status = 0;
            tick_();
            pollfd wait{signals_, POLLIN, 0};
            poll(&wait, 1, kTickMs);
            forward_all();
        }
        return WIFSIGNALED(status) ? End{true, WTERMSIG(status)} : End{false, WEXITSTATUS(status)};
    }

private:
    // Stops this process after the command has stopped, because the shell waits until both have stopped. This process
    // continues after a SIGSTOP that was sent to the command only, because the SIGCONT will also be sent to the command
    // only.
    void stop_like(int signal) {
        if (signal != SIGSTOP || stop_requested_) raise(SIGSTOP);
        stop_requested_ = false;
    }

    void forward(const signalfd_siginfo& signal) {
        const int number = static_cast<int>(signal.ssi_signo);
        if (number == SIGCHLD) return;
        if (number == SIGTSTP) stop_requested_ = true;
        if (is_from_terminal(signal)) return;
        if (signal.ssi_code == SI_QUEUE) {
            sigqueue(child_, number, {.sival_ptr = reinterpret_cast<void*>(signal.ssi_ptr)});
        } else {
            kill(child_, number);
        }
    }

    void forward_all() {
        signalfd_siginfo signal;
        while (read(signals_, &signal, sizeof signal) == sizeof signal) forward(signal);
    }

    const pid_t child_;
    const int signals_;
    const std::function<void()>& tick_;
    bool stop_requested_ = false;
};

}  // namespace

End run_command(const std::vector<std::string>& command, Environment& environment, const std::function<void()>& tick) {
    const Signals signals;
    const pid_t child = start(command, environment, signals);
    return Supervisor(child, signals.descriptor(), tick).watch();
}

void end_like(End end) {
    if (!end.by_signal) std::exit(end.value);
    const rlimit none{0, 0};
    setrlimit(RLIMIT_CORE, &none);  // the command has already dumped core
    signal(end.value, SIG_DFL);
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_UNBLOCK, &all, nullptr);
    raise(end.value);
    std::exit(end.code());
}

}  // namespace cudafault::local
