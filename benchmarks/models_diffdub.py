"""DiffDub at 256x256: seconds a frame by option, with the error of each beside it.

The seconds are of the full-size network with keyed weights (they do not depend on the weights). The error of
a sampler is measured with two ideal denoisers of real pictures (ideal_faces.py), that of the frames between
painted ones on the real pictures themselves. `--all` adds other layouts, batches and sixteen bits. On a busy
machine the seconds of the processor are the better figure: the tables are made of those, divided by threads.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from avatarlab_ops.engines.lipsync.diffdub import crops
from avatarlab_ops.engines.lipsync.diffdub.config import Config
from avatarlab_ops.engines.lipsync.diffdub.ddim import Canvas, paint
from avatarlab_ops.engines.lipsync.diffdub.engine import Sampling
from avatarlab_ops.engines.lipsync.diffdub.keyframes import Shot, between, groups
from avatarlab_ops.engines.lipsync.diffdub.unet import Renderer
from benchmarks.ideal_faces import FPS, Faces, gallery, gaussian, keep_masks, talking

SIZE = 256
REFERENCE = (20, 1)  # steps and order: the authors'
FINER = 100
SAMPLERS = (REFERENCE, (10, 1), (5, 1), (4, 1), *((steps, 2) for steps in (10, 8, 6, 5, 4, 3)))
PAINTED = 4  # frames, each from a noise of its own
RATES = (25.0, 12.5, 25 / 3, 6.25)  # painted frames a second
SMALL = Config(32, (1, 1, 2, 2), (1, 1, 2, 2, 2), 64, 64, 16)  # its encoder tells which frames are painted


class Error(NamedTuple):
    """Of levels 0..255 inside the painted region."""

    rms: float
    p99: float

    @classmethod
    def of(cls, difference: Tensor) -> Error:
        """Of differences of pictures in -1..1, [n]."""
        levels = difference.double().abs() * crops.NORMAL
        return cls(float(levels.square().mean().sqrt()), float(np.quantile(levels.numpy(), 0.99)))

    def __str__(self) -> str:
        return f"{self.rms:6.2f} {self.p99:6.2f}"


@torch.inference_mode()
def main() -> None:
    """Print the tables: a call, the samplers, what lies between painted frames."""
    faces = talking(SIZE)
    network = _released()
    call_s = calls(network, everything="--all" in sys.argv)
    samplers(faces, call_s)
    whole_frame(network, faces)
    interpolated(faces)


def calls(network: Renderer, *, everything: bool) -> float:
    """Print seconds of a call; returns those of the processor for one frame alone."""
    print(f"a call of the U-Net, 555 GFLOP a frame, {torch.get_num_threads()} threads")
    print(
        f"{'layout':<14} {'weights':<8} {'batch':>5} {'wall s':>7} {'CPU s':>7} {'a frame':>7} {'GFLOP/s':>7}"
    )
    ways: list[tuple[str, torch.dtype, int]] = [("channels last", torch.float32, n) for n in (1, 2)]
    if everything:
        ways += [("channels last", torch.float32, 4), ("contiguous", torch.float32, 1)]
        ways += [("channels last", torch.bfloat16, 1)]
    found = {}
    for way in ways:
        layout, dtype, batch = way
        last = torch.channels_last if layout == "channels last" else torch.contiguous_format
        network.to(dtype, memory_format=last)  # type: ignore[call-overload]
        given = torch.randn(batch, 6, SIZE, SIZE).to(dtype).contiguous(memory_format=last)
        t, latent = torch.full((batch,), 500), torch.randn(batch, 512).to(dtype)
        wall, seconds = _timed(lambda: network(given, t, latent))  # noqa: B023
        found[way] = seconds
        print(
            f"{layout:<14} {str(dtype)[6:]:<8} {batch:>5} {wall:>7.2f} {seconds:>7.2f} "
            f"{seconds / batch:>7.2f} {555 * batch / seconds:>7.0f}",
            flush=True,
        )
    network.to(torch.float32, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return found[ways[0]]


def samplers(faces: Faces, call_s: float) -> None:
    """Print calls and seconds of every sampler, with its error against the authors' 20 steps."""
    pictures = crops.to_tensor(faces.squares)
    at = np.linspace(0, len(pictures) - 1, PAINTED).round().astype(int)
    keep = keep_masks(faces)[at]
    start = torch.randn(PAINTED, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    canvas = Canvas(pictures[at], keep, pictures[at], torch.zeros(PAINTED, 1), start)
    hole = (keep == 0).expand_as(canvas.source)
    denoisers = (gaussian(pictures), gallery(pictures))
    print(
        f"\nsamplers; painted_hz {Sampling().painted_hz:g}; error rms and 99 % against {REFERENCE[0]} steps"
    )
    print(
        f"{'steps':>5} {'order':>5} {'calls/frame':>11} {'calls/s':>8} {'fewer':>6} {'s/frame':>8} "
        f"{'s/s of video':>12} {'Gaussian':>13} {'pictures':>13}"
    )
    references = [paint(denoiser, canvas, *REFERENCE) for denoiser in denoisers]
    for steps, order in SAMPLERS:
        rate = steps * Sampling().painted_hz
        errors = [
            Error.of((paint(denoiser, canvas, steps, order) - reference)[hole])
            for denoiser, reference in zip(denoisers, references, strict=True)
        ]
        print(
            f"{steps:>5} {order:>5} {steps:>11} {rate:>8g} {REFERENCE[0] * FPS / rate:>5.1f}x "
            f"{steps * call_s:>8.1f} {rate * call_s:>12.0f} {errors[0]} {errors[1]}",
            flush=True,
        )
    finer = Error.of((paint(denoisers[0], canvas, FINER) - references[0])[hole])
    print(f"the {REFERENCE[0]} steps themselves, against {FINER}, Gaussian: {finer}")


def whole_frame(network: Renderer, faces: Faces) -> None:
    """Paint one real frame as the engine does, and print how long that took."""
    picture, keep = crops.to_tensor(faces.squares[:1]), keep_masks(faces)[:1]
    lips = crops.to_tensor(crops.latent_crop(faces.squares[0], faces.points[0])[None])
    latent = network.encoder(lips)
    _, encoded_s = _timed(lambda: network.encoder(lips))
    canvas = Canvas(picture, keep, picture, latent, torch.randn_like(picture))
    steps, order = Sampling().steps, Sampling().order
    wall, painted_s = _timed(lambda: paint(network, canvas, steps, order))
    print(f"\none whole frame, {steps} steps: {painted_s:.1f} CPU s ({wall:.1f} s)")
    print(f"the latent of a frame of the person, once per avatar: {encoded_s:.1f} CPU s", flush=True)


def interpolated(faces: Faces) -> None:
    """Print the error of frames that lie between two painted ones, were every painted one perfect."""
    shots = _shots(faces)
    hole = keep_masks(faces)[:, 0].numpy() == 0
    moved = np.concatenate([_off(faces, i, faces.squares[i - 1], hole) for i in range(1, len(shots))])
    print(f"\nframes between painted ones, {len(shots)} real frames of a man who speaks")
    print(
        f"(from one frame to the next the pictures themselves change by {Error.of(torch.from_numpy(moved))})"
    )
    print(f"{'painted_hz':>10} {'painted':>8} {'interpolated':>14} {'all frames':>14} {'latents off':>12}")
    for rate in RATES:
        found = list(groups(shots, FPS, rate))
        between_, off = _between(found, faces, hole)
        error = torch.from_numpy(np.concatenate(between_)) if between_ else torch.zeros(1)
        still = sum(int(hole[group[0].frame].sum()) * 3 for group in found)
        whole = torch.cat([error, torch.zeros(still)])
        print(f"{rate:>10.3g} {len(found):>8} {Error.of(error)!s:>14} {Error.of(whole)!s:>14} {off:>12.0%}")


def _between(found: list[list[Shot]], faces: Faces, hole: np.ndarray) -> tuple[list[np.ndarray], float]:
    """Differences of every frame that is not painted; how far latents are off, of how far they move."""
    real = faces.squares.astype(np.float32)
    pictures, latents, off = [], [], [0.0]
    for here, after in pairwise(found):
        first, last = (group[0] for group in (here, after))
        latents += [shot.latent for shot in here]
        for shot in here[1:]:
            picture = between(shot, (first, real[first.frame]), (last, real[last.frame]))
            pictures.append(_off(faces, shot.frame, picture, hole))
            share = (shot.frame - first.frame) / (last.frame - first.frame)
            off.append(
                float(np.square(first.latent * (1 - share) + last.latent * share - shot.latent).mean())
            )
    spread = np.stack(latents).var(0).mean()
    return pictures, float(np.sqrt(np.mean(off[1:]) / spread)) if pictures else 0.0


def _off(faces: Faces, frame: int, picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Differences in -1..1 inside the painted region of a frame."""
    return np.asarray((picture.astype(np.float32) - faces.squares[frame])[hole[frame]].ravel() / crops.NORMAL)


def _shots(faces: Faces) -> list[Shot]:
    """Every frame with the latent that a small keyed encoder gives its lips."""
    encoder, scale = _keyed(Renderer(SMALL)).encoder, SMALL.image / SIZE
    small = [cv2.resize(s, (SMALL.image,) * 2, interpolation=cv2.INTER_AREA) for s in faces.squares]
    points = (faces.points + 0.5) * scale - 0.5
    lips = np.stack([crops.latent_crop(*pair) for pair in zip(small, points, strict=True)])
    latents = encoder(crops.to_tensor(lips)).numpy()
    return [
        Shot(i, i, 1.0, *row) for i, row in enumerate(zip(latents, faces.squares, faces.points, strict=True))
    ]


def _released() -> Renderer:
    network: Renderer = _keyed(Renderer()).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def _keyed(network: Renderer) -> Renderer:
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
    from parity.keyed import fill

    fill(network)
    return network.eval()


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    """Wall seconds, and those of the processor on each thread."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, (time.process_time() - cpu) / torch.get_num_threads()


if __name__ == "__main__":
    main()
