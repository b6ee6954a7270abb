"""Compositing at 720p beside the same job in MoviePy and in an ffmpeg filter pipe, all from this run.

The job: footage with a matte over a background picture, encoded with sound as H.264/AAC (x264 veryfast,
crf 20). Ours also pastes a mouth patch and cleans the edges, which the others do not. Times are wall clock,
with CPU beside them, since a busy machine stretches the former.
"""

from __future__ import annotations

import resource
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import imageio_ffmpeg

from avatarlab_ops.media.background import Background
from avatarlab_ops.media.compose import OutputSpec, compose
from avatarlab_ops.media.footage import open_footage
from avatarlab_ops.media.streams import read_alpha, write_alpha
from avatarlab_ops.media.video import VideoWriter, write_poster
from benchmarks.clips import FPS, HEIGHT, WIDTH, matte, moving, patches, scene, speech

SECONDS = 6
FRAMES = SECONDS * FPS
X264 = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "20", "-pix_fmt", "yuv420p"]


def prepare(folder: Path) -> None:
    """Write footage, mattes (ours, and as a gray video for the others), background and sound."""
    with VideoWriter(folder / "footage.mp4", WIDTH, HEIGHT, FPS) as writer:
        for frame, _ in moving(FRAMES):
            writer.write(frame)
    write_alpha(folder / "matte.mkv", (alpha for _, alpha in moving(FRAMES)), FPS)
    write_alpha(folder / "still.mkv", [matte()], FPS)
    write_poster(folder / "background.jpg", scene()[::-1, ::-1])
    write_poster(folder / "still.jpg", scene(), 95)
    speech(folder / "speech.wav", SECONDS)


def ours(folder: Path, source: str = "footage.mp4", mattes: str = "matte.mkv", *, sway: bool = False) -> None:
    """Avatarlab."""
    with (
        open_footage(folder / source, fps=FPS, max_short_side_px=HEIGHT) as footage,
        read_alpha(folder / mattes) as alphas,
    ):
        compose(
            footage, patches(FRAMES, len(footage), sway=sway), matte=alphas, speech=folder / "speech.wav",
            background=Background("image", path=folder / "background.jpg", size=(WIDTH, HEIGHT)),
            output=OutputSpec(WIDTH, HEIGHT, FPS), out_path=folder / "ours.mp4",
        )  # fmt: skip


def moviepy(folder: Path) -> None:
    """MoviePy 2."""
    from moviepy import AudioFileClip, CompositeVideoClip, ImageClip, VideoFileClip

    mask = VideoFileClip(str(folder / "matte.mkv")).to_mask()
    person = VideoFileClip(str(folder / "footage.mp4")).with_mask(mask)
    background = ImageClip(str(folder / "background.jpg")).with_duration(SECONDS)
    video = CompositeVideoClip([background, person]).with_duration(SECONDS)
    video.with_audio(AudioFileClip(str(folder / "speech.wav"))).write_videofile(
        str(folder / "moviepy.mp4"), fps=FPS, codec="libx264", audio_codec="aac", preset="veryfast",
        ffmpeg_params=["-crf", "20", "-pix_fmt", "yuv420p"], logger=None,
    )  # fmt: skip


def ffmpeg(folder: Path) -> None:
    """An ffmpeg filter graph: alphamerge, overlay."""
    graph = "[1]format=gray[m];[0][m]alphamerge[p];[2][p]overlay=shortest=1,format=yuv420p[v]"
    inputs = ["-i", "footage.mp4", "-i", "matte.mkv", "-loop", "1", "-r", str(FPS), "-i", "background.jpg"]
    arguments = [*inputs, "-i", "speech.wav", "-filter_complex", graph, "-map", "[v]", "-map", "3:a", *X264]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *arguments, "-c:a", "aac", "ffmpeg.mp4"]
    subprocess.run(command, cwd=folder, check=True)


def timed(job: Callable[[], None]) -> tuple[float, float]:
    """Wall and CPU seconds, those of child processes included."""

    def cpu() -> float:
        use = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(u.ru_utime + u.ru_stime for u in use)

    wall, before = time.perf_counter(), cpu()
    job()
    return time.perf_counter() - wall, cpu() - before


def main() -> None:
    """Print the table; ratios are to MoviePy."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder)
        jobs: dict[str, Callable[[], None]] = {
            "avatarlab, footage": lambda: ours(folder),
            "ffmpeg filter pipe": lambda: ffmpeg(folder),
            "moviepy": lambda: moviepy(folder),
            "avatarlab, portrait, head moves": lambda: ours(folder, "still.jpg", "still.mkv", sway=True),
            "avatarlab, portrait, head still": lambda: ours(folder, "still.jpg", "still.mkv"),
        }
        results = {label: timed(job) for label, job in jobs.items()}
    base_wall, base_cpu = results["moviepy"]
    print(f"{FRAMES} frames, {WIDTH}x{HEIGHT}")
    heads = f"{'wall s':>8}{'frames/s':>10}{'x real time':>13}{'CPU s':>8}{'wall ratio':>12}{'CPU ratio':>11}"
    print(f"{'job':<33}{heads}")
    for label, (wall, cpu) in results.items():
        rate = FRAMES / wall
        ratios = f"{base_wall / wall:>12.2f}{base_cpu / cpu:>11.2f}"
        print(f"{label:<33}{wall:>8.2f}{rate:>10.1f}{rate / FPS:>13.2f}{cpu:>8.2f}{ratios}")


if __name__ == "__main__":
    main()
