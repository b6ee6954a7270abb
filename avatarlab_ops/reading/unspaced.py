"""Chinese and Japanese text: set apart at the borders of figures and Latin letters, joined again."""

# ruff: noqa: RUF001  (full-width characters)

from __future__ import annotations

import re
from collections.abc import Callable

from avatarlab_ops.reading import numbers
from avatarlab_ops.reading.language import Language, Rule

HAN = "\u3005-\u3007\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
KANA = "\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9f"
_CLOSE = f"{HAN}{KANA}\u3000-\u3004\u3008-\u303f，。！？：；（）．～“”‘’…—"
_PARTED = re.compile(
    rf"(?<=[{HAN}{KANA}])(?=[^\W{HAN}{KANA}]|[+$€£¥₹₿°#@&\u2212-])|(?<=[^\W{HAN}{KANA}%°]|[℃℉㎡㎏㎞㎝㎜㎎㎥㎢])(?=[{HAN}{KANA}])"
)
_THAN = r"(?<![对對])比(?! ?\d+[:：]\d+ ?[早晚更还還迟遲先提])"  # compared with, earlier than 10:30: times
_PART = r"(\d{1,9}(?:\.\d+)?)"
_SHARES = re.compile(rf"((?:比分|比例|比率|スコア|{_THAN})[为為是はが：: ]*){_PART}[:：]{_PART}(?![\w:：])")
_PUNCTUATION = "，。！？：；（）．～、"
# Full-width letters, digits and signs, each to its narrow one.
_NARROW = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F) if chr(code) not in _PUNCTUATION}
_NARROW |= str.maketrans("￠￡￥￦", "¢£¥₩")
_WITHIN = re.compile(r"(?<=\d)[：，．](?=\d)|(?<=[\d%€¢£¥₩])～(?=[\d$€£¥₩])")
_BETWEEN = str.maketrans("：，．～", ":,.–")
# Marks within a number of wide figures: a comma is a pause elsewhere, a point ends the number of a heading.
# Three figures before the first comma are a number only with a group of 000: rooms may stand in a list.
_GROUPED = re.compile(
    "(?<![第０-９.,，．:：/-])[１-９](?:[０-９]?|[０-９]{2}(?=(?:，[０-９]{3})*?，０００))"
    "(?:，[０-９]{3})+(?![０-９]|[,，][０-９])"
)
# What a sentence that begins with a decimal measures; with a count its first number is a heading's.
_MEASURE = (
    "[倍%円元℃℉㎡㎏㎞㎝㎜㎎㎥㎢万萬億亿兆]|度(?!目)|[kcm]?m2?(?![a-z])|[km]?[gLl](?![A-Za-z])|[KMGT]B|キロ|メートル|センチ|ミリ|グラム|トン"
    "|リットル|パーセント|ポイント|ドル|ユーロ|ポンド|[公英]里|[公英]?斤|[千厘毫]?[米克]|公?[吨顿頓]|毫?升(?![级級])|[美欧歐日]元"
)
_DECIMAL = rf"\d+(?:[～~〜–-]\d+(?:[.．]\d+)?)?(?: ?(?:{_MEASURE})|[。！？\s]*$)"
_POINT = re.compile(rf"(^\s*(?:[1-9]\d?．)+)(?=\d)(?!{_DECIMAL})|(?<=\d)．(?=\d)(?!\d{{4}}年|\d{{1,2}}月)")


def narrowed(text: str) -> str:
    """The text of a language with spaces: full-width letters and signs, and marks between figures, narrow.

    Each character stays at its place.
    """
    return _WITHIN.sub(lambda mark: mark[0].translate(_BETWEEN), text.translate(_NARROW))


def parted(text: str) -> tuple[str, list[int]]:
    """The text with spaces at its borders and narrow letters; for each character where it was before."""
    narrow = _GROUPED.sub(lambda number: number[0].replace("，", ","), text).translate(_NARROW)
    narrow = re.sub(
        r"(?<=\d)：(?=\d\d(?!\d))", ":", _POINT.sub(lambda point: point[1] or ".", narrow)
    )  # a time
    edges = {match.start() for match in _PARTED.finditer(narrow)}
    found, places = [], list[int]()
    for at, char in enumerate(narrow):
        if at in edges:
            found.append(" ")
            places.append(at)
        found.append(char)
        places.append(at)
    return "".join(found), [*places, len(text)]


def joined(said: str) -> str:
    """The text without the spaces beside characters that take none."""
    return re.sub(rf"\s+(?=[{_CLOSE}])|(?<=[{_CLOSE}])\s+", "", said)


def shares(language: Callable[[], Language]) -> Rule:
    """A score or a scale, which is no time: 比分3:10, with a wide colon, too."""

    def say(match: re.Match[str]) -> str:
        spoken = language()
        return f"{match[1]}{numbers.say(match[2], spoken)}{spoken.ratio}{numbers.say(match[3], spoken)}"

    return Rule("ratio", _SHARES, say)
