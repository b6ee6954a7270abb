"""Faces from the request to the published video: placed whole, and refused or told where they cannot be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from kit import film
from numpy.typing import NDArray

from avatarlab_ops import pipeline
from avatarlab_ops.canonical import Json
from avatarlab_ops.engines.face import track_faces
from avatarlab_ops.errors import InputError
from avatarlab_ops.fields import split_reference
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.objects import objects

from .material import astronaut, clip, png, upload

Picture = NDArray[np.uint8]

BLUE = (20, 40, 160)
SMALL = {"aspect": "16:9", "resolution": "360p"}


@pytest.fixture
def publish(stores: Settings, tmp_path: Path) -> Any:
    """Publish a request for the likeness in a file; the frames and the manifest."""

    def render(key: str, content: bytes | Path, **asked: Any) -> tuple[list[Picture], Json]:
        request = {
            "script": "Good morning.",
            "avatar": {"uri": upload(stores, key, content)},
            "output": SMALL,
        }
        made = pipeline.render(stores, request | asked)
        for name, uri in made.files.items():
            objects(stores).download(*split_reference(uri), tmp_path / name, sha256=None, max_bytes=1 << 30)
        return film.frames(tmp_path / "video.mp4"), json.loads((tmp_path / "manifest.json").read_text())

    return render


def test_before_another_background_the_whole_head_stands_in_the_middle(publish: Any) -> None:
    portrait = cv2.resize(astronaut(), (256, 256), interpolation=cv2.INTER_AREA)
    background = {"kind": "colour", "colour": "#{:02x}{:02x}{:02x}".format(*BLUE)}
    frames, manifest = publish("faces/placed.png", png(portrait), background=background)
    height, width = frames[0].shape[:2]
    mesh = track_faces(frames[:1], fps=25.0, width=width, height=height).landmarks[0]
    assert mesh[:, 0].mean() / width == pytest.approx(0.5, abs=0.03)
    assert 0.28 < mesh[[33, 263], 1].mean() / height < 0.38
    person = np.abs(frames[0].astype(int) - BLUE).max(axis=2) > 60
    assert 0.05 < np.flatnonzero(person.any(axis=1))[0] / height < 0.13, "headroom above the crown"
    assert person[-1].mean() > 0.3, "the body reaches the lower edge"
    soft = "The avatar of 256x256 pixels is shown 2.1 times as large and looks soft"
    assert any(warning.startswith(soft) for warning in manifest["warnings"])
    assert manifest["plan"]["picture"]["fit"] == "person"


def test_footage_begins_where_the_face_is(publish: Any, stores: Settings, tmp_path: Path) -> None:
    """Two seconds of a grey card first: none of them is published, and the manifest says so."""
    portrait = cv2.resize(astronaut(), (360, 360), interpolation=cv2.INTER_AREA)
    card = np.full_like(portrait, 128)
    footage = clip(tmp_path / "card.mp4", [card] * 50 + [portrait] * 50)
    frames, manifest = publish("faces/card.mp4", footage)
    assert min(frame.std() for frame in frames) > 30, "no grey frame"
    assert manifest["plan"]["footage"]["start_s"] == pytest.approx(2.0, abs=0.05)
    assert any("no face in its first 2.0 s" in warning for warning in manifest["warnings"])
    assert manifest["measures"]["frames_without_face"] == 0
    part = {"uri": f"s3://{stores.bucket_inputs}/faces/card.mp4"}
    for avatar, why in (
        ({"start_s": 0, "end_s": 1.5}, "No face was found"),
        ({"start_s": 3.9, "end_s": 4.5}, "which lasts 4.00 s"),
    ):
        with pytest.raises(InputError, match=why):
            pipeline.render(stores, {"script": "Hi.", "avatar": part | avatar, "output": SMALL})


def test_a_small_face_in_a_large_picture_is_admitted_and_speaks(publish: Any) -> None:
    """117 px of 2160: the size counts in the picture's own pixels, whatever the video's are."""
    wide = np.full((2160, 3840, 3), 90, np.uint8)
    wide[900:1412, 1700:2212] = astronaut()
    frames, manifest = publish("faces/wide.png", png(wide))
    assert frames[0].shape[:2] == (360, 640)
    assert manifest["measures"]["frames_without_face"] == 0
    assert manifest["plan"]["footage"]["max_short_side_px"] > 1000
