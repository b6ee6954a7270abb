"""A person before a background, made up: what the media benchmarks composite."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from avatarlab_ops.engines.base import Patch, footage_index
from avatarlab_ops.media.audio import write_wav

WIDTH, HEIGHT, FPS = 1280, 720, 25


def scene() -> np.ndarray:
    """A detailed still, RGB uint8 [720, 1280, 3], the same every time."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (45, 80, 3), np.uint8)
    fine = rng.integers(0, 40, (HEIGHT, WIDTH, 3), np.uint8)
    return cv2.add(cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC), fine)


def matte(shift: float = 0.0) -> np.ndarray:
    """Head and shoulders with a soft edge, uint8 [720, 1280]; about a third of the picture."""
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    head = 190 - np.hypot(x - 640 - shift, (y - 270) * 0.8)
    body = 330 - np.hypot((x - 640 - shift) * 0.8, y - 800)
    return (np.clip(np.maximum(head, body) / 10 + 0.5, 0, 1) * 255).astype(np.uint8)


def moving(frames: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Frames and mattes of the person swaying."""
    base = scene()
    for i in range(frames):
        shift = 20 * np.sin(i / 10)
        yield np.roll(base, round(shift), axis=1), matte(round(shift))


def patches(frames: int, footage_frames: int, *, sway: bool) -> Iterator[Patch]:
    """A mouth patch of 200 x 150 for every output frame, with slight head motion where asked."""
    alpha = cv2.GaussianBlur(np.pad(np.full((110, 160), 255, np.uint8), 20), (0, 0), 6)
    for i in range(frames):
        rgb = np.full((150, 200, 3), (180, 60 + i % 50, 70), np.uint8)
        turn = cv2.getRotationMatrix2D((640, 600), 0.7 * np.sin(i / 15), 1) if sway else np.eye(2, 3)
        yield Patch(footage_index(i, footage_frames), 540, 300, rgb, alpha, turn.astype(np.float32))


def speech(path: Path, seconds: float) -> Path:
    """A tone, 24 kHz."""
    n = round(24_000 * seconds)
    write_wav(path, (0.1 * np.sin(np.arange(n) * 0.05)).astype(np.float32), 24_000)
    return path
