"""Locks on files, whichever comes free first; the kernel frees a lock when its holder ends."""

from __future__ import annotations

import fcntl
import os
import queue
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

CHECK_EVERY_S = 1.0


class Race:
    """Exclusive locks on some of several files, `note` written into each that is won.

    A context manager: what it holds is released at its end. Locks of two instances exclude each other, in
    one process too; a forked child shares its parent's locks, and they end with the last of the two.
    """

    def __init__(self, paths: Iterable[Path], note: str) -> None:
        self._untried, self._busy = list(paths), list[Path]()
        self._note = f"pid {os.getpid()} ({note}, since {time.strftime('%H:%M:%S')})"
        self._held: dict[Path, int] = {}
        self._won: queue.SimpleQueue[Path] = queue.SimpleQueue()
        self._guard, self._over = threading.Lock(), False

    def next(self, check: Callable[[], None] = lambda: None) -> Path:
        """The next file that is won; those that are free come first, in the order given.

        `check` is called every second of waiting and may raise.
        """
        self._busy += [path for path in self._untried if not self._take(path, fcntl.LOCK_NB)]
        self._untried.clear()
        if self._won.empty():  # flock has no time limit, so each file is waited for in a thread of its own
            for path in self._busy:
                threading.Thread(target=self._take, args=(path,), daemon=True, name=f"lock {path}").start()
            self._busy.clear()
        while True:
            try:
                return self._won.get(timeout=CHECK_EVERY_S)
            except queue.Empty:
                check()

    def keep(self, paths: Iterable[Path]) -> None:
        """Release all but these, and win no more."""
        kept = set(paths)
        with self._guard:
            self._over = True
            for path in [path for path in self._held if path not in kept]:
                os.close(self._held.pop(path))

    def __enter__(self) -> Race:
        return self

    def __exit__(self, *_: object) -> None:
        self.keep(())

    def _take(self, path: Path, how: int = 0) -> bool:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | how)
        except BlockingIOError:
            os.close(file)
            return False
        with self._guard:
            if self._over:
                os.close(file)
                return False
            os.ftruncate(file, 0)
            os.pwrite(file, self._note.encode(), 0)
            self._held[path] = file
        self._won.put(path)
        return True


def holder(path: Path) -> str | None:
    """The note of the lock's holder; None where the file is free."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.pread(file, 4096, 0).decode()
    else:
        return None
    finally:
        os.close(file)
