"""Hibari speaks real sentences; what is heard, when it is heard, and that it is the same every time."""

# ruff: noqa: RUF001  (IPA and typographic characters)

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.recognise import transcribe, word_error_rate

from avatarlab_ops import engines, script
from avatarlab_ops.engines.base import Sentence, Speech
from avatarlab_ops.engines.speech.visemes import VOWELS
from avatarlab_ops.errors import EngineUnavailable, ScriptRefused
from avatarlab_ops.progress import Report, silent

TEXT = (
    "Welcome to our quarterly update. Sales rose three percent, and every team beat its target! "
    "Doctor Smith paid twenty dollars for the book, didn't she? "
    "Please bring the blue paper map before Monday. "
    "We believe the future belongs to small, careful machines. Thank you very much for watching."
)
WRITTEN = "Dr. Smith paid $20 on November 23, 2026, up 3.5%. It was the 1st of 42 orders."


def speak(text: str, *, seed: int = 1, report: Report = silent) -> Speech:
    speech: Speech = engines.load("speech", "hibari").speak(
        list(script.sentences(text).sentences), language="en-US", voice="heart", seed=seed, report=report
    )
    return speech


@pytest.fixture(scope="module")
def spoken() -> Speech:
    return speak(TEXT)


def level(speech: Speech, start_s: float, end_s: float) -> float:
    piece = speech.samples[round(start_s * speech.sample_rate) : round(end_s * speech.sample_rate)]
    return float(np.sqrt(np.mean(piece.astype(np.float64) ** 2)))


def test_a_recogniser_reads_the_script_back(spoken: Speech, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "speech.wav", spoken.samples, spoken.sample_rate)
    assert word_error_rate(TEXT, transcribe(tmp_path / "speech.wav")) <= 0.05


def test_numbers_dates_and_abbreviations_are_heard_as_meant(tmp_path: Path) -> None:
    speech = speak(WRITTEN)
    soundfile.write(tmp_path / "speech.wav", speech.samples, speech.sample_rate)
    said = (
        "Doctor Smith paid twenty dollars on November twenty third, twenty twenty six, up three point five "
        "percent. It was the first of forty two orders."
    )
    assert word_error_rate(said, transcribe(tmp_path / "speech.wav")) <= 0.05


def test_words_are_the_script_as_written() -> None:
    words = speak(f"{WRITTEN} Yes — & no…").timeline.words
    assert " ".join(word.text for word in words) == f"{WRITTEN} Yes — & no…"
    assert {"$20", "3.5%.", "42", "1st", "Yes —", "&"} <= {word.text for word in words}


def test_the_same_seed_gives_the_same_samples_and_another_does_not() -> None:
    first, again, other = (speak("The same words again.", seed=seed) for seed in (7, 7, 8))
    np.testing.assert_array_equal(first.samples, again.samples)
    assert first.timeline == again.timeline
    assert not np.array_equal(first.samples, other.samples)


def test_vowels_sound_and_rests_are_silent(spoken: Speech) -> None:
    peak = float(np.abs(spoken.samples).max())
    vowels = [level(spoken, p.start_s, p.end_s) for p in spoken.timeline.phones if p.ipa in VOWELS]
    rests = [level(spoken, p.start_s, p.end_s) for p in spoken.timeline.phones if not p.ipa]
    assert len(vowels) > 60
    assert len(rests) > 6
    assert max(rests) < 0.01 * peak
    assert np.quantile(vowels, 0.05) > max(rests)
    assert np.median(vowels) > 50 * np.median(rests)


def test_lips_are_closed_when_a_p_is_silent(spoken: Speech) -> None:
    """A stop is quieter than the vowel after it: the timeline runs neither early nor late."""
    phones = spoken.timeline.phones
    pairs = [(a, b) for a, b in pairwise(phones) if a.ipa in {"p", "t", "k"} and b.ipa in VOWELS]
    softer = [level(spoken, a.start_s, a.end_s) < level(spoken, b.start_s, b.end_s) for a, b in pairs]
    assert len(pairs) >= 8
    assert np.mean(softer) >= 0.8


