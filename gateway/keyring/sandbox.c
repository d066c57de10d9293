/* SPDX-License-Identifier: ISC */
#include "keyring/sandbox.h"

#include <errno.h>
#include <seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* The filter is inherited by gpg and gpg-agent, so it allows what three programs and their libraries use:
 * everything that is not named answers ENOSYS, for which libraries have a way round. Names that
 * this kernel or library does not know are passed over. */
/* clang-format off */
static const char *const allowed[] = {
    /* files: the homes, shared libraries, /proc/self/fd, locks between gpg processes, the agent's watch on
     its socket */
    "access", "chdir", "chmod", "close", "close_range", "copy_file_range", "creat", "dup", "dup2", "dup3",
    "faccessat", "faccessat2", "fadvise64", "fallocate", "fchmod", "fchmodat", "fchown", "fcntl",
    "fcntl64", "fdatasync", "flock", "fstat", "fstat64", "fstatat64", "fstatfs", "fstatfs64", "fsync",
    "ftruncate", "ftruncate64", "getcwd", "getdents", "getdents64", "inotify_add_watch", "inotify_init",
    "inotify_init1", "inotify_rm_watch", "link", "linkat", "_llseek", "lseek", "lstat", "lstat64", "mkdir",
    "mkdirat", "newfstatat", "open", "openat", "openat2", "pread64", "pwrite64", "read", "readlink",
    "readlinkat", "readv", "rename", "renameat", "renameat2", "rmdir", "stat", "stat64", "statfs",
    "statfs64", "statx", "symlink", "truncate", "umask", "unlink", "unlinkat", "utime", "utimensat",
    "utimes", "write", "writev", "ioctl",
    /* memory: mlock is libgcrypt's secure memory */
    "brk", "get_mempolicy", "madvise", "membarrier", "mincore", "mlock", "mlock2", "mmap", "mmap2",
    "mprotect", "mremap", "msync", "munlock", "munmap",
    /* processes: gpg is forked by GPGME, the agent makes itself a daemon with threads */
    "arch_prctl", "clone", "clone3", "execve", "exit", "exit_group", "fork", "futex", "get_robust_list",
    "get_thread_area", "getegid", "getegid32", "geteuid", "geteuid32", "getgid", "getgid32", "getgroups",
    "getpgid", "getpgrp", "getpid", "getppid", "getpriority", "getresgid", "getresgid32", "getresuid",
    "getresuid32", "getrlimit", "getrusage", "getsid", "gettid", "getuid", "getuid32", "kill", "prctl",
    "prlimit64", "rseq", "sched_getaffinity", "sched_getparam", "sched_getscheduler", "sched_yield",
    "set_robust_list", "set_thread_area", "set_tid_address", "setpgid", "setrlimit", "setsid", "sysinfo",
    "tgkill", "ugetrlimit", "uname", "vfork", "wait4", "waitid", "waitpid",
    /* signals, time, randomness */
    "alarm", "clock_getres", "clock_gettime", "clock_gettime64", "clock_nanosleep",
    "clock_nanosleep_time64", "getitimer", "getrandom", "gettimeofday", "nanosleep", "pause",
    "restart_syscall", "rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigqueueinfo",
    "rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait", "setitimer", "sigaltstack", "sigreturn", "time",
    "times", "timer_create", "timer_delete", "timer_settime", "timerfd_create", "timerfd_settime",
    /* waiting and local talk; socket() and socketpair() only for AF_UNIX, below */
    "_newselect", "accept", "accept4", "bind", "connect", "epoll_create", "epoll_create1", "epoll_ctl",
    "epoll_pwait", "epoll_wait", "eventfd", "eventfd2", "getpeername", "getsockname", "getsockopt",
    "listen", "pipe", "pipe2", "poll", "ppoll", "pselect6", "recv", "recvfrom", "recvmsg", "select",
    "send", "sendmsg", "sendto", "setsockopt", "shutdown",
};
/* clang-format on */

static const char *const local_only[] = {"socket", "socketpair"};

static bool limit(int resource, rlim_t most)
{
    const struct rlimit value = {most, most};
    return setrlimit((__rlimit_resource_t)resource, &value) == 0;
}

static bool set_limits(void)
{
    bool good = limit(RLIMIT_CORE, 0) && limit(RLIMIT_FSIZE, 16 << 20) && limit(RLIMIT_NOFILE, 256);
#ifndef __SANITIZE_ADDRESS__                            /* its shadow memory is larger than any limit */
    good = good && limit(RLIMIT_AS, (rlim_t)512 << 20); /* a post of 40 MiB stands four times in memory */
#endif
    return good;
}

static int add_rules(scmp_filter_ctx filter)
{
    int failed = 0;
    for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]) && !failed; i++) {
        int number = seccomp_syscall_resolve_name(allowed[i]);
        if (number != __NR_SCMP_ERROR)
            failed = seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
    }
    for (size_t i = 0; i < sizeof(local_only) / sizeof(local_only[0]) && !failed; i++)
        failed = seccomp_rule_add(filter, SCMP_ACT_ALLOW, seccomp_syscall_resolve_name(local_only[i]), 1,
                                  SCMP_A0(SCMP_CMP_EQ, AF_UNIX, 0));
    return failed;
}

static int load_filter(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    if (!filter)
        return -ENOMEM;
    int failed = add_rules(filter);
    if (!failed)
        failed = seccomp_load(filter);
    seccomp_release(filter);
    return failed;
}

bool sandbox_enter(struct error **error)
{
    close_range(3, ~0U, 0);
    umask(077);
    if (!set_limits())
        return error_set(error, ERROR_INTERNAL, "resource limits cannot be set: %s", strerror(errno));
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return error_set(error, ERROR_INTERNAL, "the process cannot be hardened: %s", strerror(errno));
    int failed = load_filter();
    return failed == 0 ||
           error_set(error, ERROR_INTERNAL, "the system-call filter cannot be set: %s", strerror(-failed));
}
