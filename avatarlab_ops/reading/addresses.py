"""Web and e-mail addresses, file names, telephone numbers, versions: what is read part by part."""

from __future__ import annotations

import re
from collections.abc import Iterable

from avatarlab_ops.reading import numbers
from avatarlab_ops.reading.language import Language, Rule

_SUFFIXES = (
    "com|org|net|edu|gov|mil|int|info|biz|dev|app|io|ai|eu|uk|us|ca|au|nz|de|at|ch|fr|es|it|pt|br|mx|nl|be|se|no|dk|fi|"
    "pl|jp|cn|in|pdf|txt|csv|json|xml|html|md|docx|xlsx|pptx|zip|png|jpg|jpeg|svg|mp3|mp4|wav|mov|webm|py|js|ts|exe"
)
_HOST = rf"(?:[A-Za-z0-9_-]+\.)+(?:{_SUFFIXES})(?::\d+)?(?![\w.]*[A-Za-z0-9])"
_PATH = r"(?:[/?#][^\s<>\"”)\]]*[\w/=])?"
_EMAIL = re.compile(r"(?<![\w.])(?:mailto:)?([\w.+%-]+@(?:[\w-]+\.)+[A-Za-z]{2,})")
_WEB = re.compile(
    rf"(?<![\w@])(?:[a-z][a-z0-9+]*://([^\s<>\"”)\]]*[\w/])|(www\.[^\s<>\"”)\]]*[\w/]|{_HOST}{_PATH}))"
)
_PHONE = re.compile(
    r"(?<![\w.])(?:\+\d[\d ().\u00a0-]{6,}\d|\(\d{3}\) ?\d{3}[-. ]\d{4}|(?:1[-. ])?\d{3}([-.])\d{3}\1\d{4}"
    r"|\d{3}-\d{4}|0\d(?: \d\d){4}|\d+(?:-\d+){2,})(?![\w]|[-.,]\d)"
)
_VERSION = re.compile(
    r"(?<![\w.])([vV](?:ersion )?)?(\d+(?:\.\d+){2,}|(?<=[vV])\d+(?:\.\d+)+|(?<=v)\d+)"  # V8 is an engine
    r"(?!\w|\.\d)(?:-(?=[A-Za-z]))?"
)
_SHORT_WORDS = frozenset({"co", "at", "in", "no", "is", "it", "my", "go", "me", "us"})


def rules(language: Language) -> Iterable[Rule]:
    """Addresses, which may hold anything and so come first."""
    yield Rule("email", _EMAIL, lambda m: address(m[1], language))
    yield Rule("web", _WEB, lambda m: address((m[1] or m[2]).removesuffix("/"), language))


def codes(language: Language) -> Iterable[Rule]:
    """Telephone numbers and versions, which look like dates and amounts."""
    yield Rule("telephone", _PHONE, lambda m: telephone(m[0], language))
    yield Rule("version", _VERSION, lambda m: _version(m, language))


def address(text: str, language: Language) -> str:
    """An address part by part: "a.b@c.uk" is "a dot b at c dot U K"."""
    said = []
    for part in re.findall(r"\d+|[^\W\d_]+|.", text):
        if part.isdecimal():
            short = len(part) <= 2 and part[0] != "0"
            said.append(language.number(int(part)) if short else language.digits(part))
        elif part.isalpha():
            said.append(" ".join(part.upper()) if _spelled(part) else part)
        else:
            said.append(language.web.get(part, part))
    return " ".join(said)


def _spelled(part: str) -> bool:
    """Whether it is no word: uk, html."""
    if len(part) == 2:
        return part.lower() not in _SHORT_WORDS
    return len(part) <= 4 and not re.search("[aeiouy]", part, re.I)


def telephone(text: str, language: Language) -> str:
    """A telephone number digit by digit, in its groups."""
    groups = [language.digits(group) for group in re.findall(r"\d+", text)]
    return " ".join(filter(None, (language.plus if text[0] == "+" else "", ", ".join(groups))))


def _version(match: re.Match[str], language: Language) -> str | None:
    if language.decimal == "," and numbers.split(match[2], ",") is not None and not match[1]:
        return None  # 2.500.000
    pointed = language.decimal == "." and match[2].count(".") != 3
    joint = f" {language.point if pointed else language.web['.']} "
    said = joint.join(language.spoken(part.lstrip("0") or "0") for part in match[2].split("."))
    told = match.string[: match.start()].rstrip().endswith(language.version)
    return f"{language.version} {said}" if match[1] and not told else said
