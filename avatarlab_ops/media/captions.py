"""Captions in the script's own words: cut into readable pieces, written as SRT or WebVTT, or burned in."""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

from avatarlab_ops.frames import Alpha, Frame
from avatarlab_ops.media import lettering
from avatarlab_ops.media.breaking import cells, pieces
from avatarlab_ops.media.lettering import Direction
from avatarlab_ops.timeline import Timeline, Word

# BBC and Netflix subtitle guidelines agree on these within a little.
LINE_CHARS = 42
MIN_S, MAX_S = 1.0, 6.0
_PAUSE_S = 1.0  # a caption never spans a longer silence
_REST_S = 0.2  # after a sentence that ends without a mark; words of another language within one have none
_SENTENCE_ENDS = ".!?\u2026\u3002\uff01\uff1f\u0964\u061f"  # ellipsis, full-width signs, danda, Arabic mark
_CLAUSE_ENDS = ",;:\u2013\u2014\uff0c\u3001\uff1b\uff1a\u060c\u061b"  # with dashes
_CLOSERS = "\"'”’»)]」』）"  # noqa: RUF001  (after the mark of an end)
_MARKS: dict[Direction, str] = {"rtl": "\u200f", "ltr": "\u200e"}  # letters that nobody sees
_ESCAPE = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})  # `-->` in a text would be read as times
_FONT_HEIGHT = 0.048  # of the picture's height
_SAFE = 0.07  # margin below, and _SAFE on either side
_WEIGHT = 550


class _Piece(Word):
    """A word or a part of one, with the space before it."""

    opens: bool = False  # whether a line begins with it, whatever that costs


@dataclass(frozen=True)
class Caption:
    """One or two lines shown from start_s to end_s."""

    start_s: float
    end_s: float
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """The lines joined by newlines."""
        return "\n".join(self.lines)


def captions(timeline: Timeline, *, line_chars: int = LINE_CHARS) -> list[Caption]:
    """Cut the words into captions of at most two lines of 42 cells, 1 to 6 s where the speech allows.

    A letter takes a cell, a Chinese or Japanese one two, a mark above or below another none (UAX 11).

    Among all ways to cut, the one of least cost: few captions, breaks at the ends of sentences and clauses,
    none hurried. A word longer than a line is broken as `breaking.py` says. For narrow pictures see
    `line_chars_for`.
    """
    words = _as_written(timeline, line_chars)
    groups = [words[i:j] for i, j in _cut(words, line_chars)]
    found = []
    for n, group in enumerate(groups):
        start = group[0].start_s
        limit = groups[n + 1][0].start_s if n + 1 < len(groups) else timeline.duration_s
        end = min(max(group[-1].end_s, start + MIN_S), max(limit, group[-1].end_s))
        found.append(Caption(start, end, _lines(group, line_chars)))
    return found


def chapters(timeline: Timeline, begun: Sequence[tuple[int, str]]) -> list[Caption]:
    """Each chapter as a caption of its title, from its first word until the next one's.

    `begun`: index of the sentence that it begins with, and its title. The first begins with the video, and
    one of which nothing is heard is left out.
    """
    starts = list[tuple[float, str]]()
    for sentence, title in begun:
        first = next((word.start_s for word in timeline.words if word.sentence >= sentence), None)
        if first is not None:
            starts.append((first if starts else 0.0, title))
    ends = [*[start for start, _ in starts], timeline.duration_s][1:]
    return [
        Caption(start, end, (title,)) for (start, title), end in zip(starts, ends, strict=True) if end > start
    ]


def _as_written(timeline: Timeline, line_chars: int) -> list[_Piece]:
    """The words in pieces that fit a line, each with the space before it where one is written."""
    found = [piece for word in timeline.words for piece in _broken(word, line_chars)]
    spaces = ["", *(timeline.between(before, word) for before, word in pairwise(found))]
    opening = _opening(found)
    return [
        _Piece(**word.model_dump() | {"text": space + word.text}, opens=n in opening)
        for n, (space, word) in enumerate(zip(spaces, found, strict=False))
    ]


def _opening(words: Sequence[Word]) -> set[int]:
    """Numbers of the words with which a heading or an item of a list begins, or what follows it does.

    A sentence is one where it ends without a mark, and rests; words of another language within one do not.
    """
    ends = [n for n in range(1, len(words)) if _ends(words[n - 1], words[n])]
    sentences = pairwise([0, *ends, len(words)])
    return {n for begin, end in sentences if not _end(words[end - 1]) for n in (begin, end)}


