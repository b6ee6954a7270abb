"""What a stage is given: its plan, a workspace of its own, inputs as files, and a place for what it makes."""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from avatarlab_ops.canonical import Json
from avatarlab_ops.errors import RenderCancelled, TransientError
from avatarlab_ops.plan import Plan, Source
from avatarlab_ops.progress import Report
from avatarlab_ops.settings import Settings
from avatarlab_ops.stages.deadline import Deadline
from avatarlab_ops.stores import artifacts
from avatarlab_ops.stores.catalog import records, transaction
from avatarlab_ops.stores.catalog.tables import Artifact
from avatarlab_ops.stores.objects import objects, split_or_refuse

MAX_BYTES = 64 << 30  # of an artifact's file; a guard, not a promise
REPORT_EVERY_S = 0.5
LEFT_S = 3600.0  # age at which an abandoned work folder goes when the next one is made
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Context:
    """One stage of one render at work."""

    settings: Settings
    render_id: str
    plan: Plan
    workspace: Path
    report: Report
    artifacts: Mapping[str, Artifact]  # of the stages before

    def source(self, source: Source) -> Path:
        """The input object as a local file. Raises ReferenceRefused when it was replaced since `admit`."""
        bucket, key = split_or_refuse(source.uri)
        path = self.workspace / f"{source.sha256[:16]}{Path(key).suffix}"
        if not path.exists():
            store = objects(self.settings)
            store.download(bucket, key, path, sha256=source.sha256, max_bytes=source.bytes)
        return path

    def artifact(self, stage: str, name: str) -> Path:
        """A file of an earlier stage's artifact."""
        file = artifacts.file(self.settings, self.artifacts[stage], name)
        path = self.workspace / f"{stage}-{name}"
        if not path.exists():
            store = objects(self.settings)
            store.download(file.bucket, file.key, path, sha256=file.sha256, max_bytes=MAX_BYTES)
        return path

    def new(self, name: str) -> Path:
        """Path of a file to be made."""
        return self.workspace / name


@contextmanager
def workspace(settings: Settings, stage: str) -> Iterator[Path]:
    """A folder that is gone afterwards; what a killed process left goes with the next one of this machine.

    `stage` begins its name. Housekeeping works on one machine, and may never come to this one.
    """
    root = settings.home / "work"
    root.mkdir(parents=True, exist_ok=True)
    sweep(settings, older_than_s=LEFT_S)
    folder = Path(tempfile.mkdtemp(prefix=f"{stage}-", dir=root))
    held = os.open(folder, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)  # the kernel frees it with the process: `abandoned` asks it
    try:
        yield folder
    finally:
        try:
            shutil.rmtree(folder)
        finally:
            os.close(held)  # last: an unlocked old folder is what others' sweeps remove


def abandoned(settings: Settings, *, older_than_s: float = 60.0) -> list[Path]:
    """Workspaces whose process is gone, as their locks say, and that are at least so many seconds old."""
    return [path for path in (settings.home / "work").glob("*") if _left(path, older_than_s)]


def _left(folder: Path, older_than_s: float) -> bool:
    try:
        held = os.open(folder, os.O_RDONLY)
    except OSError:  # its process has just removed it, or it is somebody else's: nothing to remove for us
        return False
    try:
        if time.time() - os.fstat(held).st_mtime <= older_than_s:
            return False
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(held)
    return True


def sweep(settings: Settings, *, older_than_s: float = 60.0) -> int:
    """Remove workspaces that a killed process left."""
    left = abandoned(settings, older_than_s=older_than_s)
    for path in left:
        shutil.rmtree(path, ignore_errors=True)
    return len(left)


class ProgressRows:
    """A Report that writes to the catalog at most twice a second, and passes everything on.

    Raises RenderCancelled from within the stage once the render has been cancelled, StageTimeout once its
    budget is spent. A catalog that is away does not stop the work: the stage's own transaction at its end
    decides.
    """

    def __init__(
        self, settings: Settings, render_id: str, stage: str, onward: Report, limit: Deadline
    ) -> None:
        self._settings, self._render_id, self._stage, self._onward = settings, render_id, stage, onward
        self._limit = limit
        self._started = time.monotonic()
        self._next = 0.0
        self._lock = threading.Lock()

    def __call__(self, done: int, total: int, unit: str) -> None:
        """Take one report, from any thread."""
        self._limit.check()
        self._onward(done, total, unit)
        with self._lock:
            instant = time.monotonic()
            if instant < self._next and done < total:
                return
            self._next = instant + REPORT_EVERY_S
        self._write(done, total, unit, instant - self._started)

    def _write(self, done: int, total: int, unit: str, elapsed_s: float) -> None:
        rate = done / elapsed_s if elapsed_s > 0 else 0.0
        remaining_s = (total - done) / rate if rate > 0 else None
        end = records.now() + timedelta(seconds=remaining_s) if remaining_s is not None else None
        row: Json = {"done": done, "total": total, "unit": unit, "rate": rate, "expected_end": end}
        try:
            with transaction(self._settings.pg_dsn) as db:
                records.report_progress(db, self._render_id, self._stage, row)
        except RenderCancelled:
            raise
        except TransientError as error:
            log.warning("progress of %s %s not written: %s", self._render_id, self._stage, error)
