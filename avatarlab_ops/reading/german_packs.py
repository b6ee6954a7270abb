"""German figures of packs, leaflets and thousands: 1 Tabl., 2 St./Tag, 100%ig, 1.000er, 06/2028."""

# ruff: noqa: RUF001  (typographic characters)

from __future__ import annotations

import re

from avatarlab_ops.reading import tables
from avatarlab_ops.reading.language import Rule, cardinal, year

MONTHS = tables.names("Januar Februar März April Mai Juni Juli August September Oktober November Dezember")
_PIECES = {"St": "Stück", "Stk": "Stück", "Tabl": "Tabletten", "Kps": "Kapseln", "Tr": "Tropfen"}
# What is numbered, by a year behind a stroke, and is no month: Beschluss Nr. 05/2021.
_FILED = re.compile(
    r"(?:\b(?:Nr\.|Nummer|Az\.|Aktenzeichen|Heft|Zimmer|Raum|Dokument|Drucksache|Protokoll|Antrag|Ausgabe)"
    r"|\(E[UGW]G?\)|\b\w*(?:nummer|verordnung|richtlinie|urteil|beschluss|beschluß|gesetz|rechnung|rundschreiben|vertrag"
    r"|auftrag|bestellung|erlass|bescheid))(?: Nr\.)?:? ?$",
    re.I,
)
_PER = {"Tag": "pro Tag", "d": "pro Tag", "Woche": "pro Woche"}


def _plain(value: int) -> str:
    """Hundert and tausend, which have no ein before them in words put together."""
    return re.sub("^ein(?=hundert|tausend)", "", cardinal("de", value))


def _pieces(match: re.Match[str], starters: str) -> str:
    """1 Tabl., 2 St./Tag; `starters` begin a sentence, whose full stop before them stays."""
    one = match[1] == "1" and match[2] in ("Tabl", "Kps")
    what = _PIECES[match[2]].removesuffix("n") if one else _PIECES[match[2]]
    number = "eine" if one else "ein" if match[1] == "1" else cardinal("de", int(match[1]))
    last = re.match(rf"$| (?:{starters})\b", match.string[match.end() :])
    stop = "." if match[0].endswith(".") and last else ""
    return " ".join(filter(None, (number, what, _PER.get(match[3] or "", "")))) + stop


def _month(match: re.Match[str]) -> str | None:
    """06/2028: Juni; but Rechnung 07/2023 is a number."""
    if _FILED.search(match.string[max(0, match.start() - 60) : match.start()]):
        return None
    return f"{MONTHS[int(match[1]) - 1]} {year('de', int(match[2]))}"


def rules(starters: str) -> tuple[Rule, ...]:
    """`starters`: words that begin a sentence, joined by |."""
    return (
        Rule(
            "pieces",
            re.compile(
                rf"(?<![\w.,–-])(\d{{1,4}}) ({'|'.join(_PIECES)})\.(?: ?/ ?({'|'.join(_PER)})(?!\w))?"
            ),
            lambda m: _pieces(m, starters),
        ),
        Rule(
            "percent",
            re.compile(r"(?<![\w.,–-])(\d{1,3}) ?-?%-?ig(e[mnrs]?)?(?!\w)"),
            lambda m: f"{_plain(int(m[1]))}prozentig{m[2] or ''}",
        ),
        Rule(
            "thousands",
            re.compile(r"(?<![\w.,–-])(\d{1,3}(?:\.\d{3})+)er(?!\w)"),
            lambda m: f"{_plain(int(m[1].replace('.', '')))}er",
        ),
        Rule(
            "month",
            re.compile(r"(?<![\w./-])(0[1-9]|1[0-2])/((?:19|20)\d\d)(?![\w/-]|[.,]\d)"),
            _month,
        ),
    )
