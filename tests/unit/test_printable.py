"""Text of strangers does no harm where it is shown."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from avatarlab_ops.printable import printable


@given(st.text(), st.integers(1, 20))
def test_what_is_shown_can_be_printed_and_is_short(text: str, most: int) -> None:
    shown = printable(text, most)
    assert shown.isprintable()
    assert len(shown) <= 10 * most + 3  # an escape takes up to ten characters


def test_ordinary_text_stays_as_it_is() -> None:
    assert printable("Kamera „Ä“ 9 नमस्ते", 200) == "Kamera „Ä“ 9 नमस्ते"
