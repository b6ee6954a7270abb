"""English of offices and courses: ZIP codes, versions, losses in brackets, N/A explained, two versions with a stroke."""

# ruff: noqa: E501  (patterns)

from __future__ import annotations

import re
from collections.abc import Callable

from avatarlab_ops.reading import addresses, numbers, romance, tables
from avatarlab_ops.reading.english_words import LARGE, MONEY
from avatarlab_ops.reading.language import Language, Rule, cardinal

_SOFTWARE = (
    "Python",
    "Node",
    "Django",
    "Kubernetes",
    "Go",
    "Java",
    "PHP",
    "Ubuntu",
    "Airflow",
    "Version",
    "version",
)
# What two numbers with a stroke are one or the other of; "Team Red 5/6 won" may be a share.
_VERSIONED = "|".join(
    (*_SOFTWARE, "Windows", "Server", "Office", "Mac OS", "macOS", "iOS", "iPadOS", "Android", "iPhone",
     "Galaxy", "Pixel", "Model", "Models", "Route", "Routes")
)  # fmt: skip
_STATES = tables.names(
    "AL AK AZ AR CA CO CT DE DC FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK "
    "OR PA PR RI SC SD TN TX UT VT VA WA WV WI WY"
)
# Digits of a name, no amount: ext. 4455, the card ending in 4242.
_LISTED = r"(?:(?<=ext\. )|(?<=Ext\. )|(?<=xtension )|(?<=no\. is )|(?<=[Cc]ard ending in )|(?<=[Aa]ccount ending in )|(?<=[Cc]ard ending with ))"
_PARTS = {
    "para": "paragraph",
    "rm": "room",
    "bldg": "building",
    "qty": "quantity",
    "avg": "average",
    "ed": "edition",
}  # before a number


_EITHER = tables.names(
    "he/she she/he s/he him/her her/him his/her her/his his/hers himself/herself herself/himself"
)


def rules(language: Callable[[], Language]) -> tuple[Rule, ...]:
    """Those that come before the other rules of English, which `language` gives."""
    alone = r"(?![\w-]|[.,]\d)"
    released = "|".join(f"(?<={name} )" for name in _SOFTWARE)
    return (
        Rule("explained", re.compile(r"N/A(?=\W{1,4}(?:means |stands for |is )?not a)", re.I), lambda _: "N A"),
        Rule(
            "version", re.compile(rf"(?:{released})(\d{{1,4}})\.([1-9]\d)(?!\w|[.,]\d|%)"),
            lambda m: f"{cardinal('en', int(m[1]))} point {cardinal('en', int(m[2]))}",
        ),
        Rule(
            "loss", re.compile(rf"(?<![\w.])([$€£])\(({numbers.NUMBER})\)(?: ?(thousand|million|billion|trillion|{'|'.join(LARGE)})(?!\w))?(?:/([a-z]+))?"),
            lambda m: _loss(m, language()),
        ),
        Rule("zip", re.compile(rf"(?<![\w.])([A-Z]{{2}}),? (\d{{5}})(?:-(\d{{4}}))?{alone}"), lambda m: _zip(m, language())),
        Rule("listed", re.compile(rf"{_LISTED}\d{{4,}}{alone}"), lambda m: language().digits(m[0])),
        Rule(
            "telephone", re.compile(rf"(?<![\w.,$£€+-])(?<!\d )\d{{3}} \d{{3}} \d{{4}}{alone}"),
            lambda m: addresses.telephone(m[0], language()),
        ),
        Rule("millions", re.compile(r"(?<![\w.,$£€+-])(\d+(?:\.\d+)?)m(?!\w)"), lambda m: _millions(m, language())),
        Rule("part", re.compile(rf"(?<![\w.])({'|'.join(_PARTS)})\. (?=\d)", re.I), lambda m: _PARTS[m[1].lower()]),
        romance.parts({"vol": "volume", "ch": "chapter"}, lambda number: cardinal("en", number)),
        Rule("either", re.compile(rf"(?<![\w/])(?:{'|'.join(_EITHER)})(?![\w/])", re.I), _either),
        Rule("pronouns", re.compile(r"(?<![\w/])(he/him|she/her|they/them)(?:/(his|hers|theirs))?(?![\w/])", re.I),
             lambda m: m[0].replace("/", " ")),
        Rule("versions", re.compile(r"(?<=[^\W\d_] )(\d{1,3})/(\d{1,3})(?![\w/.,-]\d|\w)"), _versions),
    )  # fmt: skip


_PEOPLE = re.compile(
    r" (?:people|users|viewers|views|customers|jobs|homes|households|visitors|subscribers|downloads|workers|voters|copies)\b"
)


def _millions(match: re.Match[str], language: Language) -> str | None:
    """Population 67.3m, 5m people: no meters."""
    populated = re.search(r"\b[Pp]opulation(?: of| is| was|:)? $", match.string[: match.start()])
    if not populated and not _PEOPLE.match(match.string[match.end() :]):
        return None
    return f"{numbers.say(match[1], language)} million"


def _zip(match: re.Match[str], language: Language) -> str | None:
    """Springfield, IL 62704; but IN 25000 cases."""
    after = re.match(r" [a-z]", match.string[match.end() :])
    if match[1] not in _STATES or (after and not match[3]):
        return None
    return ", ".join(
        filter(None, (f"{match[1]} {language.digits(match[2])}", match[3] and language.digits(match[3])))
    )


def _loss(match: re.Match[str], language: Language) -> str | None:
    """$(3.4) million: less than nothing, as accounts have it."""
    said = numbers.say(match[2], language)
    scale = LARGE.get(match[3], match[3])
    each = f"per {match[4]}" if match[4] else ""
    return said and " ".join(filter(None, ("minus", said, scale, MONEY[match[1]].many, each)))


def _either(match: re.Match[str]) -> str:
    """The learner opens his/her book."""
    first, _, last = match[0].partition("/")
    return f"{'She' if first == 'S' else 'she' if first == 's' else first} or {last}"


def _versions(match: re.Match[str]) -> str | None:
    """Windows 10/11: one after the other, of something with a name."""
    first, last = int(match[1]), int(match[2])
    named = re.search(rf"(?<![\w.])(?:{_VERSIONED}) $", match.string[: match.start()])
    if not named or first + 1 != last or first < 4:
        return None
    return f"{cardinal('en', first)} or {cardinal('en', last)}"
