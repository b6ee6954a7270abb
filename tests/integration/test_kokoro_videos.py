"""A video in each added language: lips, captions, provenance. Skipped where `make voices` was not run."""

# ruff: noqa: RUF001  (full-width punctuation)

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from kit import film
from kit.consented import consented

from avatarlab_ops import engines, pipeline
from avatarlab_ops.engines.face import track_faces
from avatarlab_ops.engines.lipsync.curves import drive, lip_gap_target
from avatarlab_ops.engines.lipsync.measure import lip_gap, lip_sync_measure
from avatarlab_ops.fields import split_reference
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.objects import objects
from avatarlab_ops.timeline import Timeline, spaced

from .material import located

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif("kokoro" not in engines.names("speech"), reason="`make voices` was not run"),
]
FPS = 25
SCRIPTS = {
    "en-GB": "The new camera comes out on 3 March 2024 and costs £1,299. Please visit our shop.",
    "es": "La nueva cámara sale el 5 de marzo de 2024 y cuesta 1.299 €. Por favor, visite nuestra tienda.",
    "fr": "Le nouvel appareil sort le 5 mars 2024 et coûte 1 299 €. Venez le voir au magasin.",
    "it": "La nuova fotocamera esce il 5 marzo 2024 e costa 1.299 €. Venite a provarla in negozio.",
    "pt-BR": "A nova câmera sai em 5 de março de 2024 e custa R$ 1.299. Por favor, visite a nossa loja.",
    "hi": "नया कैमरा मार्च में आएगा। कृपया हमारी दुकान पर आइए और इसे देखिए।",
    "de": "Die neue Kamera erscheint am 3. März 2024 und kostet 1.299 €. Donaudampfschifffahrtsgesellschaft.",
    "uk": "Нова камера вийде 5 березня 2024 року. Будь ласка, завітайте до магазину.",
    "ru": "Новая камера выйдет 5 марта 2024 года. Приходите, пожалуйста, в магазин.",
    "ja": "新しいカメラは2024年3月5日に発売され、価格は1,200円です。ぜひお店でお試しください。",
    "zh": "新相机将于2024年3月5日发布，价格是1,299元。欢迎您来我们的商店看一看。",
}


@pytest.fixture(scope="module")
def closed_mouth(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A portrait with closed lips: the first frame of a speaker who has not begun."""
    capture = cv2.VideoCapture(str(located("pyfame", "sample_03.mp4")))
    path = tmp_path_factory.mktemp("portrait") / "closed.png"
    cv2.imwrite(str(path), capture.read()[1])
    capture.release()
    return path


@pytest.mark.parametrize("language", SCRIPTS)
def test_lips_follow_and_captions_show_the_script(
    language: str, stores: Settings, closed_mouth: Path, tmp_path: Path
) -> None:
    consented(stores, closed_mouth)
    store = objects(stores)
    given = store.put_if_absent(stores.bucket_inputs, "videos/closed.png", closed_mouth)
    made = pipeline.render(
        stores,
        {
            "script": SCRIPTS[language],
            "language": language,
            "avatar": {"uri": given.uri},
            "captions": "burned",
            "output": {"resolution": "360p", "fps": FPS},
        },
    )
    for name, uri in made.files.items():
        store.download(*split_reference(uri), tmp_path / name, sha256=None, max_bytes=1 << 30)
    frames = film.frames(tmp_path / "video.mp4")
    cv2.imwrite(str(tmp_path / f"{language}.png"), np.hstack([frames[30], frames[-45]])[..., ::-1])
    shown = " ".join(cue.text for cue in film.cues(tmp_path / "captions.vtt"))
    assert (shown if spaced(language) else shown.replace(" ", "")) == SCRIPTS[language]
    timeline = Timeline.model_validate_json(_artifact(stores, tmp_path, "speech", "timeline.json"))
    height, width = frames[0].shape[:2]
    track = track_faces(frames, fps=float(FPS), width=width, height=height)
    target = lip_gap_target(drive(timeline, float(FPS)))
    r, lag_s = lip_sync_measure(lip_gap(track.landmarks), target, float(FPS))
    print(f"{language}: lips follow with r = {r:.3f}, lag {lag_s * 1000:.0f} ms")
    assert r >= 0.9
    assert abs(lag_s) <= 0.04


def _artifact(stores: Settings, folder: Path, stage: str, name: str) -> bytes:
    manifest = json.loads((folder / "manifest.json").read_text())
    return objects(stores).read(stores.bucket_artifacts, manifest["artifacts"][stage]["files"][name]["key"])
