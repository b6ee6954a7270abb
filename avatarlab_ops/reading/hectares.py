"""Whether "ha" behind a number is hectares or a verb, in Italian and Spanish: 10 ha, 2024 ha aperto."""

# ruff: noqa: E501, RUF001  (lists of words; typographic apostrophes)

from __future__ import annotations

import re

# Italian "ha" is a verb by itself, so that almost any word may follow it; what follows hectares is known.
_OF_LAND = re.compile(
    r"(?!\s*[\w\"«“(])|\s+(?:d['’]|(?:di|del|della|dei|delle|dello|degli|e|o|ed|circa|cadauno|ciascuno|"
    r"totali|complessivi|boschivi|agricoli|(?:colt|riserv|destin|irrig|piant)[a-z]*ati)\b|a (?:vigneto|uliveto|"
    r"oliveto|bosco|pascolo|prato|frutteto|seminativo|grano|mais)\b|in (?:totale|tutto|provincia|zona|collina|"
    r"pianura|montagna|affitto|proprietà)\b|\()"
)
# Spanish "ha" only helps another verb: ha subido, ha sido, ha de entregarse.
_HELPS = re.compile(
    r"\s+(?:(?:ya|no|también|siempre|nunca|casi|vuelto a)\s+)?"
    r"(?:[a-zà-ÿ]*(?:[ai]do|ído|isto|echo|icho|uesto|uerto|ierto|rito|uelto)(?:se|l[aoe]s?)?\b|roto\b|impreso\b|"
    r"de (?:ser|estar|tener|haber|hacer|ir|poder|pagar|cumplir|superar|entregar|presentar)(?:se)?\b)"
)


def italian(match: re.Match[str]) -> bool:
    """Whether the unit of a measure is the verb: il modulo 3 ha un test; but 10 ha, 10 ha di bosco."""
    return match["unit"] == "ha" and not _OF_LAND.match(match.string, match.end())


def spanish(match: re.Match[str]) -> bool:
    """The same: en 2024 ha subido; but una finca de 10 ha en Soria."""
    return match["unit"] == "ha" and _HELPS.match(match.string, match.end()) is not None
