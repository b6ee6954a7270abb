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
    r"(?!\w|\.\d)(?:-(alpha|beta|rc|dev|pre|preview)\.?(\d{1,3})(?!\w)|-(?=[A-Za-z]))?"
)
_ROUTE = re.compile(r"(?<![\w.])(\d{1,3}(?:\.\d{1,3}){3})([:/])(\d{1,5})(?![\w.]*\w)")  # 10.0.0.1:80, /24
_HEX = "[0-9A-Fa-f]"
_SPELLED_OUT = re.compile(
    rf"(?<![\w:.-])(?:{_HEX}{{8}}(?:-{_HEX}{{4}}){{3}}-{_HEX}{{12}}|0[xX]{_HEX}+|#(?=[A-Fa-f]*\d){_HEX}{{6}}"
    rf"|(?:{_HEX}{{2}}[:-]){{5}}{_HEX}{{2}}|(?:{_HEX}{{0,4}}:){{2,7}}{_HEX}{{0,4}})(?![\w:-])"
)
_BANK = re.compile(
    r"(?<![\w.])(?:[A-Z]{2}\d\d ?[A-Z0-9]{4} ?(?=[A-Z]{0,3}\d)[A-Z0-9]{4}(?: ?[A-Z0-9]{4}){0,5}"
    r"(?: ?[A-Z0-9]{1,3})?|(?!(?:(?:19|20)\d\d ){3})\d{4}(?: \d{4}){3})(?![\w-])"
)
# config.yaml, user.save(), os.path; but "watching.see you" lacks a space.
_ENDINGS = (
    "ya?ml|json|py|ipynb|jsx?|tsx?|html?|s?css|md|txt|[ct]sv|pdf|xml|toml|ini|cfg|conf|sh|exe|log|sql|db|rs|rb|java|"
    "cpp|hpp|php|vue|zip|gz|mp[34]|wav|png|jpe?g|gif|svg|webp|srt|vtt|docx?|xlsx?|pptx?"
)
_DOTTED = re.compile(
    r"(?<![\w.@/-])(?:(?=[\w.]*_|\w*[a-z][A-Z]|(?:os|sys|np|pd|plt|tf|torch|math|json|self|console|document)\.)|"
    rf"(?=[\w-]+\.(?:\w+\.)*(?:{_ENDINGS})(?!\w))|(?=[\w.-]+\())"
    r"[A-Za-z_][\w-]*[a-z0-9_](?:\.[a-z][a-z0-9_]+)+(?![\w-]|\.\w)"
)
_FILE = re.compile(r"(?<![\w.:/<€£₽₴])(?:~|\.{1,2})?/(?:[\w.-]+/)+[\w.-]*\w")  # /etc/hosts
_LEADING = re.compile(r"(?<![^\s(`\"'«„“])\.(?=[A-Za-z]{2})")  # .NET, .gitignore
_FLAG = re.compile(r"(?<![^\s(`\"'])--(?=[a-z][\w-]*)")
_COMMAND = re.compile(
    r"(?:\b(?:run|use|pass|add|set|type|flags?|options?|git|docker|npm|pip|cargo|curl|avatarlab)\b[^.,;!?]*"
    r"|[`\"']) ?$",
    re.I,
)
_SHORT_WORDS = frozenset({"co", "at", "in", "no", "is", "it", "my", "go", "me", "us"})


def rules(language: Language) -> Iterable[Rule]:
    """Addresses, which may hold anything and so come first."""
    yield Rule("email", _EMAIL, lambda m: address(m[1], language))
    yield Rule("web", _WEB, lambda m: address((m[1] or m[2]).removesuffix("/"), language))
    yield Rule("route", _ROUTE, lambda m: _route(m, language))
    yield Rule("path", _FILE, lambda m: address(m[0], language))
    yield Rule("spelled", _SPELLED_OUT, lambda m: _spelled_out(m[0], language))
    yield Rule("bank", _BANK, lambda m: ", ".join(_one_by_one(group, language) for group in _fours(m[0])))


def codes(language: Language) -> Iterable[Rule]:
    """Telephone numbers and versions, which look like dates and amounts."""
    yield Rule("telephone", _PHONE, lambda m: telephone(m[0], language))
    yield Rule("version", _VERSION, lambda m: _version(m, language))
    yield Rule("dotted", _DOTTED, lambda m: address(m[0], language))
    yield Rule("dotted", _LEADING, lambda _: language.web["."])
    yield Rule("flag", _FLAG, lambda m: _flag(m, language))


def _flag(match: re.Match[str], language: Language) -> str | None:
    """--help; but a dash as typewriters have it, --and so on, stays one."""
    ended = re.match(r"[a-z]+(?:-[a-z]+)*(?:$|[=`\"'.,;:](?:$|\W|\w))", match.string[match.end() :])
    if not ended and not _COMMAND.search(match.string[: match.start()]):
        return None
    return f"{language.web['-']} {language.web['-']}"


def _route(match: re.Match[str], language: Language) -> str:
    """A numbered host and its port or the length of its net."""
    host = f" {language.web['.']} ".join(language.spoken(part) for part in match[1].split("."))
    after = language.digits(match[3]) if match[2] == ":" else language.number(int(match[3]))
    return f"{host} {language.web[match[2]]} {after}"


def _spelled_out(text: str, language: Language) -> str | None:
    """Hexadecimal identifiers, colours and addresses, one by one; 10:30:45 is a time."""
    if ":" in text and "::" not in text and text.count(":") not in (5, 7):
        return None
    groups = re.split("(-|:|#)", text)
    said = ("," if part == "-" else language.web.get(part) or _one_by_one(part, language) for part in groups)
    return " ".join(" ".join(filter(None, said)).split()).replace(" ,", ",")


def _one_by_one(text: str, language: Language) -> str:
    return " ".join(language.digits(char) if char.isdecimal() else char.upper() for char in text)


def _fours(text: str) -> list[str]:
    return re.findall(".{1,4}", text.replace(" ", ""))


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
    said = f"{language.version} {said}" if match[1] and not told else said
    if not match[3]:
        return said
    stage = match[3].upper() if _spelled(match[3]) else match[3]
    return f"{said} {' '.join(stage) if stage.isupper() else stage} {language.spoken(match[4])}"


def spans(text: str) -> list[tuple[int, int]]:
    """Where web and e-mail addresses begin and end in a text; no part of one is a word of its own."""
    return [match.span() for pattern in (_EMAIL, _WEB) for match in pattern.finditer(text)]
