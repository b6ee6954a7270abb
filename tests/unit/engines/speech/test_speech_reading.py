"""What is read aloud for what is written."""

# ruff: noqa: RUF001  (typographic characters are the subject)

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatarlab_ops.engines.speech.reading import read_aloud, spell_out


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("It cost $20, 30 people paid.", "It cost twenty dollars, 30 people paid."),
        ("$1", "one dollar"),
        ("$0.99", "ninety-nine cents"),
        ("£5.01", "five pounds and one penny"),
        ("€1,234.56", "one thousand two hundred and thirty-four euros and fifty-six cents"),
        ("-$5", "minus five dollars"),
        ("US$20", "twenty U.S. dollars"),
        ("$3.5B and £3bn", "3.5 billion dollars and 3 billion pounds"),
        ("$1.5 million", "1.5 million dollars"),
        ("$100-$200", "one hundred dollars to two hundred dollars"),
        ("5 €", "five euros"),
        ("10%-20%", "10% to 20%"),
        ("agent 007", "agent zero zero seven"),
        ("1234567890123456", "one two three four five six seven eight nine zero one two three four five six"),
        ("in 16:9", "in 16 to 9"),
        ("at 10:30", "at 10:30"),
        ("open 24/7", "open 24 7"),
        ("50/50", "50 50"),
        ("2½ cups", "2 and a half cups"),
        ("It is ½.", "It is a half."),
        ("5 m², 2 m³.", "5 m squared, 2 m cubed."),
        ("H₂O and CO₂.", "H 2 O and CO 2."),
        ("3 1/2 cups", "3 and 1/2 cups"),
        ("the '90s", "the 90s"),
        ("−3 is ~5 off", "-3 is about 5 off"),
        ("2026/11/23", "2026-11-23"),
        ("23.11.2026", "11/23/2026"),
        ("see [here](https://example.com)", "see here"),
        ("π and Ω", "pi and omega"),
        ("ά", "alpha"),
        ("ＦＵＬＬ Nguyễn 𝐁old", "FULL Nguyen Bold"),
        ("Dr. Smith, 3.5%, 1st", "Dr. Smith, 3.5%, 1st"),
    ],
)  # fmt: skip
def test_what_hibari_misses_is_rewritten(written: str, read: str) -> None:
    assert read_aloud(written) == read


@given(
    st.lists(st.sampled_from(["we", "went", "home,", "today.", "don't", "(now)", "well-known"]), min_size=1)
)
def test_plain_words_are_left_alone(words: list[str]) -> None:
    assert read_aloud(" ".join(words)) == " ".join(words)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("In 1999 and 2025.", "In nineteen ninety nine and twenty twenty five."),
        ("The 1990s, the 2nd of 21.", "The nineteen nineties, the second of twenty one."),
        ("3.05% & more", "three point zero five percent and more"),
        ("It is -5, 10,000 or 0.", "It is minus five, ten thousand or zero."),
        ("B2B", "B two B"),
        ("no digits here", "no digits here"),
    ],
)
def test_what_letters_alone_must_say_is_spelled_out(text: str, said: str) -> None:
    assert spell_out(text) == said
