"""Faces and timelines that the lip-sync tests share."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path

import av
import numpy as np
import pytest
import skimage.data

from avatarlab_ops.engines.base import FaceTrack, Frame, Patch, Speech
from avatarlab_ops.engines.face.landmarker import Landmarker
from avatarlab_ops.engines.lipsync.measure import lip_gap
from avatarlab_ops.engines.lipsync.viseme_warp import VisemeWarp
from avatarlab_ops.progress import silent
from avatarlab_ops.timeline import Phone, Timeline, Viseme

SPOKEN = [
    "sil",
    "PP",
    "aa",
    "PP",
    "E",
    "nn",
    "DD",
    "ou",
    "sil",
    "FF",
    "aa",
    "SS",
    "TH",
    "ih",
    "RR",
    "oh",
    "kk",
    "PP",
    "ih",
    "CH",
    "aa",
    "sil",
]
FPS = 25.0


def timeline(names: list[str], each_s: float = 0.14) -> Timeline:
    """Visemes of equal length, each with a phone; aa and oh are stressed."""
    spans = [(name, i * each_s, (i + 1) * each_s) for i, name in enumerate(names)]
    return Timeline(
        duration_s=len(names) * each_s,
        sample_rate=24000,
        language="en-US",
        words=(),
        phones=tuple(
            Phone(ipa="" if n == "sil" else "a", stressed=n in {"aa", "oh"}, start_s=a, end_s=b)
            for n, a, b in spans
        ),
        visemes=tuple(Viseme(name=n, start_s=a, end_s=b) for n, a, b in spans),
    )


def speech(names: list[str], each_s: float = 0.14) -> Speech:
    return Speech(np.zeros(1, np.float32), 24000, timeline(names, each_s))


def render(
    frames: list[Frame], track: FaceTrack, said: Speech, seed: int = 1, **options: bool
) -> list[Patch]:
    return list(VisemeWarp().patches(frames, track, said, fps=FPS, seed=seed, report=silent, **options))


def paste(frame: Frame, patch: Patch) -> Frame:
    out = frame.copy()
    height, width = patch.alpha.shape
    part = out[patch.y : patch.y + height, patch.x : patch.x + width]
    cover = patch.alpha[..., None] / 255
    part[:] = np.round(part * (1 - cover) + patch.rgb * cover)
    return out


@cache
def landmarker() -> Landmarker:
    return Landmarker()


def track_of(frames: list[Frame]) -> FaceTrack:
    found = [landmarker().landmarks(frame) for frame in frames]
    height, width = frames[0].shape[:2]
    return FaceTrack(
        np.stack([fit[0] for fit in found if fit]),
        np.array([fit is not None for fit in found]),
        width,
        height,
        FPS,
    )


def gaps_of(frames: list[Frame]) -> np.ndarray:
    return lip_gap(track_of(frames).landmarks)


@cache
def _clip(package: str, name: str, count: int) -> tuple[Frame, ...]:
    spec = importlib.util.find_spec(package)
    assert spec
    assert spec.submodule_search_locations
    path = next(Path(spec.submodule_search_locations[0]).rglob(name))
    with av.open(str(path)) as container:
        decoded = container.decode(video=0)
        return tuple(next(decoded).to_ndarray(format="rgb24") for _ in range(count))


@pytest.fixture(scope="session")
def smiling() -> tuple[Frame, FaceTrack]:
    """The public-domain astronaut: a small face with a toothy smile."""
    frame = np.ascontiguousarray(skimage.data.astronaut())
    return frame, track_of([frame])


@pytest.fixture(scope="session")
def closed() -> tuple[Frame, FaceTrack]:
    """A portrait at 720p whose lips touch (RAVDESS, used in tests only)."""
    frame = _clip("pyfame", "sample_04.mp4", 19)[18]
    return frame, track_of([frame])


@pytest.fixture(scope="session")
def talking() -> tuple[list[Frame], FaceTrack]:
    """Footage of a man who is speaking already."""
    frames = list(_clip("pyfame", "sample_01.mp4", 52)[22::2])
    return frames, track_of(frames)


@pytest.fixture(params=["closed", "smiling"])
def portrait(request: pytest.FixtureRequest) -> tuple[Frame, FaceTrack]:
    face: tuple[Frame, FaceTrack] = request.getfixturevalue(request.param)
    return face