def _ends(word: Word, following: Word) -> bool:
    """Whether a sentence ends between two words."""
    rests = following.start_s - word.end_s >= _REST_S
    return word.sentence != following.sentence and (rests or bool(_end(word)))


def _broken(word: Word, line_chars: int) -> Iterator[Word]:
    """A word in pieces no longer than a line, each with an equal share of the time.

    Two neighbours are together longer than a line, so that no line ever joins them with a space.
    """
    found = pieces(word.text, line_chars)
    for n, piece in enumerate(found):
        began, ended = (word.start_s + (word.end_s - word.start_s) * i / len(found) for i in (n, n + 1))
        yield word.model_copy(update={"text": piece, "start_s": began, "end_s": ended})


def line_chars_for(width: int, height: int) -> int:
    """Characters a line that stay readable in a picture of this shape: 42, fewer in upright ones."""
    return LINE_CHARS if width >= height else max(18, round(LINE_CHARS * width / height))


def _cut(words: Sequence[_Piece], line_chars: int) -> list[tuple[int, int]]:
    best: list[tuple[float, int]] = [(0.0, 0)]  # for each prefix: its cost and where its last caption starts
    for end in range(1, len(words) + 1):
        options = []
        for start in range(end - 1, -1, -1):
            group = words[start:end]
            if len(group) > 1 and not _fits(group, line_chars):
                break
            following = words[end] if end < len(words) else None
            options.append((best[start][0] + _cost(group, following), start))
        best.append(min(options))
    cuts = []
    end = len(words)
    while end:
        cuts.append((best[end][1], end))
        end = best[end][1]
    return cuts[::-1]


def _fits(group: Sequence[_Piece], line_chars: int) -> bool:
    if sum(word.opens for word in group[1:]) > 1:
        return False
    if group[-1].end_s - group[0].start_s > MAX_S or group[1].start_s - group[0].end_s > _PAUSE_S:
        return False
    lines = _lines(group, line_chars)
    return len(lines) <= 2 and max(map(cells, lines)) <= line_chars


def _cost(group: Sequence[_Piece], following: _Piece | None) -> float:
    hurried = max(0.0, MIN_S - (group[-1].end_s - group[0].start_s))
    crossed = sum(2.0 if b.opens else 0.8 for a, b in pairwise(group) if a.sentence != b.sentence)
    whole = following is None or following.opens
    mark = _end(group[-1])
    clause = 0.3 if mark in _CLAUSE_ENDS and mark else 0.0 if mark or whole else 0.6
    last = group[-1].text.strip()
    if last[-1:] == "." and last[:-1].isdecimal():  # a German ordinal goes on: am 3. März
        clause = 0.9
    return 1.0 + 2 * hurried + crossed + clause


def _end(word: Word) -> str:
    """The mark of a sentence's or clause's end that a word has, "" for none."""
    last = word.text.strip().rstrip(_CLOSERS)[-1:]
    return last if last and last in _SENTENCE_ENDS + _CLAUSE_ENDS else ""


def _lines(group: Sequence[_Piece], line_chars: int) -> tuple[str, ...]:
    """One line or two, too long ones where the group does not fit; headings are never on one with more."""
    texts = [word.text for word in group]
    whole = "".join(texts).strip()
    opening = [n for n in range(1, len(group)) if group[n].opens]
    borders = [n for n in range(1, len(group)) if group[n - 1].sentence != group[n].sentence]
    if len(texts) == 1 or (cells(whole) <= line_chars and not opening):
        return (whole,)
    for places in (opening,) if opening else (borders, range(1, len(texts))):
        splits = [("".join(texts[:n]).strip(), "".join(texts[n:]).strip()) for n in places]
        evenest = min(splits, key=lambda pair: max(map(cells, pair)), default=None)
        if evenest and max(map(cells, evenest)) <= line_chars:
            return evenest
    return evenest or (whole,)


def direction(items: Sequence[Caption]) -> Direction:
    """In which all of them are read: a line that begins with an address is no English one in Arabic."""
    return lettering.direction("".join(line for item in items for line in item.lines))


def to_srt(items: Sequence[Caption]) -> str:
    """SubRip text, escaped as WebVTT: players read both by the same rules."""
    read = direction(items)
    blocks = (f"{n}\n{_cue(caption, ',', read)}" for n, caption in enumerate(items, 1))
    return "\n".join(blocks)


