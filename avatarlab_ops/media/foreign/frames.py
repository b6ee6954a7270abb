"""Footage whose pictures a child decodes, into memory that both see.

A video's come as stored, in planes that are half as large as RGB, and are given their colours here: swscale
works on sizes and numbers that are checked on this side, whatever the samples are.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from collections import deque

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from avatarlab_ops.errors import MediaRefused
from avatarlab_ops.frames import Frame
from avatarlab_ops.media.footage import Footage
from avatarlab_ops.media.foreign.link import Link
from avatarlab_ops.media.limits import Limits
from avatarlab_ops.media.shown import Shown, unpack, yuv420p_bytes

PLACES = 3  # one being read, one being painted, one asked for
FRAME_WAIT_S = 60.0
LIMITS = Limits()


class Shape(BaseModel):
    """What a child says of the footage it opened; nothing larger than a file may be that was let in."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    width: int = Field(ge=2, le=LIMITS.max_side_px, multiple_of=2)
    height: int = Field(ge=2, le=LIMITS.max_side_px, multiple_of=2)
    frames: int = Field(ge=1, le=round(LIMITS.max_duration_s * LIMITS.max_fps))
    still: bool
    notes: tuple[str, ...]
    shown: Shown | None  # None: pictures come as RGB

    @model_validator(mode="after")
    def _bounded(self) -> Shape:
        if self.width * self.height > LIMITS.max_image_pixels:  # square pixels may be more than were stored
            raise ValueError(f"{self.width}x{self.height} pixels")
        return self


class Slots:
    """Places for pictures of so many bytes in shared memory."""

    def __init__(self, bytes_: int) -> None:
        self._bytes = bytes_
        self.descriptor = shared_memory("avatarlab-frames", PLACES * bytes_)
        self._map = mmap.mmap(self.descriptor, PLACES * bytes_)
        self._free = deque(range(PLACES))

    def take(self) -> int:
        """A free place."""
        return self._free.pop()

    def give_back(self, slot: int) -> None:
        """Its picture is not wanted, or was read."""
        self._free.append(slot)

    def __getitem__(self, slot: int) -> NDArray[np.uint8]:
        """What the child painted there."""
        return np.frombuffer(self._map, np.uint8, self._bytes, slot * self._bytes)

    def close(self) -> None:
        """Let go of the descriptor."""
        os.close(self.descriptor)


def shared_memory(name: str, size: int) -> int:
    """Descriptor of `size` bytes that the other side can neither shrink nor grow: no SIGBUS here."""
    descriptor = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(descriptor, size)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
    return descriptor


class ForeignFootage(Footage):
    """Whoever goes forward or backward step by step finds the next picture being decoded meanwhile."""

    def __init__(self, link: Link, fps: float, shape: Shape) -> None:
        self._link, self.fps = link, fps
        self.width, self.height, self._count = shape.width, shape.height, shape.frames
        self.still, self.notes, self._shown = shape.still, shape.notes, shape.shown
        rgb = self.height * self.width * 3
        self._slots = Slots(yuv420p_bytes(self.width, self.height) if self._shown else rgb)
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
        if abs(step) == 1 and 0 <= near < self._count and len(self._asked) < 2:
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
                frame = self._picture_of(self._slots[slot]) if asked == index else None
                self._slots.give_back(slot)
                if frame is not None:
                    return frame

    def _picture_of(self, samples: NDArray[np.uint8]) -> Frame:
        if self._shown is None:
            return samples.reshape(self.height, self.width, 3).copy()
        return self._shown.rgb(unpack(samples, *self._shown.stored(self.width, self.height)))

    def close(self) -> None:
        """End the child."""
        self._link.close()
        self._slots.close()