@pytest.mark.parametrize("pause_s", [0.2, 1.5])
def test_a_pause_lasts_as_long_as_asked(pause_s: float) -> None:
    engine = engines.load("speech", "hibari")
    sentences = [Sentence("Hello there.", pause_s), Sentence("Good morning.", 0.3)]
    speech: Speech = engine.speak(sentences, language="en-US", voice="heart", seed=1, report=silent)
    ends, starts = (
        next(w.end_s for w in reversed(speech.timeline.words) if w.sentence == 0),
        next(w.start_s for w in speech.timeline.words if w.sentence == 1),
    )
    assert starts - ends == pytest.approx(pause_s, abs=0.011)
    assert level(speech, ends + 0.06, starts - 0.04) < 1e-3


def test_a_sentence_of_which_nothing_is_heard_keeps_its_number() -> None:
    sentences = [Sentence("One.", 0.1), Sentence("♪", 0.1), Sentence("Two.", 0.1)]
    said = engines.load("speech", "hibari").speak(
        sentences, language="en-US", voice="heart", seed=1, report=silent
    )
    assert [(word.text, word.sentence) for word in said.timeline.words] == [("One.", 0), ("Two.", 2)]


def test_sentences_join_without_clicks(spoken: Speech) -> None:
    """At the edge of a rest the samples are zero, so no step can be heard."""
    rests = [p for p in spoken.timeline.phones if not p.ipa and p.end_s - p.start_s > 0.3]
    steps = np.abs(np.diff(spoken.samples))
    for rest in rests:
        middle = slice(round((rest.start_s + 0.05) * 24_000), round((rest.end_s - 0.03) * 24_000))
        assert steps[middle].max() < 2e-3


def test_progress_counts_sentences() -> None:
    seen: list[tuple[int, int, str]] = []
    speak("One. Two. Three.", report=lambda *step: seen.append(step))
    assert seen == [(1, 3, "sentence"), (2, 3, "sentence"), (3, 3, "sentence")]


def test_another_voice_or_language_is_refused() -> None:
    engine = engines.load("speech", "hibari")
    for language, voice in (("fr-FR", "heart"), ("en-US", "nobody")):
        with pytest.raises(EngineUnavailable, match="en-US with the voice 'heart'"):
            engine.speak([Sentence("Hi.", 0)], language=language, voice=voice, seed=1, report=silent)


def test_nothing_speakable_is_refused() -> None:
    with pytest.raises(ScriptRefused, match="nothing in the script can be spoken"):
        engines.load("speech", "hibari").speak(
            [Sentence("♪", 0.1)], language="en-US", voice="heart", seed=1, report=silent
        )


def test_a_sentence_longer_than_the_model_takes_is_spoken_whole() -> None:
    text = " ".join(["wonderful"] * 120)
    speech: Speech = engines.load("speech", "hibari").speak(
        [Sentence(text, 0.1)], language="en-US", voice="heart", seed=1, report=silent
    )
    assert len(speech.timeline.words) == 120
    assert speech.timeline.duration_s > 40


ODD = st.text(
    alphabet=st.one_of(
        st.sampled_from("abcdeITZ0123456789$€£%.,:;/-–—'\"()[]{}#@&*+=<>~^_|°½²π√≈…’“”éñß "),
        st.characters(min_codepoint=0x20, max_codepoint=0x24F, exclude_categories=["C"]),
    ),
    min_size=1,
    max_size=60,
)


@settings(max_examples=300, deadline=None)
@given(ODD)
def test_the_front_end_reads_anything_the_script_lets_through(text: str) -> None:
    engine = engines.load("speech", "hibari")
    try:
        found = script.sentences(text).sentences
    except ScriptRefused:
        return
    for sentence in found:
        engine.words(sentence.spoken)


def test_marks_are_heard() -> None:
    def marked(source: str) -> Speech:
        found = script.sentences(source, script_format="ssml").sentences
        engine = engines.load("speech", "hibari")
        return engine.speak(list(found), language="en-US", voice="heart", seed=1, report=silent)

    plain = marked("We read it.")
    slow = marked("<prosody rate='70%'>We <phoneme ph='ˈɹʌd'>read</phoneme> it.</prosody>")
    assert 1.25 < slow.timeline.words[-1].end_s / plain.timeline.words[-1].end_s < 1.6
    assert [phone.ipa for phone in slow.timeline.phones if phone.ipa][2:5] == ["ɹ", "ʌ", "d"]
    assert [word.text for word in slow.timeline.words] == ["We", "read", "it."]
