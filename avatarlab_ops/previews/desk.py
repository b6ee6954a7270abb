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
from avatarlab_ops.previews.worker import LIMIT_S
from avatarlab_ops.request import AvatarRequest
from avatarlab_ops.settings import Settings

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

    def ask(self, settings: Settings, kind: Kind, request: AvatarRequest) -> Preview:
        """Make a preview and return it; nothing of it is kept.

        Raises what `scene.make` raises, and TransientError when all places are taken or it took too long.
        """
        from avatarlab_ops.stages.context import workspace

        with self._place(), workspace(settings, "preview") as folder, self._turn:
            where = asdict(settings) | {"home": str(settings.home)}
            asked = {"settings": where, "kind": kind, "request": request.canonical(), "folder": str(folder)}
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
        """The answer; of a second process where the first had just ended for want of work."""
        for _ in range(2):
            worker = self._alive()
            assert worker.stdin  # noqa: S101 (pipes, as it was started)
            assert worker.stdout  # noqa: S101
            try:
                worker.stdin.write(line)
                worker.stdin.flush()
            except BrokenPipeError:
                self._end()
                continue
            if not select.select([worker.stdout], [], [], START_S + LIMIT_S)[0]:
                break
            if answer := worker.stdout.readline():
                said: dict[str, str] = json.loads(answer)
                return said
            break
        self._end()
        raise TransientError(
            f"the preview took more than {LIMIT_S} s, or its process was ended; make the video"
        )

    def _alive(self) -> subprocess.Popen[bytes]:
        if self._worker is None or self._worker.poll() is not None:
            self._end()
            command = [sys.executable, "-m", "avatarlab_ops.previews.worker"]
            root = str(Path(__file__).parents[2])
            self._worker = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": root}
            )
        return self._worker

    def _end(self) -> None:
        if self._worker is None:
            return
        self._worker.kill()
        self._worker.communicate()
        self._worker = None
