// SPDX-License-Identifier: Apache-2.0
// Runs as PID 1 of a pod's sandbox, which keeps the pod's namespaces alive. Exits immediately on SIGTERM and reaps
// orphans.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static void exit_on_signal(int signal) {
    (void)signal;
    _exit(0);
}

static void reap(int signal) {
    (void)signal;
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
}

int main(void) {
    signal(SIGINT, exit_on_signal);
    signal(SIGTERM, exit_on_signal);
    signal(SIGCHLD, reap);
    for (;;) pause();
}
