"""Footage whose pictures a child decodes, into memory that both see: nothing is copied on this side."""

from __future__ import annotations

import fcntl
import mmap
import os
import weakref
from collections import deque

import numpy as np

from avatarlab_ops.engines.base import Frame
from avatarlab_ops.errors import MediaRefused
from avatarlab_ops.media.footage import Footage
from avatarlab_ops.media.foreign.link import Json, Link

POOL_BYTES = 64 << 20
FRAME_WAIT_S = 60.0


class Slots:
    """Places for pictures uint8 [height, width, 3] in shared memory; each is free again once nobody holds its
    picture.
    """

    def __init__(self, height: int, width: int) -> None:
        self._shape = (height, width, 3)
        self._bytes = height * width * 3
        count = min(16, max(4, POOL_BYTES // self._bytes))
        self.descriptor = shared_memory("avatarlab-frames", count * self._bytes)
        self._map = mmap.mmap(self.descriptor, count * self._bytes)
        self._free = deque(range(count))

    def __len__(self) -> int:
        return len(self._free)

    def take(self) -> int:
        """A free place."""
        return self._free.pop()

    def give_back(self, slot: int) -> None:
        """Its picture is not wanted."""
        self._free.append(slot)

    def picture(self, slot: int) -> Frame:
        """What the child painted there; a copy when places run short, as its holder may keep it."""
        flat = np.frombuffer(self._map, np.uint8, self._bytes, slot * self._bytes)
        if len(self._free) < 2:
            copy = flat.reshape(self._shape).copy()
            self.give_back(slot)
            return copy
        weakref.finalize(flat, self._free.append, slot).atexit = False  # views of it keep it alive
        return flat.reshape(self._shape)

    def close(self) -> None:
        """Let go of the descriptor; pictures that are held stay."""
        os.close(self.descriptor)


def shared_memory(name: str, size: int) -> int:
    """Descriptor of `size` bytes that the other side can neither shrink nor grow: no SIGBUS here."""
    descriptor = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(descriptor, size)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
    return descriptor


class ForeignFootage(Footage):
    """Whoever goes forward or backward step by step finds the next picture being decoded meanwhile."""

    def __init__(self, link: Link, fps: float, shape: Json) -> None:
        self._link, self.fps = link, fps
        self.width, self.height, self._count = int(shape["width"]), int(shape["height"]), int(shape["frames"])
        self.still, self.notes = bool(shape["still"]), tuple(map(str, shape["notes"]))
        self._slots = Slots(self.height, self.width)
        self._told = False  # whether the child has the places
        self._asked: deque[tuple[int, int]] = deque()  # (index, slot), oldest first
        self._last = -2
        self._picture: Frame | None = None  # of a still

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Frame:
        if not 0 <= index < self._count:
            raise IndexError(f"frame {index} of {self._count}")
        if self._picture is not None:
            return self._picture
        if index not in {asked for asked, _ in self._asked}:
            self._ask(index)
        self._ask_next(index)
        frame = self._take(index)
        if self.still:
            self._picture = frame
        return frame

    def _ask_next(self, index: int) -> None:
        step, self._last = index - self._last, index
        near = index + step
        if abs(step) == 1 and 0 <= near < self._count and len(self._slots) > 2 and len(self._asked) < 2:
            self._ask(near)

    def _ask(self, index: int) -> None:
        slot = self._slots.take()
        self._asked.append((index, slot))
        self._link.send({"frame": index, "slot": slot}, [] if self._told else [self._slots.descriptor])
        self._told = True

    def _take(self, index: int) -> Frame:
        while True:
            asked, slot = self._asked.popleft()
            try:
                self._link.receive(FRAME_WAIT_S)
            except MediaRefused:
                self._slots.give_back(slot)
                if asked == index:
                    raise
            else:
                if asked == index:
                    return self._slots.picture(slot)
                self._slots.give_back(slot)

    def close(self) -> None:
        """End the child."""
        self._link.close()
        self._slots.close()
