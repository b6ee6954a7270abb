"""Stage throughput of a 720p portrait render beside real time."""

from __future__ import annotations

import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from avatarlab_ops import pipeline
from avatarlab_ops.embedded import servers
from avatarlab_ops.renders import status
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.objects import Objects

PORTRAIT = Path(__file__).parents[1] / "demo" / "astronaut.png"
SENTENCE = (
    "The quick brown fox jumps over the lazy dog while the river flows quietly past the old stone mill. "
)


def request(settings: Settings, sentences: int, seed: int, **changes: Any) -> dict[str, Any]:
    """A 720p portrait request of about six seconds of speech for each sentence."""
    objects = Objects(settings)
    objects.put_if_absent(settings.bucket_inputs, "bench/astronaut.png", PORTRAIT)
    base = {
        "script": SENTENCE * sentences,
        "avatar": {"uri": f"s3://{settings.bucket_inputs}/bench/astronaut.png"},
        "background": {"kind": "colour", "colour": "#1e293b"},
        "seed": seed,
        "labels": {"bench": str(time.time_ns())},
    }
    return base | changes


def throughput(settings: Settings) -> list[str]:
    """Frames a second of every stage of one render, and the ratio to its 25 frames a second."""
    seed = time.time_ns() % 2**32  # a seed never used before, so that no stage is cached
    published = pipeline.render(settings, request(settings, 5, seed))
    frames = round(published.duration_s * 25)
    print(f"one portrait, {frames} frames of 1280x720 at 25 fps")
    rows = [f"{'stage':<10} {'compute s':>10} {'frames/s':>9} {'x real time':>12}"]
    for stage in status.of(settings, published.render_id).stages:
        row = asdict(stage)
        if row["compute_s"] > 0:
            rate = frames / row["compute_s"]
            rows.append(f"{row['stage']:<10} {row['compute_s']:>10.2f} {rate:>9.1f} {rate / 25:>12.2f}")
    return rows


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as home:
        settings = servers.ensure(Path(home))
        try:
            print("\n".join(throughput(settings)))
        finally:
            servers.stop(Path(home))


if __name__ == "__main__":
    main()
