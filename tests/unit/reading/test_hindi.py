"""Hindi, whose voice reads figures by itself and leaves out signs beside them."""

# ruff: noqa: RUF001  (typographic characters are the subject)

from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatarlab_ops.reading import read


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("छूट 50% है।", "छूट 50 प्रतिशत है।"),
        ("दाम ₹500 है, ₹ 1,299.50 नहीं।", "दाम 500 रुपये है, 1,299.50 रुपये नहीं।"),
        ("₹1, ₹5 लाख, ₹2-3 करोड़, 500₹", "1 रुपया, 5 लाख रुपये, 2-3 करोड़ रुपये, 500 रुपये"),
        ("(₹500/-) US$20 में", "(500 रुपये/-) 20 डॉलर में"),
        ("तापमान -5°C, 25 °C, 30°", "तापमान माइनस 5 डिग्री सेल्सियस, 25 डिग्री सेल्सियस, 30 डिग्री"),
        ("2 + 3 = 5, C++, राम & श्याम", "2 प्लस 3 बराबर 5, C प्लस प्लस, राम और श्याम"),
        ("-₹500", "माइनस 500 रुपये"),
        ("तापमान: -5 (-6) 0=-7", "तापमान: माइनस 5 (माइनस 6) 0 बराबर माइनस 7"),
        ("कीमत:-₹500", "कीमत:- 500 रुपये"),
        ("#1 info@example.com", "नंबर 1 info ऐट example.com"),
        ("C#, F# और #हिंदी, PIN#4", "C शार्प, F शार्प और हैश हिंदी, PIN नंबर 4"),
        ("24×7 सेवा, 365×24×7, 24×7=168", "24 7 सेवा, 365 गुणा 24 गुणा 7, 24 गुणा 7 बराबर 168"),
    ],
)
def test_signs_are_said_in_words(written: str, said: str) -> None:
    reading = read(written, "hi")
    assert (reading.said, reading.unread) == (said, ())


@pytest.mark.parametrize(
    "written",
    [
        "नमस्ते, आप कैसे हैं?",
        "10-20 लोग, 3/4 भाग",
        "10:30 बजे - फिर 5 बजे",
        "कोविड-19 और 24/7",
        "`राम` (1999–2001)।",
        "दिनांक:-15/08/2026",
        "मोबाइल:-98765",
        "10:00 -11:00",
        "पृष्ठ 5 -10",
    ],
)
def test_what_has_no_signs_stays_as_written(written: str) -> None:
    reading = read(written, "hi")
    assert (reading.said, reading.unread) == (written, ())


def test_a_sign_without_words_is_told_with_its_place() -> None:
    reading = read("5% ★ 3 < 4", "hi")
    assert reading.said.split() == ["5", "प्रतिशत", "3", "4"]
    assert [str(sign) for sign in reading.unread] == [
        "'★' (black star) at character 4", "'<' (less-than sign) at character 8",
    ]  # fmt: skip


@given(st.text(alphabet="0123456789 .,:-–/%$€£₹₽°+=#@&×CF(){}<>~^|'!?★→−अकि", max_size=60))
def test_no_sign_is_silently_lost(written: str) -> None:
    reading = read(written, "hi")
    lost = {sign.sign for sign in reading.unread}
    assert not any(category(char)[0] == "S" or char in "%#@&" for char in reading.said)
    assert lost == set(written) & set("₽<>~^|★→")
    assert all(written[sign.position] == sign.sign for sign in reading.unread)
    assert [char for char in written if char.isdigit()] == [char for char in reading.said if char.isdigit()]
