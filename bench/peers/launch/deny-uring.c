// Runs a program as if it were somewhere that io_uring is not to be had:
//
//   deny-uring HOW[,HOW...] COMMAND [ARGUMENT...]
//
// eperm     a seccomp filter lets io_uring_setup(2) fail with EPERM, as the default profile of container runtimes does
// enosys    the same with ENOSYS, as on a kernel without it
// memlock   RLIMIT_MEMLOCK is 0; alone that means nothing to root, who has CAP_IPC_LOCK
// nobody    the program runs as user and group 65534, without capabilities; only root can ask for it
// allow     nothing; for comparison
#define _GNU_SOURCE
#include <errno.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static void fail(const char *what) {
    fprintf(stderr, "deny-uring: %s: %s\n", what, strerror(errno));
    exit(125);
}

static void deny(int error) {
    // The number means io_uring_setup on every architecture: it came after the tables had been aligned.
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {sizeof code / sizeof *code, code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) fail("prctl(PR_SET_NO_NEW_PRIVS)");
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter)) fail("prctl(PR_SET_SECCOMP)");
}

int main(int count, char **arguments) {
    if (count < 3) {
        fprintf(stderr, "usage: deny-uring eperm|enosys|memlock|nobody|allow[,...] COMMAND [ARGUMENT...]\n");
        return 125;
    }
    for (char *how = strtok(arguments[1], ","); how; how = strtok(NULL, ",")) {
        if (!strcmp(how, "eperm")) {
            deny(EPERM);
        } else if (!strcmp(how, "enosys")) {
            deny(ENOSYS);
        } else if (!strcmp(how, "memlock")) {
            struct rlimit none = {0, 0};
            if (setrlimit(RLIMIT_MEMLOCK, &none)) fail("setrlimit(RLIMIT_MEMLOCK)");
        } else if (!strcmp(how, "nobody")) {
            if (setgroups(0, NULL) || setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534)) fail("becoming nobody");
            setenv("HOME", "/tmp", 1); // the old one is not its own
        } else if (strcmp(how, "allow")) {
            fprintf(stderr, "deny-uring: there is no '%s'\n", how);
            return 125;
        }
    }
    execvp(arguments[2], arguments + 2);
    fail(arguments[2]);
}
