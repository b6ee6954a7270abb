"""Fingerprints: equal work has equal ones, and nothing that matters can change without changing them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plans import a_plan

from avatarlab_ops import graph
from avatarlab_ops.canonical import canonical_json, digest
from avatarlab_ops.plan import Plan, Source
from avatarlab_ops.recipe import Recipe
from avatarlab_ops.stores.catalog.tables import Artifact

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=12)
BASE = Recipe(
    stage="speech",
    stage_version="1",
    engine={"kind": "speech", "name": "hibari", "version": "1", "weights": {"a": "0" * 64}},
    params={"seed": 0, "script": ["x"]},
    inputs={"avatar": {"sha256": "1" * 64}},
)


def _reversed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _reversed(value[key]) for key in reversed(value)}
    return [_reversed(item) for item in value] if isinstance(value, list) else value


@given(JSON)
def test_the_order_of_keys_does_not_matter(value: Any) -> None:
    assert digest(_reversed(value)) == digest(value)


@given(JSON)
def test_canonical_json_is_json_of_the_same_value(value: Any) -> None:
    assert json.loads(canonical_json(value)) == value


@given(JSON, JSON)
def test_parameters_that_differ_differ(first: Any, second: Any) -> None:
    same = canonical_json(first) == canonical_json(second)
    one, two = (replace(BASE, params={"p": value}).fingerprint for value in (first, second))
    assert (one == two) is same


def test_everything_that_decides_the_result_decides_the_fingerprint() -> None:
    engine = BASE.engine or {}
    others = [
        replace(BASE, stage="matte"),
        replace(BASE, stage_version="2"),
        replace(BASE, engine=None),
        replace(BASE, engine=engine | {"version": "2"}),
        replace(BASE, engine=engine | {"weights": {"a": "f" * 64}}),
        replace(BASE, params={"seed": 1, "script": ["x"]}),
        replace(BASE, inputs={"avatar": {"sha256": "2" * 64}}),
        replace(BASE, inputs={"backdrop": {"sha256": "1" * 64}}),
        replace(BASE, inputs={}),
    ]
    assert len({BASE.fingerprint, *(other.fingerprint for other in others)}) == len(others) + 1


def test_it_stays_the_same_from_release_to_release() -> None:
    assert BASE.fingerprint == "d532023af31c18766be89700e63820a40f9e99a81c508c19bf8245ec7061c214"


def _fingerprint(stage: str, plan: Plan, **before: Artifact) -> str:
    wanted = next(found for found in graph.GRAPH if found.name == stage)
    made = graph.recipe(wanted, plan, before)
    assert made is not None
    return made.fingerprint


def test_the_avatars_own_artifacts_serve_every_script() -> None:
    first, second = a_plan(), a_plan(script="Something else.", captions="burned", seed=7)
    for stage in ("face", "matte"):
        assert _fingerprint(stage, first) == _fingerprint(stage, second)
    assert _fingerprint("speech", first) != _fingerprint("speech", second)


def test_speech_follows_from_the_voice_sample_and_its_words() -> None:
    sample = Source(uri="s3://inputs/v.wav", sha256="b" * 64, bytes=9, kind="audio", width=0, height=0)
    cloned = a_plan().model_copy(update={"voice_sample": sample, "voice_transcript": "Words."})
    other = cloned.model_copy(update={"voice_sample": sample.model_copy(update={"sha256": "c" * 64})})
    plans = (a_plan(), cloned, other, cloned.model_copy(update={"voice_transcript": "Word."}))
    assert len({_fingerprint("speech", plan) for plan in plans}) == 4


def test_speech_from_before_silent_sentences_counted_serves_no_chapters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A chapter after one began a sentence late; what has no chapters is not made anew."""
    plain = a_plan()
    plans = (plain, plain.model_copy(update={"chapters": ((0, "Begin"), (2, "End"))}))
    before = [_fingerprint("speech", plan) for plan in plans]
    assert before[0] != before[1]
    monkeypatch.setattr(graph, "NUMBERING_VERSION", "another")
    after = [_fingerprint("speech", plan) for plan in plans]
    assert [one == other for one, other in zip(before, after, strict=True)] == [True, False]


