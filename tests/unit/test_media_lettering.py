"""Burned letters are those of the script, joined and ordered as it asks."""

# ruff: noqa: RUF001  (Arabic letters)

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plans import a_plan
from wcwidth import wcswidth

from avatarlab_ops import graph
from avatarlab_ops.errors import RequestInvalid
from avatarlab_ops.media import lettering
from avatarlab_ops.media.captions import Caption, CaptionPainter, captions, to_srt, to_vtt
from avatarlab_ops.request import AvatarRequest
from avatarlab_ops.stages import admit, composite
from avatarlab_ops.timeline import Timeline, Word

BOLD = 550
JOINED = pytest.mark.skipif(not lettering.can_join(), reason="libfribidi0 is not installed")
HELLO = {
    "hi": "नमस्ते दुनिया", "ar": "مرحبا بالعالم", "he": "שלום עולם", "th": "สวัสดีชาวโลก", "ka": "გამარჯობა",
    "zh": "你好世界", "ja": "こんにちは世界", "ru": "Привет, мир", "el": "Γειά", "de": "Größe",
}  # fmt: skip


def drawn(text: str) -> np.ndarray:
    mask = np.zeros((160, 900), np.uint8)
    lettering.draw(mask, text, (20, 110), 80, BOLD)
    return mask


@JOINED
@pytest.mark.parametrize("language", HELLO)
def test_letters_of_each_script_are_drawn_within_their_width(language: str) -> None:
    text = HELLO[language]
    columns = np.flatnonzero(drawn(text).any(axis=0))
    assert abs(columns.max() - columns.min() - lettering.width(text, 80, BOLD)) <= 20
    assert not np.array_equal(drawn(text), drawn("?" * len(text)))
    assert lettering.unknown(text) == ""


@JOINED
def test_arabic_letters_are_joined_from_right_to_left() -> None:
    assert lettering.width("ببب", 80, BOLD) < 0.8 * 3 * lettering.width("ب", 80, BOLD)
    tall = drawn("لا ب").any(axis=1).argmax()  # the alef, which is said first, is the taller
    columns = np.flatnonzero(drawn("لا ب")[tall])
    assert columns.min() > 20 + lettering.width("لا ب", 80, BOLD) / 2


@JOINED
def test_a_chinese_line_of_an_arabic_caption_has_its_letters() -> None:
    pictures = []
    for line in ("漢字漢", "文文文"):
        mask = np.zeros((160, 900), np.uint8)
        lettering.draw(mask, line, (20, 110), 80, BOLD, direction="rtl")
        pictures.append(mask)
    assert not np.array_equal(*pictures), "boxes"


@JOINED
def test_a_line_of_an_arabic_caption_that_begins_with_latin_is_read_from_right_to_left() -> None:
    """An alef is much narrower than a W, and stands last: on the left."""
    shown = {}
    for above in ("مرحبا بالعالم", "Welcome all"):
        painter = CaptionPainter([Caption(0, 1, (above,)), Caption(1, 2, ("WW ا",))], 1280, 720)
        frame = np.zeros((720, 1280, 3), np.uint8)
        painter.burn(frame, 1.5)
        inked = frame[..., 0].max(axis=0) > 128
        left = int(inked.argmax())
        shown[above] = int((~inked[left:]).argmax())
    assert shown["مرحبا بالعالم"] < 10
    assert shown["Welcome all"] > 20


@pytest.mark.parametrize(
    ("language", "line", "marked"),
    [
        ("مرحبا بالعالم كله", "a@b.de وسنجيب", "\u200fa@b.de وسنجيب"),
        ("مرحبا بالعالم كله", "وسنجيب a@b.de", "وسنجيب a@b.de"),
        ("Welcome to all of you", "مرحبا said Ann", "\u200eمرحبا said Ann"),
        ("Welcome to all of you", "1200", "1200"),
    ],
)
def test_players_read_each_line_in_the_direction_of_the_whole(language: str, line: str, marked: str) -> None:
    shown = [Caption(0, 1, (language,)), Caption(1, 2, (line,))]
    for text in (to_srt(shown), to_vtt(shown)):
        assert text.splitlines()[-1] == marked


