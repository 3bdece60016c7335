// SPDX-License-Identifier: Apache-2.0
// Starts processes and threads in different ways, without CUDA, and prints the result of each way.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { threads = 8, forks = 50 };
extern char** environ;

static int wait_for(pid_t child) {
    int status;
    if (waitpid(child, &status, 0) != child) return -errno;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static int run_with_fork(void) {
    pid_t child = fork();
    if (child == 0) _exit(11);
    return wait_for(child);
}

static int run_with_vfork(void) {
    pid_t child = vfork();
    if (child == 0) {
        execl("/bin/sh", "sh", "-c", "exit 12", (char*)NULL);
        _exit(99);
    }
    return wait_for(child);
}

static int run_with_raw_clone(void) {
    pid_t child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (child == 0) syscall(SYS_exit_group, 13);
    return wait_for(child);
}

static int shared;

static int set_shared(void* value) {
    shared = *(int*)value;
    return 14;
}

static int run_with_shared_memory_clone(void) {
    static char stack[65536] __attribute__((aligned(16)));
    int value = 5;
    pid_t child = clone(set_shared, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, &value);
    return wait_for(child) * 10 + shared;
}

static int run_with_posix_spawn(void) {
    pid_t child;
    char* arguments[] = {"sh", "-c", "exit 15", NULL};
    int error = posix_spawn(&child, "/bin/sh", NULL, NULL, arguments, environ);
    return error ? -error : wait_for(child);
}

static int run_with_system(void) { return WEXITSTATUS(system("exit 16")); }

static int run_killed_child(void) {
    pid_t child = fork();
    if (child == 0) raise(SIGTERM);
    return wait_for(child);
}

static void* fork_many(void* result) {
    int* ended = result;
    for (int i = 0; i < forks; ++i) {
        pid_t child = fork();
        if (child == 0) _exit(0);
        *ended += wait_for(child) == 0;
    }
    return NULL;
}

static int fork_in_threads(void) {
    pthread_t thread[threads];
    int ended[threads] = {0}, sum = 0;
    for (int i = 0; i < threads; ++i) pthread_create(&thread[i], NULL, fork_many, &ended[i]);
    for (int i = 0; i < threads; ++i) {
        pthread_join(thread[i], NULL);
        sum += ended[i];
    }
    return sum;
}

int main(void) {
    printf("fork %d\n", run_with_fork());
    printf("vfork and exec %d\n", run_with_vfork());
    printf("raw clone %d\n", run_with_raw_clone());
    printf("clone that shares memory %d\n", run_with_shared_memory_clone());
    printf("posix_spawn %d\n", run_with_posix_spawn());
    printf("system %d\n", run_with_system());
    printf("killed %d\n", run_killed_child());
    printf("threads that fork %d\n", fork_in_threads());
    return 0;
}
