"""Written words and spoken words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatarlab_ops.engines.speech.words import align

WORDS = st.lists(st.text(alphabet="abc.1$—", min_size=1, max_size=3), min_size=1, max_size=20)


@pytest.mark.parametrize(
    ("written", "spoken", "owners"),
    [
        ("It cost $20.", "It cost twenty dollars.", [0, 1, 2, 2]),
        ("on 2026-11-23 we", "on November twenty-third, 2026 we", [0, 1, 1, 1, 2]),
        ("Nov. 23, 2026", "November twenty-third, 2026", [0, 1, 2]),
        ("$5 million now", "five million dollars now", [0, 1, 1, 2]),
        ("10 km away", "10 kilometers away", [0, 1, 2]),
        ("at 10:30 a.m. sharp", "at ten thirty A.M. sharp", [0, 1, 1, 2, 3]),
        ("yes — no", "yes no", [0, 2]),
    ],
)
def test_rewritten_words_go_to_the_word_that_was_written(
    written: str, spoken: str, owners: list[int]
) -> None:
    assert align(written.split(), spoken.split()) == owners


@given(WORDS, WORDS)
def test_owners_ascend_and_exist(written: list[str], spoken: list[str]) -> None:
    owners = align(written, spoken)
    assert len(owners) == len(spoken)
    assert owners == sorted(owners)
    assert all(0 <= owner < len(written) for owner in owners)


@given(WORDS)
def test_words_spoken_as_written_are_their_own(words: list[str]) -> None:
    assert align(words, words) == list(range(len(words)))
