"""What it costs that foreign footage is decoded in a confined child: CPU a frame, beside decoding here.

Two jobs, each done in this process and through the child in turn, best of three rounds: reading all frames
of a clip, and compositing the same clip, the cheapest stage that reads one. CPU of all processes counts.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import psutil

from avatarlab_ops.media import footage as here
from avatarlab_ops.media import foreign
from avatarlab_ops.media.background import Background
from avatarlab_ops.media.compose import OutputSpec, compose
from avatarlab_ops.media.footage import Footage
from avatarlab_ops.media.video import VideoWriter
from benchmarks.clips import FPS, moving, patches, speech

FRAMES = 100
SIZES = ((1280, 720), (1920, 1080), (3840, 2160))
ROUNDS = 3
Open = Callable[[Path, int], Footage]


def main() -> None:
    """Print the table."""
    print(f"{FRAMES} frames; CPU milliseconds a frame, best of {ROUNDS} rounds")
    print(f"{'picture':<12}{'job':<12}{'here':>8}{'child':>8}{'more':>8}")
    with tempfile.TemporaryDirectory() as name:
        for width, height in SIZES:
            clip = clip_of(Path(name), width, height)
            for job, work in (("read", read), ("composite", composite)):
                own, child = (
                    min(each) for each in zip(*(both(work, clip) for _ in range(ROUNDS)), strict=True)
                )
                print(f"{f'{width}x{height}':<12}{job:<12}{own:>8.2f}{child:>8.2f}{child / own - 1:>8.1%}")


def clip_of(folder: Path, width: int, height: int) -> Path:
    """A moving scene as H.264, and its sound beside it."""
    path = folder / f"{height}.mp4"
    speech(folder / "speech.wav", FRAMES / FPS)
    with VideoWriter(path, width, height, FPS) as writer:
        for frame, _ in moving(FRAMES):
            writer.write(np.asarray(cv2.resize(frame, (width, height)), np.uint8))
    return path


def both(work: Callable[[Footage, Path], None], clip: Path) -> tuple[float, float]:
    """CPU milliseconds a frame of the work on a clip decoded here, and in a child."""
    opened: tuple[Open, Open] = (
        lambda path, side: here.open_footage(path, fps=FPS, max_short_side_px=side),
        lambda path, side: foreign.open_footage(path, fps=FPS, max_short_side_px=side),
    )
    own, child = (cpu_ms(open_, work, clip) for open_ in opened)
    return own, child


def cpu_ms(open_: Open, work: Callable[[Footage, Path], None], clip: Path) -> float:
    """The same for one way; opening, which probes and forks once a file, is not counted."""
    with open_(clip, int(clip.stem)) as footage:
        before = cpu_s()
        work(footage, clip)
        return (cpu_s() - before) * 1000 / FRAMES


def cpu_s() -> float:
    """Processor seconds of this process and of those under it that live."""
    process = psutil.Process()
    times = [one.cpu_times() for one in (process, *process.children(recursive=True))]
    return sum(one.user + one.system for one in times)


def read(footage: Footage, _: Path) -> None:
    """Look at every frame."""
    for frame in footage:
        frame[0, 0, 0].item()


def composite(footage: Footage, clip: Path) -> None:
    """Paste a mouth, encode with sound."""
    size = OutputSpec(footage.width, footage.height, FPS)
    compose(
        footage, patches(FRAMES, len(footage), sway=False), matte=None, speech=clip.parent / "speech.wav",
        background=Background("original"), output=size, out_path=clip.parent / "out.mp4",
    )  # fmt: skip


if __name__ == "__main__":
    main()
