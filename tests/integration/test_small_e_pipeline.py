"""Small-E through the whole pipeline on real stores: files added, a voice cloned, every wire real."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import sqlalchemy as sa
import torch
from kit import small_e_models
from kit.consented import consented

from avatarlab_ops import model_files, pipeline
from avatarlab_ops.engines import weights
from avatarlab_ops.errors import ConsentError, EngineUnavailable, MediaRefused
from avatarlab_ops.media.audio import read_wav
from avatarlab_ops.renders import status
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.catalog import records, transaction
from avatarlab_ops.stores.catalog import tables as m
from avatarlab_ops.stores.objects import objects, split_or_refuse

from . import material

SCRIPT = "We hear 21 words. They speak."
LICENCE = "CC-BY-NC-SA-4.0"


@pytest.fixture(scope="module")
def emptied(stores: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Stores, and a machine to which no model file was added yet."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AVATARLAB_MODELS", str(tmp_path_factory.mktemp("models")))
        weights.forget()
        yield stores
    weights.forget()


def _asked(stores: Settings, **change: object) -> dict[str, object]:
    portrait = material.upload(stores, "astronaut.png", material.png(material.astronaut()))
    least = {"script": SCRIPT, "avatar": {"uri": portrait}, "engines": {"speech": "small_e"}}
    return least | {"output": {"resolution": "360p", "aspect": "1:1"}} | change


def _sample(stores: Settings, folder: Path) -> tuple[dict[str, str], Path]:
    path = folder / "voice.wav"
    soundfile.write(path, 0.1 * np.random.default_rng(0).standard_normal(7 * 16_000), 16_000)
    uri = material.upload(stores, "voice.wav", path)
    return {"uri": uri, "transcript": "The model speaks of 2 things."}, path


def test_without_its_files_the_engine_is_refused_with_all_of_them(emptied: Settings) -> None:
    render_id = pipeline.submit(emptied, _asked(emptied))
    with pytest.raises(EngineUnavailable) as caught:
        pipeline.run_stage(emptied, render_id, "admit")
    for name in ("small_e.safetensors", "bpe256.json", "vocos_encodec_24khz", "encodec_24khz"):
        assert name in str(caught.value)


@pytest.fixture(scope="module")
def installed(emptied: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("published")
    torch.save({"model": small_e_models.language_model(seed=2)}, folder / "small_e.pt")
    torch.save(dict(small_e_models.vocos()), folder / "vocos.bin")
    torch.save(dict(small_e_models.encodec_24khz()), folder / "encodec.th")
    small_e_models.tokenizer(folder / "bpe256.json")
    model_files.add(emptied, folder / "small_e.pt", "small_e.safetensors", accept=LICENCE)
    model_files.add(emptied, folder / "bpe256.json", "bpe256.json", accept=LICENCE)
    model_files.add(emptied, folder / "vocos.bin", "vocos_encodec_24khz.safetensors")
    model_files.add(emptied, folder / "encodec.th", "encodec_24khz.safetensors")
    return emptied


def test_a_cloned_voice_is_published_and_traced_to_its_sample(installed: Settings, tmp_path: Path) -> None:
    sample, path = _sample(installed, tmp_path)
    consented(installed, path, kind="voice")
    done = pipeline.render(installed, _asked(installed, voice_sample=sample))
    assert status.of(installed, done.render_id).state == "published"
    with transaction(installed.pg_dsn) as db:
        speech = records.artifacts_of(db, done.render_id)["speech"]
        used = sa.select(m.RenderInput.sha256).where(m.RenderInput.role == "voice_sample")
        read = sa.select(m.ArtifactInput.sha256).where(m.ArtifactInput.artifact == speech.fingerprint)
        digests = set(db.scalars(used)) | set(db.scalars(read))
        wav, times = speech.files["speech.wav"], speech.files["timeline.json"]
    manifest = json.loads(_fetch(installed, done.manifest_uri, tmp_path / "manifest.json").read_text())
    assert digests == {manifest["artifacts"]["speech"]["inputs"]["voice_sample"]["sha256"]}
    assert "voice_sample" in json.dumps(manifest.get("sources", manifest))
    heard, rate = read_wav(_artifact(installed, wav["key"], tmp_path / "speech.wav"))
    timeline = json.loads(_artifact(installed, times["key"], tmp_path / "timeline.json").read_text())
    assert len(heard) / rate == pytest.approx(timeline["duration_s"], abs=0.01)
    assert " ".join(word["text"] for word in timeline["words"]) == SCRIPT


def test_a_sample_without_consent_or_without_sound_is_refused(installed: Settings, tmp_path: Path) -> None:
    path = tmp_path / "other.wav"
    soundfile.write(path, 0.1 * np.random.default_rng(1).standard_normal(32_000), 16_000)
    words = {"transcript": "The model."}
    cases = (
        (material.upload(installed, "other.wav", path), ConsentError, "voice"),
        (material.upload(installed, "astronaut.png", b""), MediaRefused, "sound is needed"),
    )
    for uri, error, said in cases:
        render_id = pipeline.submit(installed, _asked(installed, voice_sample={"uri": uri} | words))
        with pytest.raises(error, match=said):
            pipeline.run_stage(installed, render_id, "admit")


def _fetch(settings: Settings, uri: str, path: Path) -> Path:
    bucket, key = split_or_refuse(uri)
    objects(settings).download(bucket, key, path, sha256=None, max_bytes=1 << 30)
    return path


def _artifact(settings: Settings, key: str, path: Path) -> Path:
    return _fetch(settings, f"s3://{settings.bucket_artifacts}/{key}", path)
