"""BCP 47 tags of languages, as people write them: the one place that reads them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

# Of languages that scripts are in, or are told to be in, the names and the codes of ISO 639-2 and -3.
NAMES = {
    "ar": "Arabic", "bg": "Bulgarian", "bn": "Bengali", "ca": "Catalan", "cs": "Czech", "da": "Danish",
    "de": "German", "el": "Greek", "en": "English", "es": "Spanish", "fa": "Persian", "fi": "Finnish",
    "fr": "French", "he": "Hebrew", "hi": "Hindi", "hu": "Hungarian", "id": "Indonesian", "it": "Italian",
    "ja": "Japanese", "ko": "Korean", "nl": "Dutch", "no": "Norwegian", "pl": "Polish", "pt": "Portuguese",
    "ro": "Romanian", "ru": "Russian", "sv": "Swedish", "th": "Thai", "tr": "Turkish", "uk": "Ukrainian",
    "vi": "Vietnamese", "zh": "Chinese",
}  # fmt: skip
_LONG = {
    "ara": "ar", "bul": "bg", "ben": "bn", "cat": "ca", "ces": "cs", "cze": "cs", "dan": "da", "deu": "de",
    "ger": "de", "ell": "el", "gre": "el", "eng": "en", "spa": "es", "fas": "fa", "per": "fa", "fin": "fi",
    "fra": "fr", "fre": "fr", "heb": "he", "hin": "hi", "hun": "hu", "ind": "id", "ita": "it", "jpn": "ja",
    "kor": "ko", "nld": "nl", "dut": "nl", "nor": "no", "pol": "pl", "por": "pt", "ron": "ro", "rum": "ro",
    "rus": "ru", "swe": "sv", "tha": "th", "tur": "tr", "ukr": "uk", "vie": "vi", "zho": "zh", "chi": "zh",
    "cmn": "zh",
}  # fmt: skip
_OWN = {
    "deutsch": "de", "español": "es", "espanol": "es", "castellano": "es", "français": "fr", "francais": "fr",
    "italiano": "it", "português": "pt", "portugues": "pt", "русский": "ru", "українська": "uk",
    "日本語": "ja", "中文": "zh", "mandarin": "zh", "हिन्दी": "hi",
}  # fmt: skip
# Countries' codes that are written for the languages spoken there.
_COUNTRIES = {
    "jp": "ja", "cn": "zh", "tw": "zh", "ua": "uk", "us": "en", "gb": "en", "at": "de", "ch": "de",
    "br": "pt", "mx": "es",
}  # fmt: skip
# Script and country that say no more than the language.
_HOME = {
    "de": "Latn DE", "es": "Latn ES", "fr": "Latn FR", "hi": "Deva IN", "it": "Latn IT", "ja": "Jpan JP",
    "ru": "Cyrl RU", "uk": "Cyrl UA", "zh": "Hans CN",
}  # fmt: skip
_APART = ("en",)  # whose countries are spoken and read each in their own way: none stands for another
# Subtags that say how a text is spelled or sorted may follow; they change nothing here.
_MORE = r"(?:-(?:[a-z0-9]{5,8}|\d[a-z0-9]{3}))*(?:-[a-wyz0-9](?:-[a-z0-9]{2,8})+)*(?:-x(?:-[a-z0-9]{1,8})+)?"
_TAG = re.compile(rf"([a-z]{{2,3}})(-[a-z]{{4}})?(-(?:[a-z]{{2}}|\d{{3}}))?{_MORE}", re.I)
LONGEST = 35  # characters of a tag
PATTERN = r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]{1,8})*$"  # for forms: whatever may be one; `normal` says what is


def normal(tag: str) -> str:
    """A tag as it is usually written, for its case says nothing; "" for what is none.

    A code of three letters becomes that of two which means the same; what is said of spelling is left out.

    >>> normal("EN-us"), normal("es-419"), normal("zh_hant_TW"), normal("deu"), normal("Spanish")
    ('en-US', 'es-419', 'zh-Hant-TW', 'de', '')
    """
    found = _TAG.fullmatch(tag.strip().replace("_", "-")) if len(tag) <= LONGEST else None
    if not found:
        return ""
    language, script, region = found.groups(default="")
    return _LONG.get(language.lower(), language.lower()) + script.title() + region.upper()


def primary(tag: str) -> str:
    """The language of a tag, whatever its script or country."""
    return normal(tag).partition("-")[0]


def spoken(asked: str, there: Sequence[str]) -> tuple[str, ...]:
    """Which of the languages that are there may be meant by a tag, the likeliest first; none: ().

    The tag itself, else what it is a part of or has as parts; of another country or script the only one that
    there is: es-419 is spoken as es, pt-PT as pt-BR, but en-AU not as en-US.

    >>> spoken("en", ("en-US", "en-GB")), spoken("pt-PT", ("es", "pt-BR")), spoken("en-AU", ("en-US",))
    (('en-US', 'en-GB'), ('pt-BR',), ())
    """
    tag = normal(asked) or asked
    if tag in there:
        return (tag,)
    language = tag.partition("-")[0]
    same = tuple(one for one in there if one.partition("-")[0] == language)
    if tag == language or language in same:
        return same if tag == language else (language,)
    return same if len(same) == 1 and language not in _APART else ()


def instead(asked: str, used: str) -> str:
    """A note where another country's or script's language is spoken than was asked for; "" where not.

    >>> instead("es-419", "es"), instead("es-ES", "es"), instead("pt", "pt-BR")
    ('language: es-419 is spoken as es', '', '')
    """
    tag = normal(asked) or asked
    language, *parts = tag.split("-")
    same = tag == used or (language == primary(used) and set(parts) <= set(_HOME.get(used, "").split()))
    return "" if same else f"language: {tag} is spoken as {used}"


def covers(wider: str, language: str) -> bool:
    """Whether a language is one of those that a tag names (RFC 4647, section 3.3.1), as a consent does.

    >>> covers("en", "en-US"), covers("de-DE", "de"), covers("es-419", "es"), covers("en-GB", "en-US")
    (True, True, False, False)
    """
    tag = normal(wider) or wider
    return f"{language}-".startswith(f"{tag}-") or (primary(tag) == language and not instead(tag, language))


def near(written: str, there: Iterable[str] = NAMES) -> list[str]:
    """Tags that may be meant by one that is none, or is not there.

    >>> near("Spanish"), near("jp"), near("en-AU", ["de", "en-GB", "en-US"])
    (['es'], ['ja'], ['en-GB', 'en-US'])
    """
    word = re.split(r"[\s_-]", written.strip().lower(), maxsplit=1)[0]
    named = {name.lower(): tag for tag, name in NAMES.items()} | _OWN
    close = get_close_matches(word, named, n=1, cutoff=0.8) if len(word) > 3 else []
    meant = next((named[one] for one in close), "") or _LONG.get(word) or _COUNTRIES.get(word) or word
    return sorted(one for one in there if one.partition("-")[0] == meant)
