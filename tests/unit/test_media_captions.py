"""Captions say what the script says, fit the screen and stay long enough."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatarlab_ops.media.captions import (
    Caption,
    CaptionPainter,
    captions,
    chapters,
    draw_caption,
    line_chars_for,
    to_srt,
    to_vtt,
)  # fmt: skip
from avatarlab_ops.timeline import Timeline, Word

WORD = st.text("abcdefgéß", min_size=1, max_size=14).flatmap(
    lambda w: st.sampled_from([w, w, w, w + ",", w + "."])
)


def timeline(texts: list[str], gaps: list[float] | None = None, language: str = "en-US") -> Timeline:
    words, now, sentence = [], 0.3, 0
    for n, text in enumerate(texts):
        end = now + 0.07 * len(text)
        words.append(Word(start_s=now, end_s=end, text=text, sentence=sentence))
        sentence += text.endswith(".")
        now = end + (gaps[n] if gaps else 0.02)
    return Timeline(
        duration_s=now + 0.5, sample_rate=24_000, language=language, words=tuple(words), phones=(), visemes=()
    )


def said(*words: tuple[float, float, str], duration_s: float) -> Timeline:
    """Words with their times; a sentence ends with a full stop."""
    found, sentence = [], 0
    for start, end, text in words:
        found.append(Word(start_s=start, end_s=end, text=text, sentence=sentence))
        sentence += text.endswith(".")
    return Timeline(
        duration_s=duration_s, sample_rate=24_000, language="en-US", words=tuple(found), phones=(), visemes=()
    )


def shown(spoken: Timeline, line_chars: int = 42) -> list[tuple[float, float, str]]:
    return [
        (round(one.start_s, 2), round(one.end_s, 2), " | ".join(one.lines))
        for one in captions(spoken, line_chars=line_chars)
    ]


def test_a_caption_stays_a_second_where_there_is_room_and_never_into_the_next_one() -> None:
    spoken = said((0.0, 0.4, "One."), (2.0, 2.3, "Two."), (5.0, 6.2, "Three."), duration_s=9.0)
    assert shown(spoken) == [(0.0, 1.0, "One."), (2.0, 3.0, "Two."), (5.0, 6.2, "Three.")]
    long = "Thirty-nine letters of which nobody can"  # two of these fit on no caption together
    spoken = said((0.5, 0.9, f"{long} A"), (1.2, 1.5, f"{long} B"), (1.4, 4.0, f"{long} C"), duration_s=4.2)
    assert shown(spoken) == [
        (0.5, 1.5, f"{long} A | {long} B"),
        (1.4, 4.0, f"{long} C"),
    ]
    assert shown(said((0.0, 0.3, "Late."), duration_s=0.7)) == [(0.0, 0.7, "Late.")]


def listed(*sentences: str) -> Timeline:
    """Each sentence by itself, with the silence after it that speech has."""
    words, now = list[Word](), 0.15
    for number, sentence in enumerate(sentences):
        for text in sentence.split():
            words.append(Word(start_s=now, end_s=now + 0.32, text=text, sentence=number))
            now += 0.32
        now += 0.35
    return Timeline(
        duration_s=now, sample_rate=24_000, language="en-US", words=tuple(words), phones=(), visemes=()
    )


@pytest.mark.parametrize(
    "lines",
    [
        ["Gloves | Safety goggles", "A hard hat", "Steel-toe boots"],
        ["Listen actively", "Ask open-ended questions", "Summarize & confirm"],
        ["Slide 4 of 12", "Key takeaways", "Costs fell 8%", "NPS rose from 42 to 57 (+15 pts)"],
        ["Open the app now, please. | Tap Settings first, and wait."],
    ],
)
def test_no_line_holds_the_end_of_one_item_and_the_beginning_of_the_next(lines: list[str]) -> None:
    sentences = [one for line in lines for one in line.split(" | ")]
    assert [line for _, _, line in shown(listed(*sentences))] == lines


@pytest.mark.parametrize(
    "sentences",
    [
        ["Milk", "Bread", "Eggs"],
        ["Hats", "Belts", "Socks", "Shoes", "Gloves"],
        ["Tips", "Keep the door of the server room closed at all times."],
        ["Why", "Because of rain and of the sun.", "How", "Ask."],
        ["Thanks for watching.", "Questions"],
    ],
)
def test_a_heading_or_item_shares_its_line_with_nothing_however_short_it_is(sentences: list[str]) -> None:
    """Nor does one that follows a full stop."""
    lines = [line for one in captions(listed(*sentences)) for line in one.lines]
    bare = [one for one in sentences if not one.endswith(".")]
    assert [line for line in lines if line in bare] == bare
    assert " ".join(lines) == " ".join(sentences)


def test_a_heading_of_two_languages_is_one() -> None:
    """Its parts are sentences of their own, without a rest between them."""
    words = [(0.0, "The", 0), (0.3, "mot", 1), (0.6, "juste", 1), (1.3, "Find", 2), (1.6, "it.", 2)]
    spoken = Timeline(
        duration_s=2.5, sample_rate=24_000, language="en-US", phones=(), visemes=(),
        words=tuple(Word(start_s=at, end_s=at + 0.3, text=text, sentence=n) for at, text, n in words),
    )  # fmt: skip
    assert [one.lines for one in captions(spoken)] == [("The mot juste", "Find it.")]


@pytest.mark.parametrize(("silence", "count"), [(0.95, 1), (1.05, 2)])
def test_no_caption_spans_a_silence_of_more_than_a_second(silence: float, count: int) -> None:
    spoken = said((0.0, 1.0, "Wait"), (1.0 + silence, 2.0 + silence, "here."), duration_s=5.0)
    assert len(captions(spoken)) == count


@pytest.mark.parametrize(("end", "count"), [(5.95, 1), (6.05, 2)])
def test_no_caption_of_several_words_stays_longer_than_six_seconds(end: float, count: int) -> None:
    spoken = said((0.0, 2.9, "Very"), (3.0, end, "slowly."), duration_s=9.0)
    assert len(captions(spoken)) == count


STORY = (
    "Good evening. When we opened the shop, in the spring of 1998, nobody believed that it would last a "
    "year; my brother, who had sold cars, kept the books. Then came the flood. We lost everything: the "
    "stock, the shelves, even the sign above the door. Neighbours helped us, day and night, and by Christmas "
    "we were open again. That is why we are still here, and why we stay."
)


def test_a_story_is_cut_as_a_reader_would_cut_it() -> None:
    assert shown(timeline(STORY.split())) == [
        (0.3, 5.04, "Good evening. When we opened the shop, | in the spring of 1998, nobody believed"),
        (5.06, 9.47, "that it would last a year; my brother, | who had sold cars, kept the books."),
        (9.49, 10.74, "Then came the flood."),
        (10.76, 15.27, "We lost everything: the stock, the | shelves, even the sign above the door."),
        (15.29, 19.8, "Neighbours helped us, day and night, | and by Christmas we were open again."),
        (19.82, 22.61, "That is why we are still | here, and why we stay."),
    ]


def test_a_story_is_cut_for_an_upright_picture() -> None:
    assert [text for *_, text in shown(timeline(STORY.split()), 24)] == [
        "Good evening.",
        "When we opened the shop, | in the spring of 1998,",
        "nobody believed that | it would last a year;",
        "my brother, who had sold | cars, kept the books.",
        "Then came the flood.",
        "We lost everything: | the stock,",
        "the shelves, even the | sign above the door.",
        "Neighbours helped | us, day and night,",
        "and by Christmas | we were open again.",
        "That is why we are still | here, and why we stay.",
    ]


def test_a_line_holds_42_letters_and_not_one_more() -> None:
    words = ["seven77"] * 5 + ["xy"]
    assert [len(line) for line in captions(timeline(words))[0].lines] == [42]
    assert len(captions(timeline([*words[:-1], "xyz"]))[0].lines) == 2


def test_the_pieces_of_a_broken_word_share_its_time() -> None:
    spoken = said((1.0, 4.0, "banananana"), duration_s=5.0)
    assert shown(spoken, 6) == [(1.0, 4.0, "bana- | nanana")]
    spoken = said((1.0, 4.0, "bananananana"), duration_s=5.0)  # three pieces of a second
    assert shown(spoken, 6) == [(1.0, 2.0, "bana-"), (2.0, 4.0, "nana- | nana")]
    spoken = said((1.0, 4.0, "123456789012345678"), (4.1, 4.5, "xyz."), duration_s=5.0)
    assert shown(spoken, 6) == [(1.0, 3.0, "123456 | 789012"), (3.0, 4.5, "345678 | xyz.")]


def test_a_word_of_wide_letters_is_broken_into_as_few_pieces_as_fit() -> None:
    """Two pieces of equally many letters would not: Chinese ones are twice as wide."""
    spoken = said((1.0, 4.0, "aaaaaa漢漢漢"), duration_s=5.0)
    assert [line for one in captions(spoken, line_chars=6) for line in one.lines] == ["aaaaaa", "漢漢漢"]


@given(texts=st.lists(WORD, min_size=1, max_size=60), gap=st.floats(0.0, 1.5), chars=st.integers(18, 42))
def test_captions_hold_the_script_and_the_rules(texts: list[str], gap: float, chars: int) -> None:
    spoken = timeline(texts, [gap if n % 7 == 6 else 0.02 for n in range(len(texts))])
    made = captions(spoken, line_chars=chars)
    assert " ".join(" ".join(c.lines) for c in made).split() == texts
    for caption, following in zip(made, [*made[1:], None], strict=True):
        assert len(caption.lines) <= 2
        assert all(len(line) <= chars for line in caption.lines)
        assert 0 < caption.end_s - caption.start_s <= 6.01
        assert following is None or caption.end_s <= following.start_s + 1e-9


@pytest.mark.parametrize(
    ("language", "said", "shown"),
    [
        ("ja", "0 私は/1en Hello/1en world./2en Bye./3 です。", "私はHello world. Bye.です。"),
        ("zh", "0 你好/1ja 今日は", "你好今日は"),
        ("en-US", "0 The/0 word/1ja 今日は/1ja 晴れ。/2ja 明日。/3 Yes.", "The word 今日は晴れ。明日。 Yes."),
    ],
)
def test_words_of_another_language_are_spaced_as_it_writes_them(language: str, said: str, shown: str) -> None:
    words = tuple(
        Word(start_s=n * 0.4, end_s=n * 0.4 + 0.4, text=text, sentence=int(mark[0]), language=mark[1:])
        for n, (mark, text) in enumerate(word.split(" ") for word in said.split("/"))
    )
    spoken = Timeline(duration_s=4, sample_rate=24_000, language=language, words=words, phones=(), visemes=())
    (caption,) = captions(spoken)
    assert caption.text == shown


def test_a_chapter_lasts_until_the_next_and_the_first_begins_with_the_video() -> None:
    spoken = timeline(["One.", "Two", "two.", "Three.", "Four."])
    made = chapters(spoken, [(0, "Begin --> here"), (2, "End"), (9, "Never said")])
    third = spoken.words[3].start_s
    assert [(one.start_s, one.end_s) for one in made] == [(0.0, third), (third, spoken.duration_s)]
    assert "Begin --&gt; here" in to_vtt(made)
    assert chapters(spoken, []) == []


def test_sentences_end_captions() -> None:
    text = "This is the first sentence of the talk. Another one, rather long, that has to be cut somewhere."
    made = captions(timeline(text.split()))
    assert made[0].text == "This is the first sentence of the talk."
    assert made[1].text.replace("\n", " ").endswith("cut somewhere.")


def test_short_ones_stay_a_second() -> None:
    made = captions(timeline(["Yes."]))
    assert made[0].end_s - made[0].start_s == pytest.approx(0.8)  # all there is until the clip ends
    made = captions(timeline(["Yes.", "Then", "nothing."], [3.0, 0.02, 3.0]))
    assert made[0].end_s - made[0].start_s == pytest.approx(1.0)


def test_chinese_is_joined_without_spaces() -> None:
    assert captions(timeline(["你", "好"], language="zh-CN"))[0].text == "你好"


def test_spaces_within_a_text_without_spaces_stay_but_not_at_the_ends_of_lines() -> None:
    words = ["今天", "我们", "用", "Google ", "Maps ", "去", "公园", "和", "新的", "学校。"]
    made = captions(timeline(words, language="zh"), line_chars=24)
    assert "用Google Maps" in "".join(line for caption in made for line in caption.lines)
    assert all(line == line.strip() for caption in made for line in caption.lines)


@pytest.mark.parametrize(
    ("language", "text", "chars", "first"),
    [
        ("hi", "नमस्ते, आपका स्वागत है। हमारी टीम आपके सवालों का जवाब देती है।", 24, "स्वागत है।"),
        (
            "de",
            "Die neue Kamera erscheint am 3. März 2024 und kostet 1.299 €. "
            "Bitte besuchen Sie unseren Laden, wir freuen uns auf Sie.",
            42,
            "1.299 €.",
        ),
    ],
)
def test_captions_end_where_the_language_ends_a_sentence(
    language: str, text: str, chars: int, first: str
) -> None:
    made = captions(timeline(text.split(), language=language), line_chars=chars)
    assert made[0].text.endswith(first)


@pytest.mark.parametrize(
    ("text", "chars", "expected"),
    [
        ("Wir treffen uns am 3. Mai wieder", 12, ["Wir treffen", "uns am 3. Mai wieder"]),
        ("Es war im Jahr 2024 ein schöner Tag", 12, ["Es war im Jahr", "2024 ein schöner Tag"]),
        ("Es war in 3D. Wir sahen alles", 13, ["Es war in 3D.", "Wir sahen alles"]),
    ],
)
def test_no_german_caption_ends_after_an_ordinal(text: str, chars: int, expected: list[str]) -> None:
    """Spoken slowly: no caption is hurried. A number without a full stop is a word like any other."""
    words = tuple(
        Word(start_s=0.6 * n, end_s=0.6 * n + 0.5, text=word, sentence=0)
        for n, word in enumerate(text.split())
    )
    spoken = timeline(["."], language="de").model_copy(update={"words": words, "duration_s": 9.0})
    assert [one.text.replace("\n", " ") for one in captions(spoken, line_chars=chars)] == expected


def test_srt_and_vtt() -> None:
    made = [Caption(0.0, 1.5, ("Ham & eggs", "<now>")), Caption(3661.0005, 3663.9996, ("x",))]
    first = "1\n00:00:00,000 --> 00:00:01,500\nHam &amp; eggs\n&lt;now&gt;\n"
    assert to_srt(made) == first + "\n2\n01:01:01,000 --> 01:01:04,000\nx\n"
    assert to_vtt(made).startswith("WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nHam &amp; eggs\n&lt;now&gt;\n")
    assert len(re.findall("-->", to_vtt(made))) == 2
    assert "00:59:59,999 --> 01:00:00,001" in to_srt([Caption(3599.999, 3600.001, ("y",))])


@pytest.mark.parametrize("write", [to_srt, to_vtt])
def test_no_text_breaks_its_cue(write: Callable[[list[Caption]], str]) -> None:
    """Arrows, markup and blank lines of a script, read back as a player does: cues end at a blank line."""
    text = write([Caption(0.0, 1.0, ("a --> b", "x\n\ny\u2028\r\nz")), Caption(1.0, 2.0, ("<b>c&d", " \n"))])
    cues = [block.splitlines() for block in text.strip().split("\n\n")][-2:]
    assert [sum("-->" in line for line in cue) for cue in cues] == [1, 1]
    assert [unescape(line) for line in cues[0][-2:]] == ["a --> b", "x y z"]
    assert unescape(cues[1][-1]) == "<b>c&d"


@pytest.mark.parametrize("language", ["de-DE", "zh-CN"])
def test_a_word_longer_than_a_line_is_broken(language: str) -> None:
    long = "Rindfleischetikettierungsüberwachungsaufgabenübertragungsgesetz"
    spoken = timeline(["Das", long, "gilt."], language=language)
    for chars in (18, 20, 42):
        made = captions(spoken, line_chars=chars)
        lines = [line for caption in made for line in caption.lines]
        assert max(map(len, lines)) <= chars
        assert "".join(lines).replace(" ", "").replace("-", "") == f"Das{long}gilt."
        assert all(len(caption.lines) <= 2 for caption in made)
        assert all(a.end_s <= b.start_s + 1e-9 for a, b in pairwise(made))
        assert not any("Rind" in line and " " in line[line.index("Rind") :] for line in lines)


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (404, 720), (720, 720), (160, 90), (640, 360)])
def test_burned_text_lies_in_the_safe_area_and_is_readable(width: int, height: int) -> None:
    made = [
        Caption(1.0, 2.0, ("A caption of some forty letters, yes it is", "and a second line with “quotes”"))
    ]
    frame = np.full((height, width, 3), 127, np.uint8)
    painter = CaptionPainter(made, width, height)
    for time_s in (0.9, 2.0, 5.0):
        painter.burn(frame, time_s)
    assert (frame == 127).all(), "nothing shows outside its time"
    painter.burn(frame, 1.0)
    rows, columns = np.nonzero((frame != 127).any(axis=2))
    assert rows.min() > height * 0.6
    assert rows.max() < height * 0.95
    assert columns.min() > width * 0.04
    assert columns.max() < width * 0.96
    assert frame.max() > 240, "white letters"
    assert frame.min() < 40, "dark outline"


def test_lines_lie_apart_each_with_a_dark_rim_on_every_side() -> None:
    drawn = draw_caption(("HOH", "HOH"), 1280, 720)
    letters = (drawn.rgb[..., 0] > 200).any(axis=1)
    starts = np.flatnonzero(np.diff(letters.astype(int)) == 1) + 1
    ends = np.flatnonzero(np.diff(letters.astype(int)) == -1) + 1
    assert len(starts) == len(ends) == 2, "two lines, none over the other"
    size = ends[0] - starts[0]
    assert starts[1] - ends[0] > size / 4
    first, second = (drawn.rgb[at : at + size] for at in starts)
    assert (first == second).all()
    ink, rim = drawn.rgb[..., 0] > 128, drawn.alpha > 128
    for axis in (0, 1):
        inked, rimmed = (np.flatnonzero(one.any(axis=axis)) for one in (ink, rim))
        before, after = inked[0] - rimmed[0], rimmed[-1] - inked[-1]
        assert before > 0
        assert abs(before - after) <= 1


@pytest.mark.parametrize(
    ("width", "height", "letters"), [(1280, 720, 27), (404, 720, 17), (640, 360, 13), (240, 100, 6)]
)
def test_burned_lines_are_centred_at_their_size_and_distance(width: int, height: int, letters: int) -> None:
    drawn = draw_caption(("HOH", "HOH"), width, height)
    ink, rim = drawn.rgb[..., 0] > 128, drawn.alpha > 128
    columns, rows = np.flatnonzero(ink.any(axis=0)), np.flatnonzero(ink.any(axis=1))
    assert abs(columns[0] - (width - 1 - columns[-1])) <= 2  # letters have bearings
    starts = rows[np.flatnonzero(np.diff(rows, prepend=-9) > 1)]
    size = max(8, round(0.048 * min(height, width * 1.2)))
    assert starts[1] - starts[0] == round(1.3 * size)
    ends = rows[np.flatnonzero(np.diff(rows, append=9999) > 1)]
    assert ends[0] - starts[0] == pytest.approx(letters, abs=1)
    below = drawn.y + np.flatnonzero(rim.any(axis=1))[-1]
    assert 0.89 < below / height < 0.93
    edge = max(1, round(0.09 * size))
    for axis in (0, 1):
        inked, rimmed = (np.flatnonzero(one.any(axis=axis)) for one in (ink, rim))
        assert abs(inked[0] - rimmed[0] - edge) <= 1
        assert abs(rimmed[-1] - inked[-1] - edge) <= 1


def test_a_line_too_wide_for_an_upright_picture_is_drawn_smaller() -> None:
    ink = draw_caption(("W" * 42,), 404, 720).rgb[..., 0] > 128
    columns = np.flatnonzero(ink.any(axis=0))
    assert 404 * 0.07 <= columns[0] < 404 * 0.16
    assert 404 * 0.84 < columns[-1] <= 404 * 0.93


def test_transparent_video_gets_opaque_text() -> None:
    frame = np.zeros((360, 640, 4), np.uint8)
    CaptionPainter([Caption(0, 1, ("Hello",))], 640, 360).burn(frame, 0.5)
    assert frame[..., 3].max() == 255
    white = cv2.inRange(frame[..., :3], (250, 250, 250), (255, 255, 255)) > 0
    assert (frame[white][:, 3] == 255).all()


@pytest.mark.parametrize("ground", [0, 255])
def test_letters_are_white_without_a_speck_on_any_ground(ground: int) -> None:
    frame = np.full((360, 640, 3), ground, np.uint8)
    drawn = draw_caption(("Hello",), 640, 360)
    drawn.blend(frame)
    inside = drawn.rgb[..., 0] == 255
    assert inside.sum() > 100
    assert frame[drawn.y :][: len(inside)][inside].min() == 255


@pytest.mark.parametrize("plate", [0, 90, 255])
@pytest.mark.parametrize("opacity", [0, 128, 255])
def test_captions_of_a_transparent_video_look_alike_over_any_ground(plate: int, opacity: int) -> None:
    """As if what is seen through the picture had been there when they were drawn: no rim around letters."""
    frame = np.full((360, 640, 4), 200, np.uint8)
    frame[..., 3] = opacity
    drawn = draw_caption(("Hello",), 640, 360)
    seen = over(frame, plate).round().astype(np.uint8)
    drawn.blend(seen)
    drawn.blend(frame)
    assert np.abs(over(frame, plate) - seen).max() <= 2


def over(frame: np.ndarray, plate: int) -> np.ndarray:
    """What a player shows of RGBA [h, w, 4] over a grey."""
    weight = frame[..., 3:] / 255
    return np.asarray(frame[..., :3] * weight + plate * (1 - weight))


def test_upright_pictures_get_shorter_lines() -> None:
    assert line_chars_for(1280, 720) == 42
    assert line_chars_for(720, 720) == 42
    assert line_chars_for(404, 720) == 24
    assert line_chars_for(90, 720) == 18
