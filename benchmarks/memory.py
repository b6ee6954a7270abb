"""Peak memory of compositing 1 and 10 minutes of 720p video, each in a fresh process: it must not grow."""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

MINUTES = (1.0, 10.0)


def measure(minutes: float) -> None:
    """Composite footage over a colour for so long; print the process's peak in MiB."""
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
        ):
            compose(
                footage, read_patches(folder / "patches.zip"), matte=mattes, speech=folder / "s.wav",
                background=Background("colour", (20, 120, 90)), output=OutputSpec(WIDTH, HEIGHT, FPS),
                out_path=folder / "out.mp4",
            )  # fmt: skip
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


_SPEECH = "from pathlib import Path; from benchmarks.clips import speech; speech(Path({!r}), {})"


def main() -> None:
    """Print both peaks and their ratio; with a number of minutes, measure that one here."""
    if len(sys.argv) > 1:
        measure(float(sys.argv[1]))
        return
    peaks = []
    for minutes in MINUTES:
        command = [sys.executable, "-m", "benchmarks.memory", str(minutes)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        peaks.append(float(done.stdout))
        print(f"{minutes:>5.0f} min 720p: peak {peaks[-1]:7.1f} MiB", flush=True)
    print(f"ratio {peaks[-1] / peaks[0]:.3f} (aim: at most 1.10)")


if __name__ == "__main__":
    main()
