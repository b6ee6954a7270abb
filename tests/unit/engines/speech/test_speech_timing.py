"""From model durations to a valid timeline, for any words and durations."""

# ruff: noqa: RUF001  (IPA)

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from avatarlab_ops.engines.base import Speech
from avatarlab_ops.engines.speech.assemble import Assembly
from avatarlab_ops.engines.speech.clip import RATE, Symbol, cut
from avatarlab_ops.engines.speech.hibari import LATE_S, UNIT

SOUNDS = "AIpbmszɹˈh"
WORD = st.text(alphabet=SOUNDS, min_size=1, max_size=5).filter(lambda word: word.strip("ˈ") != "")
SENTENCE = st.tuples(
    st.lists(WORD, min_size=1, max_size=6), st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.2, 1.0])
)


def spoken(words: list[str], seed: int) -> tuple[np.ndarray, list[Symbol], list[float]]:
    """Stand in for the model: noise while something is said, faint noise elsewhere."""
    rng = np.random.default_rng(seed)
    symbols = [
        Symbol(char, index if char != " " else -1)
        for index, word in enumerate(words)
        for char in (f" {word}" if index else word)
    ]
    units = [14.0, *rng.integers(1, 6, len(symbols)).astype(float), 6.0]
    samples = rng.standard_normal(int(sum(units)) * UNIT).astype(np.float32) * 1e-5
    samples[11 * UNIT : -9 * UNIT] += 0.1 * rng.standard_normal(len(samples) - 20 * UNIT).astype(np.float32)
    return samples, symbols, edges_s(units)


def edges_s(units: list[float]) -> list[float]:
    return (np.cumsum(units[:-1]) * UNIT / RATE - LATE_S).tolist()


def assembled(sentences: list[tuple[list[str], int, float]]) -> Speech:
    assembly = Assembly()
    for words, seed, pause_s in sentences:
        assembly.add(cut(*spoken(words, seed)))
        assembly.close_sentence(words, words)
        assembly.rest(pause_s)
    return assembly.speech("en-US", ())


@given(st.lists(SENTENCE, min_size=1, max_size=4))
def test_a_timeline_is_ordered_gapless_and_inside_the_sound(
    sentences: list[tuple[list[str], int, float]],
) -> None:
    speech = assembled(sentences)
    timeline = speech.timeline
    assert timeline.duration_s == len(speech.samples) / RATE
    for spans in (timeline.phones, timeline.visemes):
        assert spans[0].start_s == 0
        assert spans[-1].end_s == timeline.duration_s
        assert all(a.end_s == b.start_s for a, b in pairwise(spans))
    for spans in (timeline.words, timeline.phones, timeline.visemes):
        assert all(span.start_s < span.end_s for span in spans)
        assert all(a.end_s <= b.start_s for a, b in pairwise(spans))


@given(st.lists(SENTENCE, min_size=1, max_size=4))
def test_no_written_word_is_lost(sentences: list[tuple[list[str], int, float]]) -> None:
    words = assembled(sentences).timeline.words
    for number, (written, _, _) in enumerate(sentences):
        assert " ".join(word.text for word in words if word.sentence == number) == " ".join(written)


def test_a_dash_joins_the_word_before_it() -> None:
    assembly = Assembly()
    assembly.add(cut(*spoken(["mAn", "sI"], 1)))
    assembly.close_sentence(["“", "Man", "—", "sigh"], ["Man", "sigh"])
    assert [word.text for word in assembly.speech("en-US", ()).timeline.words] == ["“ Man —", "sigh"]


def test_a_quiet_clause_break_is_a_rest_and_a_mere_space_is_not() -> None:
    symbols = [
        Symbol("m", 0),
        Symbol("A", 0),
        Symbol(",", 0),
        Symbol(" ", -1),
        Symbol("s", 1),
        Symbol(" ", -1),
        Symbol("I", 2),
    ]
    units = [14.0, 4, 4, 4, 4, 4, 2, 4, 6]
    samples = np.full(int(sum(units)) * UNIT, 0.1, np.float32)
    samples[: 11 * UNIT] = samples[-9 * UNIT :] = 0
    samples[19 * UNIT : 27 * UNIT] = 0  # the comma and its space, three units early
    sounds = cut(samples, symbols, edges_s(units)).sounds
    assert [sound.ipa for sound in sounds] == ["m", "eɪ", "s", "aɪ"]
    np.testing.assert_allclose(sounds[2].start_s - sounds[1].end_s, 0.2, atol=0.011)
    assert sounds[2].end_s == sounds[3].start_s


def test_silence_gives_no_sound() -> None:
    clip = cut(np.zeros(40 * UNIT, np.float32), [Symbol("m", 0)], [0.3, 0.4])
    assert len(clip.samples) == 0
    assert clip.sounds == ()
