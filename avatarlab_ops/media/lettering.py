"""Text as pixels: by OpenCV where its font knows the letters, by HarfBuzz where a script joins them.

Rubik, the font inside OpenCV, knows Latin, Cyrillic, Greek and (by its fallback) Chinese, Japanese. Arabic,
Hebrew, Devanagari, Thai and Georgian are set in FiraGO by Pillow, which follows the bidirectional algorithm
(Unicode Standard Annex 9) where the system has the library FriBiDi.
"""

from __future__ import annotations

import functools
import io
import unicodedata
from collections import Counter
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, features

from avatarlab_ops.errors import RequestInvalid
from avatarlab_ops.frames import Alpha

Direction = Literal["ltr", "rtl"]
_SHAPED = {"ARABIC", "HEBREW", "DEVANAGARI", "THAI", "GEORGIAN"}
_SMALLER = 0.88  # FiraGO's letters are taller than Rubik's of the same size
_TELLING = ("L", "N", "Sc", "Sm")  # Unicode's categories: without such a sign a text says something else
_SIGNS = ("P", "S")  # told where they are left out; what joins or varies emoji is none of them
# Wave dash, hyphen that holds words together: the font's own.
_ALIKE = str.maketrans("\u301c\u2011", "\uff5e-")
_RTL = ("R", "AL")  # classes of the Unicode bidirectional algorithm


def width(text: str, size: int, weight: int, direction: Direction | None = None) -> int:
    """Pixels from the left to the right end of a line, `size` pixels high, as bold as `weight` (100-900).

    `direction`: of the text that the line is part of; None: as its own letters say.
    """
    text, read = _shown(text), direction or begins(text) or "ltr"
    if _is_set(text, read):
        return round(_firago(size).getlength(text, direction=read))
    _, _, wide, _ = cv2.getTextSize((1, 1), text, (0, 0), cv2.FontFace("sans"), size, weight)
    return int(wide)


def draw(
    picture: NDArray[np.uint8], text: str, at: tuple[int, int], size: int, weight: int, *,
    direction: Direction | None = None,
) -> None:  # fmt: skip
    """Draw a white line into uint8 [h, w] or [h, w, 3], its baseline starting `at` (x, y). FiraGO is bold."""
    text, read = _shown(text), direction or begins(text) or "ltr"
    if not _is_set(text, read):
        cv2.putText(picture, text, at, (255, 255, 255), cv2.FontFace("sans"), size, weight)
        return
    drawn = Image.fromarray(picture)
    ImageDraw.Draw(drawn).text(at, text, "white", _firago(size), anchor="ls", direction=read)
    picture[:] = np.asarray(drawn)


def can_join() -> bool:
    """Whether Pillow found FriBiDi (Debian: libfribidi0), which its package does not bring along."""
    return bool(features.check("raqm"))


def check(text: str) -> None:
    """Raise RequestInvalid for a text that cannot be burned into a picture here."""
    if must_join(text) and not can_join():
        raise RequestInvalid(
            "captions: this script's letters are joined by the system library FriBiDi, which is not here; "
            "install it (Debian: libfribidi0) or choose sidecar"
        )
    if lacking := unknown(text):
        raise RequestInvalid(
            f"captions: no font for burned captions has the letters {lacking[:20]!r}; "
            "choose sidecar, whose reader brings its own"
        )


def unknown(text: str) -> str:
    """The letters, figures, and signs of money and mathematics that no font here has, each once."""
    return _lacking(text, _TELLING)


def left_out(text: str) -> str:
    """A note on the other signs that burned captions do not show, such as emoji; "" where they show all."""
    lacking = _lacking(text, _SIGNS)
    return lacking and (
        f"captions: burned ones leave out {lacking[:20]!r}, for which no font is here; the files beside the "
        "video have them"
    )


def _lacking(text: str, categories: tuple[str, ...]) -> str:
    signs = (one for one in dict.fromkeys(text) if unicodedata.category(one).startswith(categories))
    return "".join(one for one in signs if _unknown(one))


def _shown(text: str) -> str:
    """Without signs that no font here has, such as emoji: a question mark in their place would be read."""
    return "".join(one for one in text.translate(_ALIKE) if not _unknown(one))


@functools.lru_cache(maxsize=4096)
def _script(letter: str) -> str:
    return unicodedata.name(letter, "").split(" ")[0]


def must_join(text: str) -> bool:
    """Whether a text has letters that are joined or reordered, which `can_join` may not."""
    return any(_script(one) in _SHAPED for one in text)


def direction(text: str) -> Direction:
    """In which a whole text is read: as most of its letters are."""
    read = Counter(_strong(one) for one in text)
    return "rtl" if read["rtl"] > read["ltr"] else "ltr"


def begins(text: str) -> Direction | None:
    """The direction of a line by its first letter that has one (rules P2 and P3), None: none has."""
    return next(filter(None, map(_strong, text)), None)


def _strong(letter: str) -> Direction | None:
    kind = unicodedata.bidirectional(letter)
    return "rtl" if kind in _RTL else "ltr" if kind == "L" else None


def _is_set(text: str, read: Direction) -> bool:
    """Whether HarfBuzz sets a line: for its letters, or as part of a text from right to left.

    A line alone of letters that its font lacks, such as Chinese, has OpenCV's.
    """
    return must_join(text) or (read == "rtl" and can_join() and all(map(_in_firago, text)))


@functools.lru_cache(maxsize=8)
def _firago(size: int) -> ImageFont.FreeTypeFont:
    from pymupdf_fonts import FiraGO_Bold

    file = io.BytesIO(FiraGO_Bold.fontbuffer)
    return ImageFont.truetype(file, max(1, round(size * _SMALLER)), layout_engine=ImageFont.Layout.RAQM)


@functools.lru_cache(maxsize=4096)
def _in_firago(letter: str) -> bool:
    font = _firago(32)
    lacking = bytes(font.getmask("\U000fffff"))  # nobody's letter
    return letter.isspace() or bytes(font.getmask(letter)) != lacking


@functools.lru_cache(maxsize=4096)
def _unknown(letter: str) -> bool:
    """Whether OpenCV would draw its question mark for what is none, and FiraGO is not asked."""
    letter = letter.translate(_ALIKE)
    if letter == "?" or letter.isspace() or letter.isascii() or _script(letter) in _SHAPED:
        return False
    return bool(np.array_equal(_pixels(letter), _pixels("?")))


def _pixels(letter: str) -> Alpha:
    mask = np.zeros((48, 96), np.uint8)
    cv2.putText(mask, letter, (8, 36), (255, 255, 255), cv2.FontFace("sans"), 32, 400)
    return mask
