"""A connection to a decoding child, and what its answers and its end mean here."""

from __future__ import annotations

import atexit
import contextlib
import json
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avatarlab_ops.canonical import Json
from avatarlab_ops.errors import MediaRefused, TransientError
from avatarlab_ops.media.foreign.confine import CPU_S, MEMORY_BYTES

MESSAGE_BYTES = 1 << 16  # of what either side says at once
_ROOT = Path(__file__).parents[3]
_KEPT = ("LD_LIBRARY_PATH", "TMPDIR", "TZ")  # of this process's environment; nothing else is passed on
CRASHES = tuple(-one for one in (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGFPE, signal.SIGILL))
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Zygote:
    control: socket.socket
    process: subprocess.Popen[bytes]
    starter: int  # the process that started it; forks of that share it


_zygotes: list[_Zygote] = []  # one, or none yet


def warm() -> None:
    """Start the process that children are forked from, if there is none; does not wait for it."""
    if not _zygotes:
        _zygotes.append(_start())


def _start() -> _Zygote:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-s", "-m", "avatarlab_ops.media.foreign.zygote", str(theirs.fileno())],
            env=_environment(), cwd="/", pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
    return _Zygote(ours, process, os.getpid())


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    one = {"OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}  # address space is bounded
    return kept | one | {"PATH": os.defpath, "LANG": "C.UTF-8", "PYTHONPATH": str(_ROOT)}


@atexit.register
def _stop() -> None:
    for zygote in _zygotes:
        if zygote.starter != os.getpid():
            continue
        zygote.control.close()
        try:
            zygote.process.wait(timeout=2)
        except subprocess.TimeoutExpired:  # forks of this process use it still; it ends with the last of them
            zygote.process.returncode = 0


def _connect() -> socket.socket:
    """The near end of a new child's connection."""
    for _ in range(2):
        warm()
        near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with far:
            try:
                socket.send_fds(_zygotes[0].control, [b"?"], [far.fileno()])
            except OSError:  # it was killed
                near.close()
                _zygotes.clear()
                continue
            return near
    raise TransientError("the process that decodes media cannot be started; try again")


class Link:
    """A child at work on one file. Closing ends it, whatever it does."""

    def __init__(self, path: Path) -> None:
        self._name = path.name
        self._path = path
        self._socket = _connect()

    def begin(self, asked: Json, *, wait_s: float, memory: Sequence[int] = ()) -> Any:
        """Hand the file over with the first question; the answer. Raises MediaRefused.

        A crash is tried once more, by another child: libavformat was seen to crash once on a file that is
        right, and a file that is not crashes it again.
        """
        said = self._handed_over(asked, wait_s, memory)
        if said.get("died") in CRASHES:
            log.warning("the decoder of %r crashed (%s); it is tried once more", self._name, said["died"])
            self.close()
            self._socket = _connect()
            said = self._handed_over(asked, wait_s, memory)
        return self._answer(said)

    def _handed_over(self, asked: Json, wait_s: float, memory: Sequence[int]) -> Json:
        with self._path.open("rb") as file:
            self.send({**asked, "name": self._name}, [file.fileno(), *memory])
        return self._said(wait_s)

    def send(self, asked: Json, descriptors: Sequence[int] = ()) -> None:
        """Ask without waiting."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # why, `receive` says
            socket.send_fds(self._socket, [json.dumps(asked).encode()], list(descriptors))

    def receive(self, wait_s: float) -> Any:
        """The next answer. Raises MediaRefused, or TransientError for a child that somebody killed."""
        return self._answer(self._said(wait_s))

    def _said(self, wait_s: float) -> Json:
        self._socket.settimeout(wait_s)
        try:
            data = self._socket.recv(MESSAGE_BYTES)
        except TimeoutError as error:
            self.close()
            raise self._refused(f"took more than {wait_s:g} s to decode") from error
        except ConnectionResetError:
            data = b""
        finally:
            if self._socket.fileno() >= 0:
                self._socket.settimeout(None)
        return dict(json.loads(data)) if data else {"died": -signal.SIGKILL}

    def _answer(self, said: Json) -> Any:
        if "ok" in said:
            return said["ok"]
        raise self._meaning(said)

    def _meaning(self, said: Json) -> Exception:
        if "refused" in said:
            return MediaRefused(str(said["refused"]))
        if "memory" in said:
            return self._refused(
                f"needs more than {MEMORY_BYTES >> 30} GB of memory to decode", "Scale it down"
            )
        if "defect" in said:
            log.error("decoding %r: %r\n%r", self._name, said["defect"], said.get("trace"))
            return self._refused(f"cannot be decoded ({said['defect']})")
        code = int(said.get("died", 0))
        if code == -signal.SIGKILL:
            return TransientError(f"the process that decoded {self._name} was killed; try again")
        if code == -signal.SIGXCPU:
            return self._refused(f"takes more than {CPU_S} s of processor time to decode")
        how = signal.Signals(-code).name if code < 0 else f"exit {code}"
        return self._refused(f"makes its decoder crash ({how})")

    def _refused(self, why: str, advice: str = "Export it again as MP4, PNG or WAV") -> MediaRefused:
        return MediaRefused(f"{self._name} {why}. {advice}.")

    def close(self) -> None:
        """Let go of the child; it is killed if it has not ended."""
        self._socket.close()

    def __enter__(self) -> Link:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
