"""Hindi: its voice reads words and figures by itself, and leaves out signs beside them: their words."""

# ruff: noqa: RUF001  (typographic characters)

from __future__ import annotations

import re
import unicodedata

_MONEY = {"₹": "रुपये", "$": "डॉलर", "€": "यूरो", "£": "पाउंड", "¥": "येन"}
_WORDS = _MONEY | {
    "%": "प्रतिशत", "‰": "प्रति हज़ार", "&": "और", "@": "ऐट", "#": "हैश", "+": "प्लस", "\u2212": "माइनस",
    "±": "प्लस माइनस", "=": "बराबर", "×": "गुणा", "÷": "भाग", "°": "डिग्री", "℃": "डिग्री सेल्सियस",
    "℉": "डिग्री फ़ारेनहाइट", "§": "धारा", "©": "कॉपीराइट", "®": "रजिस्टर्ड", "™": "ट्रेडमार्क",
}  # fmt: skip
_DEGREES = {"C": _WORDS["℃"], "F": _WORDS["℉"]}
_NUMBER = r"\d+(?:[.,]\d+)*"
_LETTER = r"\w\u0900-\u0963"  # vowel signs are no letters to a pattern
_SCALE = "सौ|हज\u093c?ार|लाख|करोड\u093c?|अरब|खरब|मिलियन|बिलियन|ट्रिलियन"
_SIGNS = re.compile(
    rf"(?:\bUS)?(?P<money>[{''.join(_MONEY)}])\s?(?P<amount>{_NUMBER}(?:[-–]{_NUMBER})?"
    rf"(?:\s?(?:{_SCALE})(?![{_LETTER}]))?)"
    rf"|°\s?(?P<degrees>[CF])(?![{_LETTER}])"
    r"|(?<![^\s(=])(?<!\d\s)(?P<minus>-)(?=[₹$€£¥]?\d)"  # none in a label (नाम:-5) and a range (5 -10)
    r"|(?P<always>(?<![\w.,×])24×7(?![\d×=]|[.,]\d| [×=]))"
    r"|(?P<sharp>(?<=\b[A-G])#(?![A-Za-z]))|(?P<count>#(?=\d))"
    r"|[^\w\s]"
)
_SAID = {"minus": _WORDS["\u2212"], "always": "24 7", "sharp": "शार्प", "count": "नंबर"}
_QUOTES = "`´"


def said(text: str) -> tuple[str, list[int]]:
    """The text with words for its signs, and the places of those that have none and are left out.

    >>> said("₹500 पर 20% छूट")
    ('500 रुपये पर 20 प्रतिशत छूट', [])
    """
    found, mute, at = list[str](), list[int](), 0
    for match in _SIGNS.finditer(text):
        words = _words(match)
        if words is None:
            continue
        if not words:
            mute.append(match.start())
        found += [text[at : match.start()], _apart(words, match)]
        at = match.end()
    return "".join([*found, text[at:]]), mute


def _words(match: re.Match[str]) -> str | None:
    """Words for a sign and what belongs to it, "" where it has none; None for what is no sign."""
    if amount := match["amount"]:
        return f"{amount} {'रुपया' if (match['money'], amount) == ('₹', '1') else _MONEY[match['money']]}"
    if match["degrees"]:
        return _DEGREES[match["degrees"]]
    sign = match[0]
    if match.lastgroup in _SAID:
        return _SAID[match.lastgroup]
    told = unicodedata.category(sign)[0] == "S" and sign not in _QUOTES
    return _WORDS.get(sign, "" if told else None)


def _apart(words: str, match: re.Match[str]) -> str:
    """The words with spaces where they stand at others; a space alone for none."""
    before, after = match.string[: match.start()][-1:], match.string[match.end() :][:1]
    first = " " * (before not in "([{\"'“‘" and not before.isspace())
    return f"{first}{words}{' ' * after.isalnum()}" if words else " "
