"""Halves and quarters of what is measured, by its symbol: ½ kg, 2½ km, 1/2 h, ¾ l."""

# ruff: noqa: RUF001  (Cyrillic letters)

from __future__ import annotations

import re
from collections.abc import Iterable

from avatarlab_ops.reading import slavic
from avatarlab_ops.reading.gender import feminine
from avatarlab_ops.reading.language import Language, Rule
from avatarlab_ops.reading.tables import names

# Those of which people have halves; a "t", "d" or "in" may be anything.
_SYMBOLS = names("km m cm mm kg g l L ml cl dl h min ha Std. Std Min. Min км м см кг г л мл ч мин хв год")
_GERMAN = {"Stunde": "eine halbe", "Minute": "eine halbe"}  # "ein halber" Meter, Liter; "ein halbes" Gramm


def rules(language: Language) -> Iterable[Rule]:
    """Rules that go before those of halves alone."""
    known = "|".join(re.escape(one) for one in _SYMBOLS if one in language.units)
    if language.unspaced:
        return
    ends = r"(?![^\W_])(?!/)"
    whole = rf"(?<![\w./,-])(\d{{1,3}})(?: ?½| 1/2) ?(?P<unit>{known}){ends}"
    yield Rule("half", re.compile(whole), lambda m: _and_a_half(m, language))
    bare = rf"(?<![\w./,-])(?<!\d )(?:½|1/2) ?(?P<unit>{known}){ends}"
    yield Rule("half", re.compile(bare), lambda m: _half(m, language))
    sign = rf"(?:(?P<sign>[¼¾])|(?P<part>[13])/4(?![\w/])) ?(?P<unit>{known}){ends}"
    quarter = rf"(?<![\w./,-])(?:(?P<whole>\d{{1,3}}) ?)?{sign}"
    yield Rule("quarter", re.compile(quarter), lambda m: _quarter(m, language))


def _and_a_half(match: re.Match[str], language: Language) -> str | None:
    """2½ km: two and a half kilometers, dos kilómetros y medio."""
    one, many = language.units[match["unit"]]
    whole, stop = int(match[1]), _stop(match)
    if language.code in ("en", "de", "ru", "uk"):
        what = slavic.of_part(language.code, many) if language.code in ("ru", "uk") else many
        return language.half and f"{language.half(whole)} {what}{stop}"
    said, noun = language.agree(language.number(whole), one), one if whole == 1 else many
    half = "demi" if language.code == "fr" else language.fractions["½"]
    if feminine(language.code[:2], one):
        half = f"{half}e" if language.code == "fr" else f"{half[:-1]}a"
    return f"{said} {noun} {language.and_} {half}{stop}"


def _half(match: re.Match[str], language: Language) -> str | None:
    one = language.units[match["unit"]][0]
    if language.code == "en":
        said = f"half {'an' if one[0] in 'aeiou' or one == 'hour' else 'a'} {one}"
    elif language.code == "de":
        plain = "ein halbes" if one.lower().endswith("gramm") else "ein halber"
        said = f"{_GERMAN.get(one, plain)} {one}"
    elif language.code in ("ru", "uk"):
        said = f"половина {slavic.of_part(language.code, one)}"
    else:
        said = f"{_romance(language, one)} {one}"
    return said + _stop(match)


def _quarter(match: re.Match[str], language: Language) -> str | None:
    """¾ h: three quarters of an hour; 2¼ h: dos horas y un cuarto."""
    one, many = language.units[match["unit"]]
    share = language.fractions[match["sign"] or ("¼" if match["part"] == "1" else "¾")]
    if match["whole"]:
        number, noun = language.number(int(match["whole"])), one if match["whole"] == "1" else many
        if language.code in ("en", "de"):
            return f"{number} {language.and_} {share} {many}{_stop(match)}"
        said = f"{language.agree(number, one)} {language.form(number, noun)} {language.and_}"
        return f"{' '.join(said.split())} {share}{_stop(match)}"
    if language.code in ("ru", "uk"):
        what = slavic.of_part(language.code, one)
    elif language.code == "en":
        what = f"of {'an' if one == 'hour' else 'a'} {one}"
    else:
        of = {"es": "de ", "pt_BR": "de ", "fr": "de ", "it": "di "}.get(language.code, "")
        elided = language.code in ("fr", "it") and re.match("[aeiouh]", one)
        what = f"{of[0]}'{one}" if elided else f"{of}{one}"
    return f"{share} {what}{_stop(match)}"


def _romance(language: Language, noun: str) -> str:
    """Media hora, une demi heure."""
    half, is_feminine = language.fractions["½"], feminine(language.code[:2], noun)
    if language.code == "fr":
        return "une demi" if is_feminine else half
    return f"{half[:-1]}a" if is_feminine else half


def _stop(match: re.Match[str]) -> str:
    """The full stop of an abbreviation that is also its sentence's."""
    return "." * (match[0].endswith(".") and match.end() == len(match.string))
