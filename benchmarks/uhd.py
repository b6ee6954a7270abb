"""2160p: peak memory of compositing one and ten minutes, and frames a second beside an ffmpeg filter pipe.

The job of `benchmarks.compositing` at 3840 x 2160, each length in a process of its own:
`python -m benchmarks.uhd`, or `python -m benchmarks.uhd footage 10 100` with other lengths in seconds;
`portrait` instead is a still one whose head does not move.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import imageio_ffmpeg
import numpy as np

from avatarlab_ops.engines.base import Patch
from avatarlab_ops.media.background import Background
from avatarlab_ops.media.compose import OutputSpec, compose
from avatarlab_ops.media.footage import open_footage
from avatarlab_ops.media.streams import read_alpha, write_alpha
from avatarlab_ops.media.video import VideoWriter, write_poster
from benchmarks.clips import FPS, matte, moving, patches, scene, speech
from benchmarks.compositing import X264

WIDTH, HEIGHT, SCALE = 3840, 2160, 3
FOOTAGE_FRAMES = 50  # played forward and backward
LENGTHS_S = (60.0, 600.0)
PEER_S = 10.0  # enough for frames a second


def _large(picture: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.resize(picture, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR), np.uint8)


def prepare(folder: Path) -> None:
    """Footage, mattes and background, all 2160p."""
    with VideoWriter(folder / "footage.mp4", WIDTH, HEIGHT, FPS) as writer:
        for frame, _ in moving(FOOTAGE_FRAMES):
            writer.write(_large(frame))
    write_alpha(folder / "matte.mkv", (_large(alpha) for _, alpha in moving(FOOTAGE_FRAMES)), FPS)
    write_poster(folder / "background.jpg", _large(scene()[::-1, ::-1]))
    write_alpha(folder / "still.mkv", [_large(matte())], FPS)
    write_poster(folder / "still.jpg", _large(scene()), 95)


def _mouths(frames: int, footage_frames: int) -> Iterator[Patch]:
    for patch in patches(frames, footage_frames, sway=False):
        yield replace(patch, x=patch.x * SCALE, y=patch.y * SCALE)


def ours(folder: Path, seconds: float, source: str = "footage.mp4", mattes: str = "matte.mkv") -> None:
    """Composite so many seconds; print frames a second and the peak of this process in MiB."""
    speech(folder / "speech.wav", seconds)
    began = time.perf_counter()
    with (
        open_footage(folder / source, fps=FPS, max_short_side_px=HEIGHT) as footage,
        read_alpha(folder / mattes) as alphas,
    ):
        made = compose(
            footage, _mouths(round(seconds * FPS), len(footage)), matte=alphas, speech=folder / "speech.wav",
            background=Background("image", path=folder / "background.jpg", size=(WIDTH, HEIGHT)),
            output=OutputSpec(WIDTH, HEIGHT, FPS), out_path=folder / "ours.mp4",
        )  # fmt: skip
    _tell(made.frames, began, resource.RUSAGE_SELF)


def ffmpeg(folder: Path, seconds: float) -> None:
    """The same picture by alphamerge and overlay, without mouth patches and clean edges."""
    graph = "[1]format=gray[m];[0][m]alphamerge[p];[2][p]overlay=shortest=1,format=yuv420p[v]"
    again = ["-stream_loop", "-1", "-i"]
    inputs = [
        *again,
        "footage.mp4",
        *again,
        "matte.mkv",
        "-loop",
        "1",
        "-r",
        str(FPS),
        "-i",
        "background.jpg",
    ]
    arguments = [*inputs, "-filter_complex", graph, "-map", "[v]", *X264, "-t", str(seconds), "ffmpeg.mp4"]
    began = time.perf_counter()
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *arguments]
    subprocess.run(command, cwd=folder, check=True)
    _tell(round(seconds * FPS), began, resource.RUSAGE_CHILDREN)


def portrait(folder: Path, seconds: float) -> None:
    """A still portrait: only its mouth changes."""
    ours(folder, seconds, "still.jpg", "still.mkv")


def _tell(frames: int, began: float, who: int) -> None:
    print(frames / (time.perf_counter() - began), resource.getrusage(who).ru_maxrss / 1024)


JOBS = {"footage": ours, "portrait": portrait, "ffmpeg": ffmpeg}


def measured(job: str, folder: Path, seconds: float) -> tuple[float, float]:
    """(frames a second, peak MiB) of one job in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.uhd", "--job", job, str(folder), str(seconds)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    rate, peak = (float(word) for word in done.stdout.split()[-2:])
    print(f"{job:<8}{seconds:>7.0f} s 2160p: {rate:6.2f} frames/s, peak {peak:7.1f} MiB", flush=True)
    return rate, peak


def main() -> None:
    """Print both lengths, the peer, and the two ratios."""
    if sys.argv[1:2] == ["--job"]:
        JOBS[sys.argv[2]](Path(sys.argv[3]), float(sys.argv[4]))
        return
    job = sys.argv[1] if len(sys.argv) > 1 else "footage"
    short, long = map(float, sys.argv[2:4] or LENGTHS_S)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder)
        peer, _ = measured("ffmpeg", folder, min(short, PEER_S))
        rate, first = measured(job, folder, short)
        _, second = measured(job, folder, long)
    print(
        f"peak {second / first:.3f} of the shorter's (aim: at most 1.10); speed {rate / peer:.2f} of ffmpeg's"
    )


if __name__ == "__main__":
    main()
