"""Real faces and denoisers that are right about them: a sampler judged without trained weights.

A diffusion sampler solves an equation whose right side is the network. For a distribution that is known the
right side is known too: here a Gaussian fitted to pictures of a person who speaks, and the pictures
themselves, each with a little spread. What a sampler then misses is its own error, not the network's.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from avatarlab_ops.engines.face import track_faces
from avatarlab_ops.engines.lipsync.diffdub import crops
from avatarlab_ops.engines.lipsync.diffdub.ddim import Network
from avatarlab_ops.engines.lipsync.diffdub.framing import Framing
from avatarlab_ops.media.footage import open_footage

PACKAGE, FILM = "pyfame", "sample_01.mp4"  # a man who speaks a sentence; installed for the tests
FPS = 25.0
SPREAD = 0.02  # of a pixel, in -1..1: what the directions of the pictures leave out


class Faces(NamedTuple):
    """Of consecutive frames at 25 Hz: squares uint8 [n, S, S, 3], 68 points float32 [n, 68, 2] in them."""

    squares: NDArray[np.uint8]
    points: NDArray[np.float32]


def film() -> Path:
    """The talking film."""
    file = next(file for file in metadata.files(PACKAGE) or () if file.name == FILM)
    return Path(str(file.locate()))


def talking(size: int) -> Faces:
    """All frames of the film as the network would see them."""
    with open_footage(film(), fps=FPS, max_short_side_px=720) as footage:
        track = track_faces(footage, fps=FPS, width=footage.width, height=footage.height)
        framing = Framing.of(track)
        squares = [framing.square(footage[i], i, size) for i in range(len(footage))]
    return Faces(np.stack(squares), np.stack([framing.seen(i, size) for i in range(len(squares))]))


def gaussian(pictures: Tensor) -> Network:
    """Ideal for a Gaussian with the mean and the directions of the pictures [n, 3, S, S] in -1..1."""
    flat = pictures.double().flatten(1)
    mean = flat.mean(0)
    power, weights = torch.linalg.eigh((flat - mean) @ (flat - mean).T)
    power, weights = power[1:], weights[:, 1:]  # the first is 0: differences from a mean add up to nothing
    axes = weights.T @ (flat - mean) / power.sqrt()[:, None]
    variance = power / len(flat) + SPREAD**2

    def clean(y: Tensor, a: Tensor) -> Tensor:
        rest = y - a.sqrt() * mean
        plain = _share(a, torch.tensor(SPREAD**2))
        along = (rest @ axes.T) * (_share(a, variance) - plain)
        return mean + along @ axes + plain * rest

    return _network(clean)


def gallery(pictures: Tensor) -> Network:
    """Ideal for a choice among the pictures [n, 3, S, S] in -1..1, each with a little spread."""
    flat = pictures.double().flatten(1)

    def clean(y: Tensor, a: Tensor) -> Tensor:
        variance = a * SPREAD**2 + 1 - a
        distance = torch.cdist(y, a.sqrt() * flat).square()
        nearest = (-distance / (2 * variance)).softmax(1) @ flat
        return nearest + _share(a, torch.tensor(SPREAD**2)) * (y - a.sqrt() * nearest)

    return _network(clean)


def _share(a: Tensor, variance: Tensor) -> Tensor:
    """How much of what a noisy picture differs from the mean is signal, per unit of the clean picture."""
    return a.sqrt() * variance / (a * variance + 1 - a)


def _network(clean: Callable[[Tensor, Tensor], Tensor]) -> Network:
    """The noise that such a denoiser sees, called as the renderer is."""
    kept = torch.from_numpy(np.cumprod(1 - np.linspace(1e-4, 0.02, 1000)))

    def noise(x: Tensor, t: Tensor, _: Tensor) -> Tensor:
        y, a = x[:, :3].double().flatten(1), kept[int(t[0])]
        return ((y - a.sqrt() * clean(y, a)) / (1 - a).sqrt()).view_as(x[:, :3]).float()

    return noise


def keep_masks(faces: Faces) -> Tensor:
    """float32 [n, 1, S, S]: 0 where the mouth is painted."""
    size = faces.squares.shape[1]
    return torch.stack([crops.keep_mask(points, size) for points in faces.points])
