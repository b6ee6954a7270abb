"""What a decoding process gives up before it sees a foreign byte. It cannot be taken back."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import resource
import signal
from pathlib import Path
from typing import Any

MEMORY_BYTES = 2 << 30  # beyond what the libraries themselves take; a picture of 50 megapixels needs 1.2 GB
CPU_S = 120  # for opening a file, and again for each picture, of a copy too
SCRATCH_BYTES = 16 << 30  # of the one file it may write: a copy of footage whose key pictures lie far apart
OPEN_FILES = 32
_UIDS = range(61_184, 65_520)  # systemd's for processes without a user; they own nothing
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_CLONE_THREAD = 0x10000
_DENIED = (
    *("socket", "socketpair", "connect", "bind", "listen", "accept", "accept4"),
    *("execve", "execveat", "fork", "vfork", "ptrace", "process_vm_readv", "process_vm_writev"),
    *("kill", "tkill", "tgkill", "pidfd_open", "pidfd_getfd", "pidfd_send_signal"),
    *("open", "openat", "openat2", "open_by_handle_at", "creat", "truncate", "memfd_create"),
    *("unlink", "unlinkat", "rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat"),
    *("mkdir", "mkdirat", "rmdir", "mknod", "mknodat", "chmod", "fchmodat", "chown", "lchown", "fchownat"),
    *("mount", "umount2", "chroot", "pivot_root", "unshare", "setns", "bpf", "perf_event_open"),
    *("userfaultfd", "keyctl", "add_key", "request_key", "io_uring_setup", "io_uring_enter"),
    *("shmget", "shmat", "msgget", "semget", "init_module", "finit_module", "kexec_load", "reboot"),
)


def confine(parent: int) -> None:
    """Bound this process, take another user where root runs it, deny system calls.

    It dies with its parent, whose id is `parent`.
    """
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    _limit(resource.RLIMIT_AS, used + MEMORY_BYTES)
    _limit(resource.RLIMIT_FSIZE, SCRATCH_BYTES)
    _limit(resource.RLIMIT_NOFILE, OPEN_FILES)
    _limit(resource.RLIMIT_CORE, 0)
    allow_time()
    if os.geteuid() == 0:
        _become_nobody()
    libc = ctypes.CDLL(None, use_errno=True)
    for option, value in ((_PR_SET_PDEATHSIG, signal.SIGKILL), (_PR_SET_NO_NEW_PRIVS, 1)):
        if libc.prctl(option, int(value), 0, 0, 0):
            raise OSError(ctypes.get_errno(), "prctl")
    if os.getppid() != parent:
        os._exit(0)
    _deny()


def allow_time() -> None:
    """CPU_S seconds of processor time from now on."""
    spent = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(spent.ru_utime + spent.ru_stime) + CPU_S
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def _limit(kind: int, value: int) -> None:
    hard = resource.getrlimit(kind)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (value, value))


def _become_nobody() -> None:
    uid = _UIDS[os.getpid() % len(_UIDS)]
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def _deny() -> None:
    """Deny system calls that no decoder needs, where libseccomp is there; the other bounds hold without."""
    library = seccomp()
    if library is None:
        return
    rules = library.SyscallFilter(library.ALLOW)
    for name in _DENIED:
        with contextlib.suppress(OSError, ValueError):  # a call that this machine does not have
            rules.add_rule(library.ERRNO(errno.EPERM), name)
    rules.add_rule(library.ERRNO(errno.ENOSYS), "clone3")  # libc then takes clone, whose flags can be seen
    rules.add_rule(library.ERRNO(errno.EPERM), "clone", library.Arg(0, library.MASKED_EQ, _CLONE_THREAD, 0))
    rules.load()


def seccomp() -> Any:
    """The library, None where it is not installed."""
    try:
        import pyseccomp
    except (ImportError, RuntimeError, OSError):
        return None
    return pyseccomp
