"""Admission: what can be refused is, by name, before any engine runs; what is taken is told."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from media_samples import encode

from avatarlab_ops import graph, pipeline
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
from avatarlab_ops.plan import Plan
from avatarlab_ops.renders import orders, status
from avatarlab_ops.request import AvatarRequest
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.catalog import records, transaction
from avatarlab_ops.stores.catalog import tables as m
from avatarlab_ops.stores.objects import objects
from avatarlab_ops.trust import inputs

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


def test_an_order_that_is_refused_when_its_run_begins_ends_with_the_reason(
    stores: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "dags"))
    import avatarlab_airflow

    monkeypatch.setattr(avatarlab_airflow, "settings", lambda: stores)
    portrait = material.upload(stores, "annas.png", material.png(material.astronaut()))
    asked = AvatarRequest.parse(_small(portrait, idempotency_key="private-meanwhile"))
    ordered = orders.place(stores, asked, caller="ben").render_id
    with transaction(stores.pg_dsn) as db:
        inputs.own(db, portrait, "anna", shared=False)
    run = SimpleNamespace(
        run_id=status.of(stores, ordered).run_id, conf=asked.canonical(), clear_number=0,
        triggering_user_name="ben", run_type="manual",
    )  # fmt: skip
    left: dict[str, Any] = {}
    task = SimpleNamespace(
        task_id="admit", run_id=run.run_id, xcom_pull=lambda *, task_ids, key: left.get(key),
        xcom_push=lambda *, key, value: left.update({key: value}),
    )  # fmt: skip
    context: Any = {"ti": task, "dag_run": run}
    with pytest.raises(ReferenceRefused) as refused:
        avatarlab_airflow.AdmitOperator(stage="admit").execute(context)
    avatarlab_airflow.report_failure(context | {"exception": refused.value})
    seen = status.of(stores, ordered)
    assert (seen.state, seen.error_code, seen.error_stage) == ("failed", "reference_refused", "admit")
    assert seen.error == left["refusal"]["reason"] == str(refused.value)


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


def _small(portrait: str, **change: Any) -> dict[str, Any]:
    script = "My baby sings. We may go."
    return {"script": script, "avatar": {"uri": portrait}, "output": {"resolution": "360p"}} | change


def _admitted(stores: Settings, asked: dict[str, Any]) -> Plan:
    render_id = pipeline.submit(stores, asked)
    pipeline.run_stage(stores, render_id, "admit")
    with transaction(stores.pg_dsn) as db:
        plan = Plan.model_validate(records.find(db, render_id).plan)
        assert (plan.lexicon is None) == (db.get(m.RenderInput, (render_id, "lexicon")) is None), "its origin"
        return plan


def test_footage_whose_rate_varies_is_shown_at_that_of_most_pictures_and_it_is_told(
    stores: Settings, tmp_path: Path
) -> None:
    """30 a second, of which the camera dropped some."""
    shot = encode(
        tmp_path / "phone.mkv", [material.astronaut()] * 40, pts_ms=lambda i: (i + i // 8) * 1000 // 30
    )
    asked = _small(material.upload(stores, "phone.mkv", shot))
    plan = _admitted(stores, asked | {"output": {"resolution": "360p", "fps": "source"}})
    assert (plan.picture.fps, plan.footage.fps) == (30, 30.0)
    (told,) = [one for one in plan.warnings if "output.fps" in one]
    assert "varies, mostly 30" in told
    assert "on average 27.22 frames a second: 30 is taken" in told
    plain = _admitted(stores, asked)
    assert not [one for one in plain.warnings if "output.fps" in one]
    assert "usual_fps" not in plain.record()["avatar"], "earlier code may publish it"


def test_a_lexicon_says_how_words_are_said_and_what_is_wrong_with_it(stores: Settings, portrait: str) -> None:
    def plan(content: str) -> Plan:
        uri = material.upload(stores, f"{hashlib.sha256(content.encode()).hexdigest()}.csv", content.encode())
        return _admitted(stores, _small(portrait, lexicon={"uri": uri}))

    told, other = plan("word,ipa\nbaby,bobi\n"), plan("word,say\nbaby,child\n")
    assert told.script[0].sounds == ((1, "bobi"),)
    assert other.script[0].said == "My child sings."
    assert graph.recipe(graph.SPEECH, told, {}) != graph.recipe(graph.SPEECH, other, {})
    further = plan("word,ipa\nbaby,bobi\nwhale,wil\n")  # a word that this script does not have
    assert graph.recipe(graph.SPEECH, told, {}) == graph.recipe(graph.SPEECH, further, {})
    with pytest.raises(RequestInvalid, match="lexicon: line 2: 'baby' has neither ipa nor say"):
        plan("word,ipa\nbaby,\n")


def test_an_admitted_render_tells_what_it_will_cost_and_when_it_ends(stores: Settings, portrait: str) -> None:
    render_id = pipeline.submit(stores, _small(portrait, script="How long?"))
    assert status.of(stores, render_id).predicted_s is None
    pipeline.run_stage(stores, render_id, "admit")
    before = status.of(stores, render_id)
    assert before.predicted_s is not None
    assert before.predicted_gpu_s is not None
    assert 0 < before.predicted_gpu_s < before.predicted_s
    assert before.expected_end is not None
    assert before.expected_end > records.now()
    pipeline.cancel(stores, render_id)
    assert status.of(stores, render_id).expected_end is None


def test_a_request_for_weights_that_were_not_added_names_the_file(stores: Settings, portrait: str) -> None:
    render_id = pipeline.submit(
        stores, _small(portrait, background={"kind": "blur"}, engines={"matting": "rvm_resnet50"})
    )
    with pytest.raises(EngineUnavailable, match=r"rvm_resnet50\.safetensors.*rvm_resnet50\.pth"):
        pipeline.run_stage(stores, render_id, "admit")
