"""The Studio has words for every state, reason and measure."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import get_args

import pytest
from avatarlab_web.studio import page, words
from avatarlab_web.studio import verify as studio_verify

from avatarlab_ops.engines import builtin
from avatarlab_ops.engines.info import SpeechInfo
from avatarlab_ops.renders import status
from avatarlab_ops.trust import verify

VOICES = Path(__file__).parents[2] / "voices" / "avatarlab-kokoro"


def test_every_verdict_and_layer_has_its_words() -> None:
    verdicts = set(get_args(verify.Verdict))
    assert verdicts == studio_verify.TONES.keys()
    assert {f"verify.is.{one}" for one in verdicts} <= page.texts().keys()


def test_a_stage_that_nobody_has_named_yet_is_shown_by_its_own_name() -> None:
    """So that a new stage touches its file and the graph, and no page."""
    unnamed = status.StageStatus("unnamed", "running", 1, 0.0, 3, 9, "frames", 2.0, None, None)
    assert words.step(unnamed, over=False)["name"] == "unnamed"
    assert page.stage_name("lipsync") == "Move the lips"


def test_every_reason_and_name_in_a_page_has_its_text() -> None:
    known = page.texts()
    assert {f"advice.{code}" for code in words.codes()} <= known.keys()
    pages = "".join(path.read_text() for path in (page.HERE / "templates").glob("*.html"))
    named = re.findall(r"""\bt\(["']([a-z0-9_.]+)["']\s*[,)]""", pages)
    assert named
    assert set(named) <= known.keys()


def test_a_voice_can_be_heard_in_every_language_of_an_engine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A language without a sentence would have no button, and nobody would miss it."""
    monkeypatch.syspath_prepend(VOICES)  # its entry, whether or not it is installed
    added = importlib.import_module("avatarlab_kokoro").ENGINE
    entries = [one for one in (*builtin.ENGINES, added) if isinstance(one, SpeechInfo)]
    languages = {language.partition("-")[0] for one in entries for language in one.languages}
    assert len(languages) > 10
    assert {f"sample.{language}" for language in languages} <= page.texts().keys()


def test_measures_are_told_in_words() -> None:
    told = words.measures({
        "duration_s": 8.0, "width": 1280, "height": 720, "fps": 30_000 / 1001, "frames": 200,
        "lip_gap_r": 0.93, "lip_lag_ms": -11.6, "words": 20, "speech_s": 8.0, "loudness_lufs": -16.1,
        "frames_without_face": 3, "frames_with_covered_mouth": 7,
    })  # fmt: skip
    assert told[0].startswith("8 s, 1280")
    assert " 29.97 frames a second" in told[0]
    assert told[1] == "The lips follow the sound closely, 12 ms early"
    assert "150 a minute" in told[2]
    assert "3 of 200 frames show no face" in told[-2]
    assert "7 of 200 frames show a covered mouth" in told[-1]
    assert "badly" in words.measures({"lip_gap_r": 0.41, "lip_lag_ms": 0})[0]


def test_every_text_is_used_somewhere() -> None:
    """By its name, or by the part of it before a dot that a page or a module completes."""
    own = (path for kind in ("*.html", "*.py", "*.js") for path in page.HERE.parent.rglob(kind))
    quoted = set(re.findall(r"""["']([a-z0-9_.:]+)""", "".join(path.read_text() for path in own)))
    idle = [name for name in page.texts() if not {name, *begins(name)} & quoted]
    assert idle == []


def begins(name: str) -> set[str]:
    return {name[: dot.end()] for dot in re.finditer(r"\.", name)}
