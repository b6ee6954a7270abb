"""Damaged files of every accepted type either pass or are refused; nothing else comes out."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from media_samples import encode, numbered, speech
from PIL import Image

from avatarlab_ops.errors import MediaRefused
from avatarlab_ops.media.footage import open_footage
from avatarlab_ops.media.probe import probe

TYPES = ("clip.mp4", "clip.mkv", "clip.webm", "face.png", "face.jpg", "face.webp", "voice.wav")


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("originals")
    noise = np.random.default_rng(0).integers(0, 255, (80, 100, 3), np.uint8)
    for name in TYPES:
        if name.startswith("clip"):
            codec = "libvpx-vp9" if name.endswith("webm") else "libx264"
            encode(
                folder / name, (numbered(i, 96, 80) for i in range(12)), codec=codec, tone=name == "clip.mp4"
            )
        elif name.startswith("face"):
            Image.fromarray(noise).save(folder / name)
        else:
            speech(folder / name, 0.2)
    return {name: (folder / name).read_bytes() for name in TYPES}


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(TYPES), keep=st.floats(0.2, 1.0),
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=12),
    front=st.booleans(),
)  # fmt: skip
def test_damage_is_refused_or_survived(
    tmp_path: Path, originals: dict[str, bytes], *, name: str, keep: float,
    changes: list[tuple[float, int]], front: bool,
) -> None:  # fmt: skip
    data = bytearray(originals[name][: max(1, int(keep * len(originals[name])))])
    reach = min(len(data), 400) if front else len(data)
    for where, value in changes:
        data[int(where * reach)] = value
    path = tmp_path / name
    path.write_bytes(bytes(data))
    with contextlib.suppress(MediaRefused):
        info = probe(path, allow=("image", "video", "audio"))
        if info.kind != "audio":
            with open_footage(path, fps=25, max_short_side_px=64) as footage:
                for frame in footage.iter():
                    assert frame.shape == (footage.height, footage.width, 3)