@JOINED
def test_devanagari_marks_stand_where_they_are_read() -> None:
    assert lettering.width("क्ष", 80, BOLD) < 0.8 * (2 * lettering.width("क", 80, BOLD))  # one conjunct
    whole, bare = drawn("कि"), drawn("क")  # the vowel stands before its consonant
    assert not np.array_equal(whole[:, : 20 + 30], bare[:, : 20 + 30])


def test_a_sign_without_a_glyph_is_no_question_mark() -> None:
    assert np.array_equal(drawn("so \U000133e4"), drawn("so "))
    assert lettering.unknown("Wann? தமிழ் \U000133e4") == "தமழ\U000133e4"


def test_signs_with_a_twin_in_the_font_are_drawn_as_it() -> None:
    assert np.array_equal(drawn("9時〜17時"), drawn("9時～17時"))
    assert not np.array_equal(drawn("9時〜17時"), drawn("9時17時"))
    assert np.array_equal(drawn("E\u2011Mail"), drawn("E-Mail"))


def test_a_sum_whose_currency_no_font_has_is_refused_and_other_signs_are_told() -> None:
    with pytest.raises(RequestInvalid, match="has the letters '₺₩'; choose sidecar"):
        lettering.check("₺500 or ₩900 or $1")
    lettering.check("Yes ✓ or no ✗!")
    assert "burned ones leave out '✗'" in lettering.left_out("Yes ✓ or no ✗!")
    assert lettering.left_out("9時〜17時, E\u2011Mail, 5 € ✓") == ""


@given(
    st.lists(
        st.sampled_from(["你好世界", "これはとても長い文です" * 3, "नमस्ते", "ok"]), min_size=1, max_size=12
    )
)
def test_wide_letters_take_two_cells_and_marks_none(texts: list[str]) -> None:
    words = tuple(
        Word(start_s=n * 0.5, end_s=n * 0.5 + 0.4, text=text, sentence=0) for n, text in enumerate(texts)
    )
    spoken = Timeline(
        duration_s=len(texts) * 0.5, sample_rate=24_000, language="ja-JP", words=words, phones=(), visemes=()
    )
    lines = [line for caption in captions(spoken, line_chars=20) for line in caption.lines]
    assert max(wcswidth(line) for line in lines) <= 20
    assert "".join(lines) == "".join(texts)


def test_recognised_words_without_letters_to_burn_are_refused_where_they_are_burned() -> None:
    """A narration's words are known after admission, and its speech serves whatever its captions."""
    word = Word(start_s=0.0, end_s=0.9, text="தமிழ்", sentence=0)
    heard = captions(
        Timeline(duration_s=1, sample_rate=8000, language="ta", words=(word,), phones=(), visemes=())
    )
    with pytest.raises(RequestInvalid, match="no font for burned captions"):
        composite.burned(a_plan(captions="burned"), heard)
    assert composite.burned(a_plan(captions="sidecar"), heard) == ()


def test_what_burned_captions_leave_out_is_told_when_a_request_is_admitted() -> None:
    asked = {"script": "Yes ✓ or no ✗!", "avatar": {"uri": "s3://inputs/a.png"}}
    told = {
        captions: admit._script(AvatarRequest.parse({**asked, "captions": captions}), "hibari", "en-US", ())
        for captions in ("burned", "sidecar")
    }
    assert "burned ones leave out '✗'" in told["burned"].warnings[-1]
    assert not any("leave out" in one for one in told["sidecar"].warnings)


def test_a_video_whose_burned_captions_lacked_a_sign_is_drawn_anew() -> None:
    def drawn_as(script: str, captions: str = "burned") -> object:
        return graph.COMPOSITE.params(a_plan(script=script, captions=captions)).get("lettering")

    assert (drawn_as("9時〜17時"), drawn_as("9時"), drawn_as("9時〜17時", "sidecar")) == ("2", None, None)