def test_another_aligner_makes_narrations_anew_and_no_other_speech(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = Source(uri="s3://inputs/n.wav", sha256="b" * 64, bytes=9, kind="audio", width=0, height=0)
    plans = (a_plan(), a_plan().model_copy(update={"narration": sound}))
    before = [_fingerprint("speech", plan) for plan in plans]
    monkeypatch.setattr(graph, "ALIGNER_VERSION", "another")
    after = [_fingerprint("speech", plan) for plan in plans]
    assert [one == other for one, other in zip(before, after, strict=True)] == [True, False]


def test_recognised_words_that_are_read_otherwise_are_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = Source(uri="s3://inputs/n.wav", sha256="b" * 64, bytes=9, kind="audio", width=0, height=0)
    heard = a_plan().model_copy(update={"narration": sound})
    plans = (a_plan(), heard, heard.model_copy(update={"script": ()}))
    listen = Artifact(sha256="c" * 64, fingerprint="d" * 64)
    before = [_fingerprint("speech", plan, listen=listen) for plan in plans]
    monkeypatch.setattr(graph, "READING_VERSION", "another", raising=False)
    after = [_fingerprint("speech", plan, listen=listen) for plan in plans]
    assert [one == other for one, other in zip(before, after, strict=True)] == [True, True, False]


def test_a_sample_whose_words_are_read_otherwise_is_listened_to_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = Source(uri="s3://inputs/v.wav", sha256="b" * 64, bytes=9, kind="audio", width=0, height=0)
    told = {"voice_sample": sample, "voice_transcript": "It costs $20."}
    plans = (a_plan(), a_plan().model_copy(update=told))
    before = [_fingerprint("speech", plan) for plan in plans]
    monkeypatch.setattr(graph, "READING_VERSION", "another")
    after = [_fingerprint("speech", plan) for plan in plans]
    assert [one == other for one, other in zip(before, after, strict=True)] == [True, False]


def test_a_frame_rate_or_size_that_changes_the_footage_changes_the_track() -> None:
    assert _fingerprint("face", a_plan()) != _fingerprint("face", a_plan(output={"fps": 50}))
    assert _fingerprint("face", a_plan()) != _fingerprint("face", a_plan(output={"resolution": "360p"}))


def test_the_matte_is_made_only_where_the_background_is_replaced() -> None:
    matte = next(stage for stage in graph.GRAPH if stage.name == "matte")
    assert not matte.wanted(a_plan())
    assert matte.wanted(a_plan(background={"kind": "blur"}))


def test_another_part_of_the_footage_is_other_work() -> None:
    whole, part = a_plan(), a_plan(avatar={"uri": "s3://inputs/a.mp4", "start_s": 2.0})
    for stage in ("face", "matte"):
        assert _fingerprint(stage, whole) != _fingerprint(stage, part)
    assert _fingerprint("speech", whole) == _fingerprint("speech", part)


def test_clips_that_were_cropped_around_the_whole_clips_face_are_made_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was never cut around a face is not."""
    plans = (
        a_plan(),  # 16:9 of 16:9
        a_plan(output={"aspect": "9:16"}),
        a_plan(output={"aspect": "9:16", "fit": "contain"}),
        a_plan(output={"aspect": "9:16"}, background={"kind": "colour", "colour": "#ffffff"}),
    )
    made = [Artifact(sha256="c" * 64, fingerprint="d" * 64)] * 4
    before = dict(zip(("speech", "face", "matte", "lipsync"), made, strict=True))
    first = [_fingerprint("composite", plan, **before) for plan in plans]
    monkeypatch.setattr(graph, "CROPPING_VERSION", "another")
    second = [_fingerprint("composite", plan, **before) for plan in plans]
    assert [one == other for one, other in zip(first, second, strict=True)] == [True, False, True, True]


def test_what_was_found_of_a_clips_alpha_channel_is_asked_by_those_who_use_it() -> None:
    plain = a_plan(background={"kind": "blur"})
    made = [Artifact(sha256="c" * 64, fingerprint="d" * 64)] * 4
    before = dict(zip(("speech", "face", "matte", "lipsync"), made, strict=True))
    plans = [plain]
    for found in (True, False):
        avatar = plain.avatar.model_copy(update={"own_alpha": found})
        plans.append(plain.model_copy(update={"avatar": avatar}))
    for stage, several in (("face", 1), ("matte", 3), ("lipsync", 1), ("composite", 2)):
        assert len({_fingerprint(stage, plan, **before) for plan in plans}) == several
    assert "own_alpha" not in plain.avatar.record()
    assert plans[2].avatar.record()["own_alpha"] is False


def test_captions_that_were_cut_otherwise_are_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """A video without any is not."""
    plans = [a_plan(captions=kind) for kind in ("none", "sidecar", "burned")]
    made = [Artifact(sha256="c" * 64, fingerprint="d" * 64)] * 4
    before = dict(zip(("speech", "face", "matte", "lipsync"), made, strict=True))
    first = [_fingerprint("composite", plan, **before) for plan in plans]
    monkeypatch.setattr(graph, "CUTTING_VERSION", "another", raising=False)
    second = [_fingerprint("composite", plan, **before) for plan in plans]
    assert [one == other for one, other in zip(first, second, strict=True)] == [True, False, False]


def test_a_picture_behind_that_was_read_otherwise_is_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """A video without any is not."""
    plain = a_plan()
    plans = [plain, plain.model_copy(update={"backdrop": plain.avatar})]
    made = [Artifact(sha256="c" * 64, fingerprint="d" * 64)] * 4
    before = dict(zip(("speech", "face", "matte", "lipsync"), made, strict=True))
    first = [_fingerprint("composite", plan, **before) for plan in plans]
    monkeypatch.setattr(graph, "BACKDROP_VERSION", "another", raising=False)
    second = [_fingerprint("composite", plan, **before) for plan in plans]
    assert [one == other for one, other in zip(first, second, strict=True)] == [True, False]


def test_what_had_a_rim_is_laid_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A clip with its own alpha, and letters over a transparent picture; nothing else."""
    plain = a_plan(background={"kind": "blur"})
    own = plain.model_copy(update={"avatar": plain.avatar.model_copy(update={"own_alpha": True})})
    made = [Artifact(sha256="c" * 64, fingerprint="d" * 64)] * 4
    before = dict(zip(("speech", "face", "matte", "lipsync"), made, strict=True))
    clear: dict[str, object] = {"background": {"kind": "transparent"}, "output": {"container": "webm"}}
    plans = [plain, a_plan(**clear, captions="sidecar"), own, a_plan(**clear, captions="burned")]
    first = [_fingerprint("composite", plan, **before) for plan in plans]
    monkeypatch.setattr(graph, "KEYING_VERSION", "another")
    second = [_fingerprint("composite", plan, **before) for plan in plans]
    assert [one == other for one, other in zip(first, second, strict=True)] == [True, True, False, False]


def test_footage_that_is_read_otherwise_than_before_is_made_anew_and_no_other() -> None:
    plain = a_plan()
    read = plain.model_copy(update={"avatar": plain.avatar.model_copy(update={"read_as": ("deinterlaced",)})})
    behind = plain.model_copy(update={"backdrop": read.avatar})
    made = [Artifact(sha256="c" * 64, fingerprint="d" * 64)] * 4
    before = dict(zip(("speech", "face", "matte", "lipsync"), made, strict=True))
    bare = plain.model_copy(update={"backdrop": plain.avatar})
    for stage in ("face", "matte", "lipsync", "composite"):
        assert _fingerprint(stage, plain, **before) != _fingerprint(stage, read, **before)
    assert _fingerprint("composite", bare, **before) != _fingerprint("composite", behind, **before)
    assert "read_as" not in plain.avatar.record()


def test_a_plan_without_anything_special_has_the_parameters_that_it_always_had() -> None:
    """A field that is new in a part of the request or plan says nothing here (`exclude_if`, `_since`).

    Otherwise every artifact there is would be made anew.
    """
    footage = {"fps": 25.0, "max_short_side_px": 720, "start_s": 0.0, "end_s": None}
    spoken = {"text": "Hi.", "pause_s": 0.3, "said": "", "sounds": (), "rate": 1.0, "language": ""}
    picture = {
        "fps": 25,
        "width": 1280,
        "height": 720,
        "container": "mp4",
        "fit": "cover",
        "ai_label": "none",
    }
    always = {
        "listen": {"language": "en-US"},
        "speech": {
            "script": [spoken], "language": "en-US", "voice": "heart", "voice_transcript": None, "seed": 0,
        },
        "face": footage, "matte": footage, "prepare": footage,
        "lipsync": footage | {"output_fps": 25, "seed": 0, "motion": {"blinks": True, "head": True}},
        "composite": footage | picture | {
            "footage_fps": 25.0, "captions": "sidecar", "cutting": graph.CUTTING_VERSION,
            "background": {"kind": "original", "colour": None, "blur_strength": 0.5},
        },
    }  # fmt: skip
    for name, params in always.items():  # as text: 25 and 25.0 have two fingerprints
        assert canonical_json(graph.BY_NAME[name].params(a_plan())) == canonical_json(params)
