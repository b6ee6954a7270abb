"""Words cut short by a full stop that ends no sentence, by language."""

# ruff: noqa: RUF001, RUF003  (Cyrillic letters, typographic characters)

from __future__ import annotations

import functools
import re

from avatarlab_ops.reading import known
from avatarlab_ops.reading.french import FRENCH
from avatarlab_ops.reading.german import NUMBERED_BEFORE, RANKED, STARTERS
from avatarlab_ops.reading.going_on import counts
from avatarlab_ops.reading.going_on import goes_on as _goes_on
from avatarlab_ops.reading.italian import ITALIAN
from avatarlab_ops.reading.portuguese import PORTUGUESE
from avatarlab_ops.reading.romance import WORDY_DAYS
from avatarlab_ops.reading.slavic import RICE
from avatarlab_ops.reading.spanish import SPANISH


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# A name, a number or an example follows; of every language.
_NEVER_LAST = _words(
    "mr mrs ms mx dr prof st mt ft gen gov sen rep capt lt col sgt cmdr rev hon pres messrs mme "
    "e.g i.e cf vs ca approx viz "
    "bzw vgl ggf evtl inkl nr str abb ул стр тел вул ім див стор "
    "sr sra srta sres srs dra profa ud uds ej pág págs núm sig sig.ra dott dott.ssa avv pag tél"
)
_NEVER_LAST_IN = {
    "en": _words("asst assoc dist supt"),
    "de": _words(
        "zzgl ggü ziff nrn hr med phil ü mind zzt art.-nr bzgl einschl ausschl lt gem hd sog ehem "
        "geb insb insg lfd dipl.-ing fa fam"
    ),
    "fr": _words("av boul mgr ste"),
    "es": _words(
        "dña avda apdo av ing lic arq gral ctra sto sta excmo excma ilmo ilma mtro mtra pbro hnos p.ej"
    ),
    "it": _words(
        "pagg ing arch geom rag spett egr gent gent.mo gent.ma ill.mo sig.na sigg proff mons d.lgs d.p.r d.m"
    ),
    "pt": _words("av séc eng arq exmo exma ilmo ilma des dep rod profª drª p.ex"),
    "ru": _words("напр вкл искл проф акад доц инж абз"),
    "uk": _words("напр вкл проф акад доц інж абз"),
    "hi": _words("डॉ प्रो श्री सुश्री पं कु मो एड इंजी"),
}
# Only before a number: no. 5, Jan. 3, chap. 2.
_BEFORE_NUMBER = _words(
    "no nos p pp vol fig figs ch sec art eq jan feb apr jun jul aug sep sept oct nov dec tel"
)
_BEFORE_NUMBER_IN = {
    "en": _words("mar ext op rev est apt ref exp acct sect para ste rm bldg qty pt sched avg ed"),
    "de": _words(
        "mar abs abschn anh anl tab kap bd s tel max gr erm u okt dez tägl wöchentl mtl temp vers aufl anm "
        "pos zi bsp jg bl"
    ),
    "fr": _words(
        "réf max janv févr avr juil déc al n chap env lun ven dim trim apt bât esc sect éd vers ann pp"
    ),
    "es": _words(
        "aprox pto pte párr inc tít ref cód exp dpto depto tfno tlf teléf cel lib ed temp máx mín "
        "ext cap ene abr may ago dic s lun mié jue vie sáb"
    ),
    "it": _words(
        "c par co reg dir all es tab sez lett circ ord sent nn ca int rif tot max cap gen mag giu "
        "lug ott dic n lun gio ven sab"
    ),
    "pt": _words(
        "aprox apto inc ap ed edif bl qd cel res temp cód ext máx mín ref cap fev abr ago qua qui sáb"
    ),
    "ru": _words(
        "пп янв февр фев апр авг сент сен окт нояб ноя дек д с гл кв ст п разд каб табл прим макс "
        "доб ок таб корп оф эт под пом ком вып изд ред прибл илл"
    ),
    "uk": _words(
        "січ лют бер квіт кві трав черв чер серп вер жовт жов с гл кв буд ст п розд каб табл прим "
        "макс дод прибл таб корп оф пов під вип вид ред іл"
    ),
}
# Read in full, but a number after one begins the next sentence: "paper, etc. 5 boxes came".
_CLOSING = re.compile(r"(?:^|[\s(–—-])(?:(?i:etc|ecc|usw|usf|др|ін)|[uU]\. [aä]|[тТ]\. [дп]|EE\. ?UU)\.$")
_CLOSING_IN = {
    "en": re.compile(r"(?:^|[\s(–—-])(?:inc|ltd|corp|co|bros|ave|blvd|rd|jr|the (?:max|min))\.$", re.I)
}
_ROMANCE = {"es": SPANISH, "fr": FRENCH, "it": ITALIAN, "pt": PORTUGUESE}
_NAMED_MONTH = "|".join(
    rf"{month}\b|{month[:3]}\w{{0,2}}\.|{month[:3]} \d{{4}}"
    for one in _ROMANCE.values()
    for month in one.months
)
_WEEKDAYS_DATE = re.compile(rf"\d{{1,2}}(?:(?: de)? (?:{_NAMED_MONTH})|[:h/]\d| ?h\b)", re.I)
_DAY_MONTH = re.compile(r"(?<!\d)\d{1,2} (?:de )?[^\W\d_]{3,4}\.$")  # 5 mar. 2026
# A German word of these ends a sentence only before one that begins sentences: 3 Mio. Das ist viel.
_RARELY_LAST = _words("mio mrd tsd jh ff f co fr")
# A town, river, street cut short before its name: "в г. Москве"; "в 2024 г. Мы" and "5 м. Далі" are units.
_PLACES = {
    "ru": _words("г р о с д пос пр пл пер наб обл см"),
    "uk": _words("м р о с смт пл пр пров обл"),
}
_MONTHS = "Januar|Februar|März|April|Mai|Juni|Juli|August|September|Oktober|November|Dezember"
# "am 3. März", "der 2. Teil", "mein 1. Tag".
_GERMAN_ORDINAL = re.compile(
    r"(?:^|\s)(?:am|vom|zum|im|beim|dem|den|des|zur|der|die|das|(?:m|d|s|k)?ein(?:e[mnrs]?)?|ihr(?:e[mnrs]?)?|"
    r"uns(?:er(?:e[mnrs]?)?)|jede[mnrs]?|diese[mnrs]?) \d{1,2}\.$",
    re.I,
)
_ELIDED = re.compile(r"^[^\W\d_]{1,6}['’](?=[^\W\d_])")
_NUMBER = re.compile(r"(?:[#№§$€£¥~+\u2212-] ?)?\d|(?:[IVX]{2,}(?![\w'’])|[VX](?![\w'’.]))")
_DOUBLED = re.compile(r"(?:^|\s)([A-Z])\1\.$")  # EE. UU., RR. HH.


