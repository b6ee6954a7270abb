"""Peak memory of rendering 1 and 10 minutes of 720p video, each in a fresh process: it must not grow.

Two rows each: the whole pipeline for a portrait, and compositing of footage alone, where most memory goes.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

MINUTES = (1.0, 10.0)
SENTENCES_A_MINUTE = 10.3  # of benchmarks.stages.SENTENCE


def peak_mib() -> float:
    """Peak resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def render(minutes: float) -> None:
    """Every stage of one uncached render of a portrait; print the process's peak."""
    import time

    from avatarlab_ops import pipeline
    from avatarlab_ops.settings import Settings
    from benchmarks.stages import request

    settings = Settings.from_env()
    sentences = round(minutes * SENTENCES_A_MINUTE)
    published = pipeline.render(settings, request(settings, sentences, time.time_ns() % 2**32))
    print(f"{published.duration_s / 60:.2f} {peak_mib()}")


def composite(minutes: float) -> None:
    """Composite footage over a colour for so long; print the process's peak."""
    from avatarlab_ops.media.background import Background
    from avatarlab_ops.media.compose import OutputSpec, compose
    from avatarlab_ops.media.footage import open_footage
    from avatarlab_ops.media.streams import read_alpha, read_patches, write_alpha, write_patches
    from avatarlab_ops.media.video import VideoWriter
    from benchmarks.clips import FPS, HEIGHT, WIDTH, moving, patches

    footage_frames, total = 200, round(minutes * 60 * FPS)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with VideoWriter(folder / "footage.mp4", WIDTH, HEIGHT, FPS) as writer:
            for frame, _ in moving(footage_frames):
                writer.write(frame)
        write_alpha(folder / "matte.mkv", (alpha for _, alpha in moving(footage_frames)), FPS)
        write_patches(folder / "patches.zip", patches(total, footage_frames, sway=False), FPS)
        subprocess.run(
            [sys.executable, "-c", _SPEECH.format(str(folder / "s.wav"), minutes * 60)], check=True
        )
        with (
            open_footage(folder / "footage.mp4", fps=FPS, max_short_side_px=HEIGHT) as footage,
            read_alpha(folder / "matte.mkv") as mattes,
            read_patches(folder / "patches.zip") as laid,
        ):
            compose(
                footage, laid, matte=mattes, speech=folder / "s.wav",
                background=Background("colour", (20, 120, 90)), output=OutputSpec(WIDTH, HEIGHT, FPS),
                out_path=folder / "out.mp4",
            )  # fmt: skip
    print(f"{minutes:.2f} {peak_mib()}")


_SPEECH = "from pathlib import Path; from benchmarks.clips import speech; speech(Path({!r}), {})"
MEASURES = {"render": render, "composite": composite}


def measured(measure: str, minutes: float) -> tuple[float, float]:
    """(minutes made, peak MiB) of one measure in a process of its own, with stores that hold nothing yet."""
    from avatarlab_ops.embedded import servers

    with tempfile.TemporaryDirectory() as home:
        servers.ensure(Path(home))
        try:
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.memory", measure, str(minutes)],
                check=True, capture_output=True, text=True, env=os.environ | {"AVATARLAB_HOME": home},
            )  # fmt: skip
        finally:
            servers.stop(Path(home))
    made, peak = (float(word) for word in done.stdout.split()[-2:])
    return made, peak


def main() -> None:
    """Print both peaks and their ratio for each measure; with a measure and minutes, take that one here."""
    if len(sys.argv) == 3:
        MEASURES[sys.argv[1]](float(sys.argv[2]))
        return
    for measure in MEASURES:
        peaks = []
        for minutes in MINUTES:
            made, peak = measured(measure, minutes)
            peaks.append(peak)
            print(f"{measure:<10} {made:>6.2f} min 720p: peak {peak:7.1f} MiB", flush=True)
        print(f"{measure:<10} ratio {peaks[-1] / peaks[0]:.3f} (aim: at most 1.10)", flush=True)


if __name__ == "__main__":
    main()
