"""Markdown, HTML and SSML in a plain script: what only formats is left out, and told."""

# ruff: noqa: RUF001  (full-width punctuation)

from __future__ import annotations

import html
import re
from collections.abc import Callable

from avatarlab_ops.reading.unspaced import HAN, KANA

# Private, so in no script: where a line begins that stands by itself, and one that nothing follows, either.
_ITEM, _HEADING = "\ue003", "\ue004"
BULLET = "\u2043"  # begins an item like the others, and was told by who put it there
_BULLETS = f"*+•▪◦‣●○■□►➤✓✗{BULLET}-"

_TAG = r"</?[A-Za-z][A-Za-z0-9:-]*(?:\s[^<>]*)?/?>"
_BREAKING = re.compile(r"</?(?:br|p|div|li|ul|ol|tr|table|h[1-6]|section|blockquote)\b[^<>]*>", re.I)
_BEFORE, _AFTER = rf"(?:(?<=[{HAN}{KANA}])|(?<![\w*_~]))", rf"(?:(?=[{HAN}{KANA}])|(?![\w*_~]))"
_EMPHASIS = rf"{_BEFORE}(\*\*\*|\*\*|\*|___|__|_|~~|`+)(?=\S)([^\n]*?\S)\1{_AFTER}"

# What is left out, in this order, and what stays in its place.
_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"<!--.*?-->|<(script|style)\b.*?</\1\s*>", re.S | re.I), ""),
    (_BREAKING, f"\n{_ITEM}"),
    (re.compile(_TAG), ""),
    (re.compile(r"<((?:https?://|mailto:)[^\s<>]+|[^\s<>@]+@[^\s<>@]+\.[^\s<>@]+)>"), r"\1"),
    (re.compile(r"\[\^[^\]\s]+\]:?"), ""),
    (re.compile(r"^ {0,3}(?:```|~~~)[^\n]*$", re.M), ""),
    (re.compile(r"^ {0,3}(?:[-*_][ \t]*){3,}$", re.M), "\n"),
    (re.compile(r"^[ \t]*\|?(?:[ \t]*:?-{2,}:?[ \t]*\|)+[ \t]*(?::?-{2,}:?)?[ \t]*$", re.M), ""),
    (re.compile(r"^ {0,3}>[ \t]?", re.M), ""),
    (re.compile(r"^ {0,3}#{1,6}[ \t]+", re.M), _HEADING),
    # A parenthesis between dashes, wrapped by an editor: no item.
    (re.compile(r"(?<=[^\W\d_])[ \t]*\n[ \t]*(?=- [a-zß-öø-ÿа-яёіїєґ][^\n]* -[ \t]*$)", re.M), " "),
    (re.compile(rf"^[ \t]*[{_BULLETS}][ \t]+(?:\[[ xX]\][ \t]+)?", re.M), _ITEM),
    (re.compile(r"!?\[([^\]\n]+)\]\([^)\n]*\)"), r"\1"),
)
_NUMBERED = re.compile(r"(?:[^\W\d_]|[ivx]{1,4})\)")  # a) first; of any script
_ENTITY = re.compile(r"&(?:#\d+|#x[0-9a-fA-F]+|[A-Za-z]+\d*);")


def plain(text: str, warnings: list[str]) -> str:
    """`text` without markup; what was left out is added to `warnings`.

    >>> plain("## **Hello** <b>world</b>", [])
    'Hello world'
    """
    left: dict[str, None] = {}
    for pattern, kept in _RULES:
        text = pattern.sub(_leaving(left, kept), text)
    text = re.sub(_EMPHASIS, _leaving(left, r"\2"), text)
    text = re.sub(_EMPHASIS, _leaving(left, r"\2"), text)  # **bold _and_ more**
    text = re.sub(r"^[ \t]*\|(.+)\|[ \t]*$", lambda m: _ITEM + m[1].replace("|", ", "), text, flags=re.M)
    text = re.sub(r"^(?=.*\S\t).*$", _row, text, flags=re.M)
    text = re.sub(f"[{_ITEM}{_HEADING}]", "", unwrapped(text))
    text = _ENTITY.sub(lambda m: html.unescape(m[0]), text)
    if left:
        warnings.append(f"markup is not spoken and was left out: {' '.join(list(left)[:10])}")
    return text


def _row(line: re.Match[str]) -> str:
    """Cells of a pasted table, apart by commas for tabs; a tab after a mark of a pause is a space."""
    cells = re.sub(rf"(?<=[{HAN}{KANA}])\t+(?=\w)|(?<=\w)\t+(?=[{HAN}{KANA}])", "，", line[0])
    cells = re.sub(r"(?<=[^\s.,;:!?)…，。：；、）]) *\t\s*(?=\S)", ", ", cells)
    if cells.split() == line[0].split():
        return line[0]
    return f"{_HEADING}{cells}" if _of_table(line) else cells


def _of_table(line: re.Match[str]) -> bool:
    """Whether a line with a tab has two or one above or below with one: by itself it may be running text."""
    text, start, end = line.string, line.start(), line.end()
    above, below = (
        text[text.rfind("\n", 0, max(0, start - 1)) + 1 : start],
        text[end + 1 :].partition("\n")[0],
    )
    return len(re.findall(r"\S\t", line[0])) > 1 or "\t" in above.strip() or "\t" in below.strip()


def unwrapped(text: str) -> str:
    """Lines as they were before an editor wrapped them: one that goes on in lower case belongs to the last.

    >>> unwrapped("A line that an editor\\nwrapped here\\nEnd")
    'A line that an editor wrapped here\\nEnd'
    """
    lines: list[str] = []
    for line in text.split("\n"):
        begins = line.lstrip(" \t")
        if lines and lines[-1].strip() and lines[-1][0] != _HEADING and _goes_on(begins):
            lines[-1] = f"{lines[-1].rstrip()} {begins}"
        else:
            lines.append(line)
    return "\n".join(lines)


def _goes_on(line: str) -> bool:
    """Whether a line begins with a letter of lower case; one of letters without cases is no such letter."""
    return line[:1].isalpha() and line[0] != line[0].title() and not _NUMBERED.match(line)


def _leaving(left: dict[str, None], kept: str) -> Callable[[re.Match[str]], str]:
    def leave(match: re.Match[str]) -> str:
        stays = match.expand(kept) if "\\" in kept else kept
        gone = match[0].replace(stays, " … ") if stays.strip() else match[0]
        if gone.strip(f" \t\n{BULLET}"):
            left[" ".join(gone.split())[:40]] = None
        return stays

    return leave
