"""Where previews are asked for: one process makes them, a few may wait, the next are sent away."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from avatarlab_ops import errors
from avatarlab_ops.errors import AvatarlabError, TransientError
from avatarlab_ops.previews.scene import Kind
from avatarlab_ops.previews.worker import AHEAD_S, LIMIT_S
from avatarlab_ops.request import AvatarRequest
from avatarlab_ops.settings import Settings
from avatarlab_ops.stages.context import workspace

PLACES = 3  # one that is made, two that wait
TYPES = {".jpg": "image/jpeg", ".mp4": "video/mp4", ".webm": "video/webm"}
START_S = 60.0  # for a new process to load its engines
_BY_CODE = {
    kind.code: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, AvatarlabError)
}


@dataclass(frozen=True)
class Preview:
    """A picture or video; `kind` is its media type."""

    content: bytes
    kind: str


class Desk:
    """One process at work, started when it is first needed."""

    def __init__(self) -> None:
        self._places = threading.BoundedSemaphore(PLACES)
        self._turn = threading.Lock()
        self._worker: subprocess.Popen[bytes] | None = None

    def ask(self, settings: Settings, kind: Kind, request: AvatarRequest, *, caller: str) -> Preview:
        """Make a preview as this caller would get the video; nothing of it is kept.

        Raises what `scene.planned` and `scene.make` raise, and TransientError when all places are taken or
        it took too long.
        """
        with self._place(), workspace(settings, "preview") as folder, self._turn:
            where = asdict(settings) | {"home": str(settings.home)}
            asked = {"kind": kind, "request": request.canonical(), "caller": caller}
            asked |= {"settings": where, "folder": str(folder)}
            said = self._said(json.dumps(asked).encode() + b"\n")
            if "code" in said:
                raise _BY_CODE[said["code"]](said["text"])
            path = folder / said["file"]
            return Preview(path.read_bytes(), TYPES[path.suffix])

    def warm(self) -> None:
        """Start the process, if there is none; does not wait for it."""
        if self._turn.acquire(blocking=False):
            try:
                self._alive()
            finally:
                self._turn.release()

    def close(self) -> None:
        """End the process."""
        with self._turn:
            self._end()

    @contextmanager
    def _place(self) -> Iterator[None]:
        if not self._places.acquire(blocking=False):
            raise TransientError(f"{PLACES} previews are being made already; try again in a few seconds")
        try:
            yield
        finally:
            self._places.release()

    def _said(self, line: bytes) -> dict[str, str]:
        """The answer; of a second process where the first ended before it took the question up."""
        for _ in range(2):
            worker = self._alive()
            begun = _heard(worker, START_S + AHEAD_S) if _sent(worker, line) else b""
            if begun and (answer := _heard(worker, LIMIT_S)):
                said: dict[str, str] = json.loads(answer)
                return said
            self._end()
            if begun != b"":  # it took the question up, or is silent
                break
        raise TransientError(
            f"the preview took more than {LIMIT_S} s, or its process was ended; make the video"
        )

    def _alive(self) -> subprocess.Popen[bytes]:
        if self._worker is None or self._worker.poll() is not None:
            self._end()
            command = [sys.executable, "-m", "avatarlab_ops.previews.worker"]
            root = str(Path(__file__).parents[2])
            env = os.environ | {"PYTHONPATH": root}
            pipe = subprocess.PIPE
            self._worker = subprocess.Popen(command, stdin=pipe, stdout=pipe, env=env, bufsize=0)
        return self._worker

    def _end(self) -> None:
        if self._worker is None:
            return
        self._worker.kill()
        self._worker.communicate()
        self._worker = None


def _sent(worker: subprocess.Popen[bytes], line: bytes) -> bool:
    assert worker.stdin  # noqa: S101 (a pipe, as it was started)
    try:
        while line:
            line = line[worker.stdin.write(line) :]
    except BrokenPipeError:
        return False
    return True


def _heard(worker: subprocess.Popen[bytes], within_s: float) -> bytes | None:
    """The next line; empty where the process ended, None where it is silent.

    `select` tells of what is in the pipe: `bufsize=0` leaves nothing read and unseen.
    """
    assert worker.stdout  # noqa: S101 (a pipe, as it was started)
    return worker.stdout.readline() if select.select([worker.stdout], [], [], within_s)[0] else None
