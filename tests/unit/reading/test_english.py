"""English as it is read aloud: english.tsv holds what is written and what is said, by kind."""

# ruff: noqa: RUF001  (typographic characters are the subject)

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatarlab_ops.reading import read

TABLE = Path(__file__).with_name("english.tsv")


def cases() -> list[object]:
    kind, found = "", []
    for line in TABLE.read_text("utf-8").splitlines():
        if line.startswith("# "):
            kind = line[2:]
        else:
            written, said = line.split("\t")
            found.append(pytest.param(written, said, id=f"{kind}: {written}"))
    return found


@pytest.mark.parametrize(("written", "said"), cases())
def test_a_line_is_said_as_a_person_would(written: str, said: str) -> None:
    reading = read(written, "en-US")
    assert reading.said == said
    assert not reading.unread


def test_what_cannot_be_said_is_named_with_its_place() -> None:
    reading = read("Good ★ day ✓.", "en-US")
    assert reading.said == "Good day."
    assert [str(sign) for sign in reading.unread] == [
        "'★' (black star) at character 6",
        "'✓' (check mark) at character 12",
    ]


SIGNS = "0123456789 .,:;-–/%$€£°+=#@&*x×²½(){}[]<>_~^|\\'\"’…!?★→ΩŁé"


@given(st.text(alphabet=SIGNS + "abkmgVIXAPM", max_size=60))
def test_no_digit_and_no_sign_is_silently_lost(written: str) -> None:
    reading = read(written, "en-US")
    lost = {sign.sign for sign in reading.unread}
    assert not any(char.isnumeric() for char in reading.said), "every number is in words"
    assert not lost & set("0123456789²½abkmgVIXAPMΩŁé"), "what can be said is said"
    assert lost == set(written) & {"★"} - set(reading.said)
    if any(char.isalnum() for char in written):
        assert any(char.isalpha() for char in reading.said)


@given(st.lists(st.from_regex(r"[0-9]{1,18}", fullmatch=True), min_size=1, max_size=5))
def test_every_number_of_a_list_is_heard(numbers: list[str]) -> None:
    said = read("; ".join(numbers), "en-US").said.split(";")
    assert len(said) == len(numbers)
    assert all(part.strip().replace(" ", "").replace("-", "").isalpha() for part in said)


@given(
    st.lists(st.sampled_from(["we", "went", "home,", "today.", "don't", "(now)", "well-known"]), min_size=1)
)
def test_plain_words_are_left_alone(words: list[str]) -> None:
    assert read(" ".join(words), "en-US").said == " ".join(words)


def test_a_language_without_rules_is_read_as_written() -> None:
    assert read("Zimmer 12", "xx").said == "Zimmer 12"
    reading = read("5 ★ 25 °C", "xx")
    assert reading.said == "5   25 °C"
    assert [str(sign) for sign in reading.unread] == ["'★' (black star) at character 3"]
