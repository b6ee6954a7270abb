"""BCP 47 tags of languages, as people write them."""

from __future__ import annotations

import re

_TAG = re.compile(r"([a-z]{2,3})(-[a-z]{4})?(-(?:[a-z]{2}|\d{3}))?", re.I)


def normal(tag: str) -> str:
    """A tag with the letters that are usual, for their case says nothing; "" for what is none.

    >>> normal("EN-us"), normal("es-419"), normal("ZH-hant-tw"), normal("Spanish")
    ('en-US', 'es-419', 'zh-Hant-TW', '')
    """
    found = _TAG.fullmatch(tag)
    if not found:
        return ""
    language, script, region = found.groups(default="")
    return language.lower() + script.title() + region.upper()