def to_vtt(items: Sequence[Caption]) -> str:
    """WebVTT text."""
    read = direction(items)
    return "\n".join(["WEBVTT\n", *(_cue(caption, ".", read) for caption in items)])


def _cue(caption: Caption, point: str, read: Direction) -> str:
    """Times and text. White space of any kind is one space: a blank line would end the cue.

    A player reads each line as its first letter says: where that is not `read`, a mark goes before it.
    """
    lines = (" ".join(line.split()) for line in caption.lines)
    marked = (line if lettering.begins(line) in (read, None) else _MARKS[read] + line for line in lines)
    text = "\n".join(line.translate(_ESCAPE) for line in marked if line)
    return f"{_stamp(caption.start_s, point)} --> {_stamp(caption.end_s, point)}\n{text}\n"


def _stamp(seconds: float, point: str) -> str:
    millis = round(seconds * 1000)
    hours, rest = divmod(millis, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02}{point}{rest % 1000:03}"


class CaptionPainter:
    """Burns captions into frames of one size; each is drawn once and then only blended."""

    def __init__(self, items: Sequence[Caption], width: int, height: int) -> None:
        self._items, self._size, self._direction = items, (width, height), direction(items)
        self._starts = [item.start_s for item in items]
        self._drawn: tuple[int, Overlay] | None = None

    def burn(self, frame: np.ndarray, time_s: float) -> None:
        """Draw what shows at `time_s` into uint8 [h, w, 3 or 4]; alpha grows where text lies."""
        at = bisect.bisect_right(self._starts, time_s + 1e-6) - 1
        if at < 0 or time_s >= self._items[at].end_s:
            return
        if self._drawn is None or self._drawn[0] != at:
            self._drawn = at, draw_caption(self._items[at].lines, *self._size, self._direction)
        self._drawn[1].blend(frame)


@dataclass(frozen=True)
class Overlay:
    """Text and outline with their top edge at row `y`: rgb uint8 [h, w, 3], alpha uint8 [h, w]."""

    y: int
    rgb: Frame
    alpha: Alpha

    def blend(self, frame: np.ndarray) -> None:
        """Draw it into uint8 [h, w, 3 or 4] of the same width."""
        part = frame[self.y : self.y + self.alpha.shape[0]]
        weight = (self.alpha.astype(np.float32) / 255)[..., None]
        share = weight  # of its own colours in what is seen, where something may show through both
        if frame.shape[2] == 4:
            seen = weight + part[..., 3:] / np.float32(255) * (1 - weight)
            share = weight / np.maximum(seen, np.float32(1e-3))
            part[..., 3:] = (seen * 255 + 0.5).astype(np.uint8)
        mixed = part[..., :3] + share * (self.rgb.astype(np.float32) - part[..., :3])
        part[..., :3] = (mixed + 0.5).astype(np.uint8)


def draw_caption(
    lines: Sequence[str], width: int, height: int, direction: Direction | None = None
) -> Overlay:
    """White text with a dark outline, centred in the lower safe area, smaller where the picture is narrow.

    `direction`: of the lines; None: as their letters say.
    """
    direction = direction or lettering.direction("".join(lines))
    size = max(8, round(_FONT_HEIGHT * min(height, width * 1.2)))
    widest = max(lettering.width(line, size, _WEIGHT, direction) for line in lines)
    size = max(6, min(size, int(size * (1 - 2 * _SAFE) * width / max(widest, 1))))
    step, outline = round(size * 1.3), max(1, round(size * 0.09))
    tall = step * len(lines) + 2 * outline
    mask = np.zeros((tall, width), np.uint8)
    for n, line in enumerate(lines):
        x = (width - lettering.width(line, size, _WEIGHT, direction)) // 2
        lettering.draw(mask, line, (x, outline + n * step + size), size, _WEIGHT, direction=direction)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * outline + 1, 2 * outline + 1))
    edge = cv2.GaussianBlur(cv2.dilate(mask, kernel), (0, 0), max(0.5, outline / 3))
    top = max(0, round(height * (1 - _SAFE)) - tall)
    shown = min(tall, height - top)
    white = np.repeat(mask[:shown, :, None], 3, axis=2)
    return Overlay(top, white, np.maximum(edge, mask)[:shown])
