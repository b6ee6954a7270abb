"""What can be refused is refused by name, before any engine runs, and leaves nothing half-written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from avatarlab_ops import pipeline
from avatarlab_ops.errors import (
    EngineUnavailable,
    FaceRefused,
    InputError,
    MediaRefused,
    ReferenceRefused,
    RenderCancelled,
    RequestInvalid,
    ScriptRefused,
)
from avatarlab_ops.renders import status
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.objects import objects

from . import material


def _noise(count: int) -> list[Any]:
    rng = np.random.default_rng(0)
    return [rng.integers(90, 110, (144, 176, 3), dtype=np.uint8) for _ in range(count)]


def _huge(folder: Path) -> bytes:
    ok, encoded = cv2.imencode(".png", np.zeros((10_000, 10_000), np.uint8))
    assert ok
    assert len(encoded) < 1_000_000
    return bytes(encoded)


def _truncated(folder: Path) -> bytes:
    whole = material.clip(folder / "t.mp4", _noise(60), options={"movflags": "faststart"}).read_bytes()
    return whole[: len(whole) * 2 // 3]


def _twins(folder: Path) -> bytes:
    face = material.astronaut()
    return material.png(np.hstack([face, face[:, ::-1]]))


FILES: dict[str, tuple[Any, type[InputError], str]] = {
    "text.mp4": (lambda folder: b"This is only text.\n" * 100, MediaRefused, "text.mp4"),
    "empty.png": (lambda folder: b"", MediaRefused, "empty.png"),
    "truncated.mp4": (_truncated, MediaRefused, "truncated.mp4"),
    "one-frame.mp4": (
        lambda folder: material.clip(folder / "1.mp4", _noise(1)),
        MediaRefused,
        "one-frame.mp4",
    ),
    "sound.mp4": (lambda folder: material.tone(folder / "s.mp4"), MediaRefused, "sound only"),
    "huge.png": (_huge, MediaRefused, "100.0 megapixels"),
    "moving.gif": (lambda folder: material.animation(folder / "a.gif"), MediaRefused, "animated"),
    "list.mp4": (
        lambda folder: b"#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:9,\nfile:///etc/passwd\n",
        MediaRefused,
        "list.mp4",
    ),
    "concat.mp4": (lambda folder: b"ffconcat version 1.0\nfile /etc/passwd\n", MediaRefused, "concat.mp4"),
    "tiny.png": (lambda folder: material.png(np.zeros((8, 8, 3), np.uint8)), MediaRefused, "8x8"),
    "no-face.mp4": (lambda folder: material.clip(folder / "n.mp4", _noise(30)), FaceRefused, "no-face.mp4"),
    "no-face.png": (lambda folder: material.png(_noise(1)[0]), FaceRefused, "no-face.png"),
    "twins.png": (_twins, FaceRefused, "equally large"),
}


@pytest.mark.parametrize("name", FILES)
def test_material_is_refused_by_name(stores: Settings, tmp_path: Path, name: str) -> None:
    make, error, said = FILES[name]
    uri = material.upload(stores, name, make(tmp_path))
    _refused(stores, {"avatar": {"uri": uri}}, error, said)


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"avatar": {"uri": "s3://{inputs}/nothing.png"}}, ReferenceRefused, "does not exist"),
        ({"script": "😀 🎉"}, ScriptRefused, ""),
        ({"script": "Это по-русски."}, ScriptRefused, "Cyrillic"),
        ({"language": "sv-SE"}, EngineUnavailable, "en-US"),
        ({"voice": "nobody"}, EngineUnavailable, "choose one of"),
        ({"engines": {"speech": "none"}}, EngineUnavailable, "hibari"),
        (
            {"voice_sample": {"uri": "s3://{inputs}/v.wav", "transcript": "Words."}},
            EngineUnavailable,
            "hibari cannot clone a voice",
        ),
        ({"engines": {"lipsync": "none"}}, EngineUnavailable, "viseme_warp"),
        ({"engines": {"matting": "none"}}, EngineUnavailable, "rvm_onnx"),
    ],
)
def test_what_cannot_be_done_is_refused_at_admission(
    stores: Settings, change: dict[str, Any], error: type[InputError], said: str
) -> None:
    for name in change.keys() & {"avatar", "voice_sample"}:
        uri = change[name]["uri"].format(inputs=stores.bucket_inputs)
        change = change | {name: change[name] | {"uri": uri}}
    _refused(stores, change, error, said)


def test_a_background_of_the_wrong_kind_is_refused(stores: Settings) -> None:
    uri = material.upload(stores, "astronaut.png", material.png(material.astronaut()))
    change = {"avatar": {"uri": uri}, "background": {"kind": "video", "uri": uri}}
    _refused(stores, change, MediaRefused, "set background.kind to image")


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"avatar": {"uri": "s3://elsewhere/a.png"}}, ReferenceRefused),
        ({"avatar": {"uri": "s3://{inputs}/../a.png"}}, ReferenceRefused),
        ({"avatar": {"uri": "https://example.org/a.png"}}, ReferenceRefused),
        ({"script": ""}, ScriptRefused),
        ({"script": "a\x00b"}, ScriptRefused),
        ({"output": {"fps": 1000}}, RequestInvalid),
        ({"unknown": 1}, RequestInvalid),
    ],
)
def test_what_breaks_the_contract_is_never_accepted(
    stores: Settings, change: dict[str, Any], error: type[InputError]
) -> None:
    least = {"script": "Hello.", "avatar": {"uri": f"s3://{stores.bucket_inputs}/a.png"}}
    with pytest.raises(error):
        pipeline.submit(stores, least | change, run_id="never")
    assert status.renders_of_run(stores, "never") == []


def _refused(stores: Settings, change: dict[str, Any], error: type[InputError], said: str) -> None:
    least = {"script": "Hello.", "avatar": {"uri": f"s3://{stores.bucket_inputs}/a.png"}}
    render_id = pipeline.submit(stores, least | change)
    with pytest.raises(error) as caught:
        pipeline.run_stage(stores, render_id, "admit")
    assert type(caught.value) is error
    assert said in str(caught.value)
    seen = status.of(stores, render_id)
    assert (seen.state, seen.error_code, seen.error_stage) == ("failed", error.code, "admit")
    assert seen.error == str(caught.value)
    with pytest.raises(RenderCancelled):
        pipeline.run_stage(stores, render_id, "speech")
    assert list(objects(stores).keys(stores.bucket_artifacts)) == []
    assert list(objects(stores).keys(stores.bucket_outputs)) == []
    assert list((stores.home / "work").iterdir()) == []