def never_last(word: str, language: str) -> bool:
    """Whether `word`, without its full stop, never ends a sentence; `language` is de, fr, ..."""
    return word.lower() in _NEVER_LAST or word.lower() in _NEVER_LAST_IN.get(language, ())


def closes(before: str, language: str) -> bool:
    """Whether the abbreviation at the end of `before` ends its sentence where a number follows."""
    own = _CLOSING_IN.get(language)
    return _CLOSING.search(before[-20:]) is not None or (
        own is not None and own.search(before[-20:]) is not None
    )


def before_number(before: str, word: str, language: str) -> bool:
    """Whether the full stop after `before`, whose last word is `word`, ends none before a number."""
    if closes(before, language):
        return False
    if word == "sec" and counts(before, word):
        return False
    listed = _BEFORE_NUMBER | _BEFORE_NUMBER_IN.get(language, frozenset())
    if word.lower() in listed or (language == "de" and word.endswith(("str", "Str"))):
        return True
    if counts(before, word):  # 5 min. are minutes
        return False
    *_, third, second, _ = ["", "", *before[-60:].split(" ")]
    tails = (f"{word}.", f"{second} {word}.", f"{third} {second} {word}.")
    return any(tail in read(language) or f"{tail[0].lower()}{tail[1:]}" in read(language) for tail in tails)


@functools.cache
def read(language: str) -> frozenset[str]:
    """The abbreviations with a full stop that are read aloud in full in a language, as written."""
    spoken = known(language)
    return frozenset().union(*(rule.short for rule in spoken.own)) if spoken else frozenset()


def bare(word: str, language: str) -> str:
    """A word without the article before it: l'art, dell'art."""
    return _ELIDED.sub("", word) if language in ("fr", "it") else word


def numbers(following: str) -> bool:
    """Whether a number follows, with a sign before it or none, or a Roman one that is no word or initial."""
    return _NUMBER.match(following) is not None


def goes_on(before: str, word: str, following: str, language: str) -> bool:
    """Whether the full stop after `before` is an abbreviation's or ordinal's of this language."""
    if _goes_on(before, word, following, language):
        return True
    if language == "de":
        return _german_goes_on(before, word, following)
    if language in _ROMANCE or language == "en":
        return _western_goes_on(before, word, following, language)
    if language == "uk" and _year_follows(before, following):
        return True
    if word.lower() == "рис":  # рис. 5; but rice
        return re.match(rf"\d+(?!\d| ?(?:{RICE}))", following) is not None
    closed = closes(before, language) and numbers(following)  # и т. д. 5 человек
    return not closed and word.lower() in _PLACES.get(language, ()) and not re.search(r"\d\s*\w+\.$", before)


def _western_goes_on(before: str, word: str, following: str, language: str) -> bool:
    if language == "en":  # 5 lbs. 3 oz., c. 1500
        if word == "c":
            return re.match(r"\d{3,4}\b", following) is not None
        return word.lower() in ("lb", "lbs") and re.match(r"\d+ ?oz\b", following) is not None
    if _year_follows(before, following) or (language == "fr" and word in ("MM", "bd")):
        return True
    if word.lower() in WORDY_DAYS:
        return _WEEKDAYS_DATE.match(following) is not None
    if language == "es" and _DOUBLED.search(before):
        return re.match(r"([A-Z])\1\.", following) is not None
    return language == "es" and word in ("s", "S") and re.match(r"[IVX]+\b", following) is not None  # s. XIX


def _year_follows(before: str, following: str) -> bool:
    """Whether it is a day and a month before a year."""
    return bool(_DAY_MONTH.search(before) and re.match(r"\d{4}\b", following))


def _german_goes_on(before: str, word: str, following: str) -> bool:
    """Hr. before a name, and an ordinal before what it counts: am 3. März, but not: am 3. Wir kommen."""
    starts = re.match(rf"(?:{STARTERS})\b", following) is not None
    if word.lower() in _RARELY_LAST:
        return not starts
    number = re.search(r"(?<![\w.,])(?:\d{1,2}|[IVX]+)\.$", before)
    if number and re.match(rf"(?:{RANKED})\b", following):
        return not NUMBERED_BEFORE.search(before[: number.start()])
    if number and re.match(rf"(?:{_MONTHS})\b", following):
        return True
    return _GERMAN_ORDINAL.search(before) is not None and not starts
