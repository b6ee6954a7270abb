"""Signs that stand for others in what people type and paste: each is exchanged at its place."""

# ruff: noqa: RUF001, RUF003  (typographic characters)

from __future__ import annotations

import re

from avatarlab_ops.reading.unspaced import HAN, KANA

_HYPHENS = dict.fromkeys((0x2010, 0x2011, 0x2012), "-")  # Word's that breaks no line, one of figures
# A dash for a minus: bis –20 %, –5 °C; but los alumnos –20 % de ellos– llegaron.
_UNIT = r"(?:[%‰°º℃€$£]|Grad|grad|degr)"
_UNTIL = r"(?:\s?(?:bis|und|to|and|a|y|à|et|до|и|та|і|[-–])\s?[-–\u2212]?\d[\d.,]*)?"
_MINUS = re.compile(
    rf"(?:(?<![^\s(\[])|(?<=[{HAN}{KANA}]))–(?=\d[\d.,]*{_UNTIL}\s?{_UNIT}|[$€£]\d)(?![^.!?]*[^\W\d_]–(?!\w))"
)
# Hours with a point, where a point is in no decimal: 9.00–18.00.
_HOUR = r"(?:[01]?\d|2[0-4])\.(?:[03]0|15|45)"
_HOURS = re.compile(rf"(?<![\w.,:])(?<!\. ){_HOUR} ?[-–] ?{_HOUR}(?![\w.,:]\d|\w| ?[€$£%])")
_AT = re.compile(  # о 10.00, a las 9.15
    r"(?:(?<=\b[оОвВуУ] )|(?<=\blas )|(?<=\bàs ))((?:[01]?\d|2[0-4]))\.([0-5]\d)(?!\w|[.,:]\d| ?[€$£%])"
)
_UNTIL_UHR = re.compile(
    r"(?<![\w.,:])((?:[01]?\d|2[0-4]))\.([0-5]\d)(?= ?(?:[-–]|bis|und) ?\d{1,2}(?:[.:]\d\d)? ?Uhr)"
)


def plain(text: str, *, hours: bool = False) -> str:
    """The text with a minus for a dash that is one; `hours`: and a colon in hours that have a point."""
    text = _MINUS.sub("\u2212", text.translate(_HYPHENS))
    text = _UNTIL_UHR.sub(r"\1:\2", text)  # 8.30–12 Uhr
    if not hours:
        return text
    return _HOURS.sub(lambda match: match[0].replace(".", ":"), _AT.sub(r"\1:\2", text))
