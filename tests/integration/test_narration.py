"""A narration through the whole pipeline on real stores: heard, captioned, followed by the lips, traced."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
import sqlalchemy as sa
from click.testing import CliRunner
from kit.consented import consented
from numpy.typing import NDArray
from plans import a_plan

from avatarlab_ops import cli, engines, pipeline, script
from avatarlab_ops.engines.base import Speech
from avatarlab_ops.errors import ConsentError, InputError, MediaRefused, ScriptRefused
from avatarlab_ops.graph import LISTEN
from avatarlab_ops.media.audio import loudness, read_wav, resample
from avatarlab_ops.plan import Plan, Source
from avatarlab_ops.progress import silent
from avatarlab_ops.renders import feedback, prediction
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.catalog import rates, records, tables, transaction
from avatarlab_ops.stores.objects import objects, split_or_refuse

from . import material

SCRIPT = "We hear my own voice. It is followed by the lips."
THROAT = 0.87  # frequencies and pace of the recording beside those of the engine's voice


def _spoken() -> Speech:
    found = script.sentences(SCRIPT, engine="hibari", language="en-US").sentences
    engine = engines.load("speech", "hibari")
    return engine.speak(list(found), language="en-US", voice="heart", seed=5, report=silent)


def _asked(stores: Settings, uri: str) -> dict[str, object]:
    portrait = material.upload(stores, "astronaut.png", material.png(material.astronaut()))
    least: dict[str, object] = {"script": SCRIPT, "avatar": {"uri": portrait}, "narration": {"uri": uri}}
    return least | {"output": {"resolution": "360p", "aspect": "1:1"}}


def test_a_narration_is_published_in_its_own_voice(stores: Settings, tmp_path: Path) -> None:
    spoken, path = _spoken(), tmp_path / "narration.flac"
    recording = 0.2 * resample(spoken.samples, round(24_000 * THROAT), 24_000)
    soundfile.write(path, resample(recording, 24_000, 48_000), 48_000)
    uri = material.upload(stores, "narration.flac", path)
    request = _asked(stores, uri)
    with pytest.raises(ConsentError, match="voice s3"):
        pipeline.render(stores, request)
    consented(stores, path, kind="voice")
    learned = _speech_rates(stores)
    done = pipeline.render(stores, request)
    assert _speech_rates(stores) == learned  # a reader's pace says nothing of the engine's
    with transaction(stores.pg_dsn) as db:
        made = records.artifacts_of(db, done.render_id)
        wav, facts = made["speech"].files["speech.wav"], made["speech"].facts
        lip_gap_r = made["composite"].facts["lip_gap_r"]
    heard, rate = read_wav(
        _fetch(stores, f"s3://{stores.bucket_artifacts}/{wav['key']}", tmp_path / "heard.wav")
    )
    assert len(heard) == pytest.approx(len(recording), abs=rate // 50)
    assert np.corrcoef(heard[: len(recording)], recording[: len(heard)])[0, 1] > 0.99
    assert loudness(heard, rate) == pytest.approx(-16.0, abs=0.5)
    words = facts["timeline"]["words"]
    assert " ".join(word["text"] for word in words) == SCRIPT
    errors = [
        abs(word["start_s"] - true.start_s / THROAT)
        for word, true in zip(words, spoken.timeline.words, strict=True)
    ]
    assert np.median(errors) < 0.02
    assert lip_gap_r > 0.8
    rated = feedback.Opinion.parse({"ratings": {"video": 5, "timing": 4}})
    assert "speech" not in feedback.give(stores, done.render_id, rated, caller="ann").engines
    with pytest.raises(InputError, match="voice: no engine made it"):
        feedback.give(
            stores,
            done.render_id,
            feedback.Opinion.parse({"ratings": {"video": 5, "voice": 1}}),
            caller="ann",
        )
    manifest = json.loads(_fetch(stores, done.manifest_uri, tmp_path / "manifest.json").read_text())
    assert "narration" in manifest["artifacts"]["speech"]["inputs"]


def test_a_narration_without_a_script_is_recognised(stores: Settings, tmp_path: Path) -> None:
    spoken, path = _spoken(), tmp_path / "unwritten.flac"
    soundfile.write(path, resample(0.2 * spoken.samples, round(24_000 * THROAT), 24_000), 24_000)
    consented(stores, path, kind="voice")
    request = _asked(stores, material.upload(stores, "unwritten.flac", path))
    del request["script"]
    done = pipeline.render(stores, request)
    with transaction(stores.pg_dsn) as db:
        made = records.artifacts_of(db, done.render_id)
    words = made["speech"].facts["timeline"]["words"]
    assert " ".join(word["text"] for word in words) == SCRIPT
    errors = [
        abs(word["start_s"] - true.start_s / THROAT)
        for word, true in zip(words, spoken.timeline.words, strict=True)
    ]
    assert np.median(errors) < 0.02
    assert "its words were recognised" in made["speech"].facts["warnings"][0]
    assert made["composite"].facts["lip_gap_r"] > 0.8
    manifest = json.loads(_fetch(stores, done.manifest_uri, tmp_path / "unwritten.json").read_text())
    assert "narration" in manifest["artifacts"]["listen"]["inputs"]


def test_what_listening_cost_is_what_it_is_expected_to_cost(stores: Settings) -> None:
    minute = _unwritten(60.0)
    with transaction(stores.pg_dsn) as db:
        db.execute(sa.delete(tables.Rate).where(tables.Rate.stage == LISTEN.name))
        prediction.learn(db, LISTEN, minute, artifacts={}, made=tables.Artifact(facts={}), took_s=12.0)
        known = rates.known(db)
        assert prediction.predict(known, _unwritten(600.0), {})["listen"] == pytest.approx(120.0)
        db.rollback()


def _unwritten(seconds: float) -> Plan:
    """Of a narration of this length without a script."""
    sound = Source(
        uri="s3://inputs/n.wav", sha256="b" * 64, bytes=9, kind="audio", width=0, height=0, duration_s=seconds
    )
    return a_plan().model_copy(update={"script": (), "narration": sound})


def test_a_file_may_be_the_narration_of_a_request_without_a_script(
    stores: Settings, portrait: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, noise = tmp_path / "request.json", tmp_path / "heard by nobody.wav"
    asked.write_text(json.dumps({"avatar": {"uri": portrait}}))
    soundfile.write(noise, 0.1 * np.random.default_rng(2).standard_normal(2 * 24_000), 24_000)
    monkeypatch.setattr("avatarlab_ops.cli.render.prepared_stores", lambda: stores)
    told = CliRunner().invoke(cli.main, ["render", str(asked), "--narration", str(noise)])
    assert f"no valid consent for the voice s3://{stores.bucket_inputs}/uploads/" in told.stderr


def test_without_a_script_a_recording_without_words_is_refused(stores: Settings, tmp_path: Path) -> None:
    noise = tmp_path / "hiss.wav"
    soundfile.write(noise, 0.1 * np.random.default_rng(1).standard_normal(4 * 24_000), 24_000)
    consented(stores, noise, kind="voice")
    request = _asked(stores, material.upload(stores, "hiss.wav", noise)) | {"script": None}
    with pytest.raises(ScriptRefused, match="no words are heard in s3"):
        pipeline.render(stores, request)


def test_what_is_no_narration_is_refused_by_name(stores: Settings, tmp_path: Path) -> None:
    picture = material.upload(stores, "astronaut.png", material.png(material.astronaut()))
    with pytest.raises(MediaRefused, match="sound"):
        pipeline.render(stores, _asked(stores, picture))
    mute = material.clip(tmp_path / "mute.mp4", [material.astronaut()] * 5)
    with pytest.raises(MediaRefused, match="holds no sound"):
        pipeline.render(stores, _asked(stores, material.upload(stores, "mute.mp4", mute)))
    upload = ["upload", str(mute), "--kind", "voice", "--consent-subject", "Ann", "--licence", "mine"]
    told = CliRunner().invoke(cli.main, upload)
    assert (told.exit_code, "mute.mp4 holds likeness" in told.stderr) == (2, True)
    for name, samples in (("silent", np.zeros(48_000)), ("short", 0.1 * np.ones(2_400))):
        clip = _with_sound(mute, np.asarray(samples, np.float32), tmp_path / f"{name}.mp4")
        with pytest.raises(MediaRefused, match=r"is silent|lasts 0\.1"):  # nobody's consent was asked for yet
            pipeline.render(stores, _asked(stores, material.upload(stores, f"{name}.mp4", clip)))
    noise = tmp_path / "noise.wav"
    soundfile.write(noise, 0.1 * np.random.default_rng(0).standard_normal(6 * 24_000), 24_000)
    uri = material.upload(stores, "noise.wav", noise)
    consented(stores, noise, kind="voice")
    with pytest.raises(ScriptRefused, match="not what the script says"):
        pipeline.render(stores, _asked(stores, uri))


def _with_sound(picture: Path, samples: NDArray[np.float32], path: Path) -> Path:
    """The clip with a track of these samples, at 24 kHz."""
    with av.open(str(picture)) as source, av.open(str(path), "w") as made:
        video = made.add_stream_from_template(source.streams.video[0])
        sound = made.add_stream("aac", rate=24_000, layout="mono")
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = video
                made.mux(packet)
        frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
        frame.rate, frame.pts = 24_000, 0
        made.mux([*sound.encode(frame), *sound.encode(None)])
    return path


def _speech_rates(stores: Settings) -> list[tuple[str, str, float]]:
    with transaction(stores.pg_dsn) as db:
        return sorted(
            (one.stage, one.engine, one.y) for one in rates.known(db) if one.stage in {"speech", "spoken"}
        )


def _fetch(settings: Settings, uri: str, path: Path) -> Path:
    bucket, key = split_or_refuse(uri)
    objects(settings).download(bucket, key, path, sha256=None, max_bytes=1 << 30)
    return path
