"""What the catalog costs a render: the real pipeline and stores, with stand-ins for the engines' work."""

from __future__ import annotations

import os
import time
import uuid
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa

from avatarlab_ops import graph, pipeline
from avatarlab_ops.media.video import VideoWriter
from avatarlab_ops.settings import Settings
from avatarlab_ops.stages import runner
from avatarlab_ops.stages.context import Context
from avatarlab_ops.stores.artifacts import Product
from avatarlab_ops.stores.catalog import engine
from avatarlab_ops.stores.objects import objects

PORTRAIT = Path(__file__).parents[1] / "demo" / "astronaut.png"
WORD = {"text": "word", "start_s": 1.0, "end_s": 1.2, "sentence": 0}
PHONE = {"phone": "AH", "start_s": 1.0, "end_s": 1.06, "word": 3, "stress": 1}
TIMELINE = {
    "duration_s": 8.96, "language": "en-US", "words": [WORD] * 30, "phones": [PHONE] * 110,
    "visemes": [{"viseme": "aa", "start_s": 1.0, "end_s": 1.06}] * 110,
}  # fmt: skip
# What a real nine-second render keeps: names of files, and facts of the size that engines give. A stage that
# is not here keeps one file and no facts.
MADE: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "speech": (("speech.wav", "timeline.json"), {"words": 30, "duration_s": 8.96, "timeline": TIMELINE}),
    "face": (("track.npz",), {"frames": 1, "width": 512, "height": 512, "frames_without_face": 0}),
    "matte": (("alpha.mkv",), {"frames": 1, "alpha_coverage": 0.41}),
    "lipsync": (("patches.zip",), {"frames": 224}),
    "composite": (
        ("video.mp4", "poster.jpg", "captions.srt", "captions.vtt"),
        {"duration_s": 8.96, "frames": 224, "fps": 25, "lip_gap_r": 0.97, "passes": [{"read_s": 5.2}] * 20},
    ),
    "publish": (
        ("video.mp4",),
        {"credentials": {"signed": True, "manifest": f"urn:c2pa:{uuid.UUID(int=0)}", "notes": []}},
    ),
}
HZ, SPOKEN_S = 16_000, 8.96
SIDE_PX, FPS = 64, 25.0


@dataclass
class Clock:
    """What the catalog's server was asked to do."""

    statements: int = 0
    seconds: float = 0.0


@contextmanager
def counted(settings: Settings) -> Iterator[Clock]:
    """Count statements and commits, and the time until each is answered."""
    clock, source = Clock(), engine(settings.pg_dsn)
    started: list[float] = []
    commit: Callable[..., None] = source.dialect.do_commit

    def before(*_: Any) -> None:
        started.append(time.perf_counter())

    def after(*_: Any) -> None:
        clock.statements += 1
        clock.seconds += time.perf_counter() - started.pop()

    def do_commit(connection: Any) -> None:
        before()
        commit(connection)
        after()

    sa.event.listen(source, "before_cursor_execute", before)
    sa.event.listen(source, "after_cursor_execute", after)
    source.dialect.do_commit = do_commit  # type: ignore[method-assign]
    try:
        yield clock
    finally:
        source.dialect.do_commit = commit  # type: ignore[method-assign]
        sa.event.remove(source, "before_cursor_execute", before)
        sa.event.remove(source, "after_cursor_execute", after)


def _stand_in(stage: str, work: Context) -> Product:
    names, facts = MADE.get(stage, ((f"{stage}.bin",), {}))
    for name in names:
        if name == "speech.wav":  # whoever publishes listens to it, and looks at the film
            _noise(work.new(name))
        elif name == "video.mp4":
            _flicker(work.new(name))
        else:
            work.new(name).write_text(f"{stage} {name} {uuid.uuid4().hex}")
    shown = graph.shown(work.artifacts) if stage == graph.PUBLISH.name else {}
    passed = {name: one.files[name] for name, one in shown.items() if name not in names}
    return Product({name: work.new(name) for name in names}, facts, passed=passed)


def _noise(path: Path) -> None:
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(HZ)
        sound.writeframes(os.urandom(2 * round(HZ * SPOKEN_S)))


def _flicker(path: Path) -> None:
    chance = np.random.default_rng()
    with VideoWriter(path, SIDE_PX, SIDE_PX, FPS) as film:
        for _ in range(round(FPS * SPOKEN_S)):
            film.write(chance.integers(256, size=(SIDE_PX, SIDE_PX, 3), dtype=np.uint8))


def render(settings: Settings, key: str) -> str:
    """Render a new script of one avatar, from submission to delivery; its speech, lips and film are new."""
    objects(settings).put_if_absent(settings.bucket_inputs, "bench/astronaut.png", PORTRAIT)
    runner._run = _stand_in
    asked = {
        "script": f"Hello there, number {key}.",
        "avatar": {"uri": f"s3://{settings.bucket_inputs}/bench/astronaut.png"},
        "background": {"kind": "colour", "colour": "#1e293b"},
        "labels": {"campaign": "bench"},
        "idempotency_key": key,
    }
    return pipeline.render(settings, asked).render_id
