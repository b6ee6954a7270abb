"""The subset of SSML 1.1 (https://www.w3.org/TR/speech-synthesis11/) that docs/voices.md lists.

Parsed by expat with every document type refused, so that no entity can be declared. What of a well-formed
document cannot be done is a warning with its line; only what is malformed is refused.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from xml.parsers import expat

from avatarlab_ops import language_tags
from avatarlab_ops.errors import ScriptRefused
from avatarlab_ops.fields import MAX_PAUSE_S
from avatarlab_ops.reading import say_as
from avatarlab_ops.reading.marked import PAUSE_CLAUSE_S, PAUSE_PARAGRAPH_S, PAUSE_SENTENCE_S, Piece, Run

MAX_DEPTH = 20
MAX_ALIAS_CHARS = 300  # of <sub>, as of a sentence: it is read whole
SLOWEST, FASTEST = 0.5, 2.0
_STRENGTHS = {
    "none": 0.0, "x-weak": 0.1, "weak": PAUSE_CLAUSE_S, "medium": PAUSE_SENTENCE_S,
    "strong": PAUSE_PARAGRAPH_S, "x-strong": 1.2,
}  # fmt: skip
_RATES = {"x-slow": 0.6, "slow": 0.8, "medium": 1.0, "default": 1.0, "fast": 1.25, "x-fast": 1.5}
_EMPHASES = {"strong": 0.8, "moderate": 0.9, "none": 1.0, "reduced": 1.15}  # speed of the words
_SENTENCE_END = re.compile(r"[.!?\u2026\u3002\uff01\uff1f\u0964]\W*$")  # with full-width signs and the danda
_CLOSING = re.compile(r"[^\w\s]+(?=\s|$)")  # belongs to the words before it
_BEFORE = re.compile(r"(?:\s|<!--.*?-->)*", re.S)
NAMESPACE = "http://www.w3.org/2001/10/synthesis"
_DOCUMENT = re.compile(r"<\?xml\b|<(?:[\w.-]+:)?speak\b")
_KNOWN = ("speak", "p", "s", "break", "sub", "say-as", "phoneme", "lang", "prosody", "emphasis")
_ATTRIBUTES = {  # that are done, or ask nothing
    "speak": ("version", "xmlns", "xml:base", "xsi:schemaLocation"), "break": ("time", "strength"),
    "sub": ("alias",), "say-as": ("interpret-as", "format"), "phoneme": ("ph", "alphabet"),
    "lang": ("xml:lang",), "emphasis": ("level",), "p": (), "s": (),
}  # fmt: skip
_SILENT = ("metadata", "desc")  # about the document, no words of it
_WORDS = ("sub", "say-as", "phoneme")  # elements around words, which hold no other element

Attributes = dict[str, str]


@dataclass(frozen=True)
class Abilities:
    """What a voice can do of phoneme, prosody and lang, and how IPA in a language becomes its own symbols.

    `sounds` raises ValueError for letters that are no sounds.
    """

    marks: Collection[str]
    sounds: Callable[[str, str], str]


def parse(
    text: str, language: str, voice: Abilities, warnings: list[str], *, place: str = "", begins: bool = True
) -> list[Run]:
    """The runs of an SSML document, or of a part of one without its `speak`.

    What `voice` cannot do is told in `warnings`. `place` goes before each line that is told; `begins`: no
    words were said before; else a break before the first word is a run without words, the first.
    Raises ScriptRefused with the line for what is malformed.
    """
    text = text.replace("\ufeff", "")  # a byte order mark
    whole = text if _DOCUMENT.match(text, _BEFORE.match(text).end()) else f"<speak>{text}</speak>"  # type: ignore[union-attr]
    reader = _Reader(language, voice, warnings, place, begins)
    try:
        reader.parser.Parse(whole.strip(), True)
    except expat.ExpatError as error:
        reason = expat.ErrorString(error.code)
        raise ScriptRefused(
            f"the script is not well-formed SSML: {place}line {error.lineno}: {reason}; correct it, or set "
            "script_format to plain (& and < are written &amp; and &lt;)"
        ) from error
    return reader.runs


@dataclass(frozen=True)
class _Way:
    """How the text of an element is spoken."""

    rate: float
    language: str


class _Reader:
    """Collects runs while expat reads."""

    def __init__(
        self, language: str, voice: Abilities, warnings: list[str], place: str, begins: bool
    ) -> None:
        self.runs: list[Run] = []
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self._language, self._voice, self._warnings = language, voice, warnings
        self._place, self._begins = place, begins
        self._prefixes: set[str] = set()  # of elements that mean ours
        self._ways = [_Way(1.0, "")]
        self._open: list[tuple[str, Attributes]] = []
        self._pieces: list[Piece] = []
        self._border = ""  # the element that is not done and began or ended just now
        self._inner: str | None = None  # text of the element around words that is open
        self._silent = 0  # how many elements are open from the outermost that is about the document on
        self._starts: dict[str, Callable[[Attributes], None]] = {
            "break": self._break, "prosody": self._prosody, "lang": self._lang,
            "p": self._block, "s": self._block, "emphasis": self._emphasis,
        }  # fmt: skip

    def _doctype(self, *_: object) -> None:
        raise self._refusal("a document type is not allowed; leave <!DOCTYPE ...> out")

    def _refusal(self, reason: str) -> ScriptRefused:
        return ScriptRefused(f"the script's SSML, {self._line()}: {reason}")

    def _warn(self, what: str) -> None:
        self._warnings.append(f"SSML, {self._line()}: {what}")

    def _line(self) -> str:
        return f"{self._place}line {self.parser.CurrentLineNumber}"

    def _local(self, name: str) -> str:
        """An element's name without a prefix that was declared for SSML."""
        prefix, _, local = name.rpartition(":")
        return local if prefix in self._prefixes else name

    def _check_place(self, name: str) -> None:
        """Raise ScriptRefused for an element that may not stand where it does."""
        if not self._open and name.endswith(":speak"):
            prefix = name.removesuffix(":speak")
            raise self._refusal(
                f'the prefix of <{name}> is not that of SSML; write xmlns:{prefix}="{NAMESPACE}" in it, or '
                "leave the prefix out"
            )
        if name == "speak" and self._open:
            raise self._refusal("<speak> stands inside another element; it is the outermost one")
        if not self._open and name != "speak":
            raise self._refusal(f"the outermost element is <{name}>; it must be <speak>")
        if self._inner is not None:
            raise self._refusal(f"<{self._open[-1][0]}> holds <{name}>; it may hold words only")
        if len(self._open) == MAX_DEPTH:
            raise self._refusal(f"elements are nested deeper than {MAX_DEPTH}; simplify them")

    def _start(self, name: str, given: Attributes) -> None:
        declared = (key.partition(":")[2] for key, value in given.items() if value == NAMESPACE)
        self._prefixes.update(filter(None, declared))
        name = self._local(name)
        self._check_place(name)
        self._open.append((name, given))
        self._ways.append(self._ways[-1])
        if self._silent or name in _SILENT:
            self._silent += 1
            return
        self._tell_undone(name, given)
        if name in _WORDS:
            self._inner = ""
        elif name in self._starts:
            self._starts[name](given)
        elif name not in _KNOWN:
            self._warn(f"<{name}> is not done; its words are spoken as they stand")
            self._border = name

    def _tell_undone(self, name: str, given: Attributes) -> None:
        """Notes for the attributes of a known element that change nothing; <prosody> tells its own."""
        for attribute in sorted(given.keys() - set(_ATTRIBUTES.get(name, given))):
            if attribute.startswith("xmlns:") or (attribute == "xml:lang" and self._own(given[attribute])):
                continue
            instead = (
                "; the script's language is set beside it, that of words by <lang>"
                if attribute == "xml:lang"
                else ""
            )
            self._warn(f"<{name} {attribute}={given[attribute][:40]!r}> is not done{instead}")

    def _own(self, language: str) -> bool:
        """Whether it is the script's own language, in whatever country."""
        return language_tags.primary(language) == language_tags.primary(self._language)

    def _end(self, _: str) -> None:
        name, given = self._open.pop()
        if self._silent:
            self._silent -= 1
            self._ways.pop()
            return
        left, self._inner = self._inner or "", None
        if name in _WORDS and not left.strip():
            self._warn(f"<{name}> holds no words, so nothing is said for it; write them inside")
        elif name in _WORDS:
            self._pieces.append(self._words(name, given, left))
        elif name in ("p", "s", "speak"):
            self._block(given, name)
        elif name not in _KNOWN:
            self._border = name
        way = self._ways.pop()
        if name == "speak":
            self._close(way, None)
        elif way != self._ways[-1]:
            self._close(way, self._natural_s())

    def _text(self, text: str) -> None:
        text = unicodedata.normalize("NFC", text)
        if self._silent:
            return
        if self._inner is not None:
            self._inner += text
            return
        self._pieces.append(Piece(f"{self._apart(text)}{text}"))
        self._border = ""

    def _apart(self, text: str) -> str:
        """What parts sentences, and the words of two voices, at an element that is not done."""
        before = self._pieces[-1].text[-2:] if self._pieces else ""
        if not self._border or not text[:1].isalnum():
            return ""
        ended = re.search(r"[.!?\u2026]\W?$", before) is not None and not before[-1].isspace()
        if self._border == "voice":
            return "\n" * (ended or before[-1:].isalnum())
        return " " * ended

    def _words(self, name: str, given: Attributes, text: str) -> Piece:
        text = " ".join(text.split())
        if name == "sub":
            return Piece(text, said=self._alias(given))
        if name == "phoneme":
            return self._phoneme(text, given)
        kind = self._needed(name, given, "interpret-as").lower()
        layout = given.get("format", "").strip()
        before = "".join(piece.text for piece in self._pieces[-2:])
        said = say_as.said(kind, text, self._ways[-1].language or self._language, layout, before)
        if layout and (kind != "date" or said is None):
            self._warn(
                f"<say-as format={layout!r}> is not done for {text[:40]!r}, only "
                f"{', '.join(say_as.LAYOUTS)} of a date with as many figures"
            )
        elif said is None and not say_as.usual(kind):
            self._warn(
                f"<say-as> cannot read {text[:40]!r} as {kind!r} in this language; it is read as usual"
            )
        return Piece(text, said=said or "", worded=True)

    def _alias(self, given: Attributes) -> str:
        alias = self._needed("sub", given, "alias")
        if len(alias) > MAX_ALIAS_CHARS:
            raise self._refusal(
                f"<sub alias={alias[:20]!r}...> has {len(alias)} characters; at most {MAX_ALIAS_CHARS} are "
                "allowed: mark fewer words at once"
            )
        return alias

    def _phoneme(self, text: str, given: Attributes) -> Piece:
        ipa = self._needed("phoneme", given, "ph")
        if (alphabet := given.get("alphabet", "ipa").strip()).lower() != "ipa":
            self._warn(
                f"<phoneme> in the alphabet {alphabet!r} is not done, only ipa; {text!r} is read as usual"
            )
        elif "phoneme" not in self._voice.marks:
            self._warn(f"<phoneme> is nothing that this voice can do; {text!r} is read as usual")
        elif len(ipa.split()) != len(text.split()):
            raise self._refusal(
                f"<phoneme> gives {len(ipa.split())} words of IPA for the {len(text.split())} of {text!r}"
            )
        else:
            return Piece(text, sounds=self._sounds(ipa))
        return Piece(text)

    def _sounds(self, ipa: str) -> tuple[str, ...]:
        language = self._ways[-1].language or self._language
        try:
            return tuple(self._voice.sounds(word, language) for word in ipa.split())
        except ValueError as error:
            raise self._refusal(f"<phoneme ph={ipa!r}>: {error}") from error

    def _needed(self, name: str, given: Attributes, attribute: str) -> str:
        value = given.get(attribute, "").strip()
        if not value:
            raise self._refusal(f'<{name}> needs the attribute {attribute}="..."')
        return value

    def _break(self, given: Attributes) -> None:
        time, strength = given.get("time"), given.get("strength", "medium")
        found = re.fullmatch(r"\+?(\d*\.?\d+)(ms|s)", time.strip()) if time else None
        if not found if time else strength not in _STRENGTHS:
            raise self._refusal(
                f"<break> takes time as 500ms or 1.5s, or one of the strengths {', '.join(_STRENGTHS)}; "
                f"{time or strength!r} was given"
            )
        pause_s = float(found[1]) / (1000 if found[2] == "ms" else 1) if found else _STRENGTHS[strength]
        self._close(self._ways[-1], pause_s)

    def _prosody(self, given: Attributes) -> None:
        for name in sorted(given.keys() - {"rate"}):
            self._warn(f"<prosody {name}> is not done, only rate")
        if "rate" not in given:
            return
        self._at("prosody rate", self._rate(given["rate"].strip()) * self._ways[-1].rate)

    def _emphasis(self, given: Attributes) -> None:
        """Stressed words are said slower, for no voice of ours knows another way."""
        if (level := given.get("level", "moderate").strip().lower()) not in _EMPHASES:
            raise self._refusal(f"<emphasis> takes one of the levels {', '.join(_EMPHASES)}; not {level!r}")
        now = self._ways[-1].rate
        bounded = min(max(now * _EMPHASES[level], SLOWEST), FASTEST)  # within a slow <prosody>: no slower
        if bounded != now:
            self._at("emphasis", bounded)

    def _at(self, name: str, rate: float) -> None:
        """Go on at this rate, where the voice can."""
        if "prosody" not in self._voice.marks:
            self._warn(f"<{name}> is nothing that this voice can do; it speaks at its own rate")
            return
        if not SLOWEST <= rate <= FASTEST:
            raise self._refusal(
                f"<{name}> gives a rate of {rate:.0%}; {SLOWEST:.0%} to {FASTEST:.0%} are allowed"
            )
        self._enter(replace(self._ways[-1], rate=round(rate, 3)))

    def _rate(self, given: str) -> float:
        if given in _RATES:
            return _RATES[given]
        found = re.fullmatch(r"([+-]?)(\d{0,3}(?:\.\d+)?)(%?)", given)
        if not found or not found[2] or (found[1] and not found[3]):
            raise self._refusal(
                f"<prosody rate> is a percentage such as 80%, a change such as +10%, a factor such as 0.9, "
                f"or {', '.join(_RATES)}; not {given!r}"
            )
        value = float(found[2]) / (100 if found[3] else 1)
        changed = found[1] or not value  # Azure writes 0% for its usual rate
        return 1 + float(f"{found[1]}{value}") if changed else value

    def _lang(self, given: Attributes) -> None:
        language = self._needed("lang", given, "xml:lang")
        if not (found := language_tags.normal(language)):
            meant = " or ".join(language_tags.near(language)) or "such as fr or en-GB"
            raise self._refusal(f"<lang> names {language!r}; a BCP 47 tag is wanted: {meant}")
        if "lang" not in self._voice.marks:
            self._warn(
                "<lang> is nothing that this voice can do; its words are read in the script's language"
            )
            return
        own = self._language in language_tags.spoken(found, (self._language,))
        self._enter(replace(self._ways[-1], language="" if own else found))

    def _enter(self, way: _Way) -> None:
        self._close(self._ways[-1], self._natural_s())
        self._ways[-1] = way

    def _block(self, _: Attributes, name: str = "p") -> None:
        self._pieces.append(Piece("\n" if name == "s" else "\n\n"))

    def _natural_s(self) -> float:
        """The silence where one run ends and another way of speaking begins."""
        return _after("".join(piece.text for piece in self._pieces))

    def _close(self, way: _Way, pause_s: float | None) -> None:
        """End the run in progress; what has no words of its own belongs to the run before it."""
        self._give_back()
        run = Run(tuple(self._pieces), pause_s, way.rate, way.language)
        self._pieces = []
        if any(piece.spoken for piece in run.pieces):
            self.runs.append(run)
        elif self.runs and pause_s is not None:
            last = self.runs[-1]
            self.runs[-1] = replace(last, pause_s=round((last.pause_s or 0.0) + pause_s, 3))
        elif pause_s and not self._begins:
            self.runs.append(Run((), pause_s))
        elif pause_s:
            self._warn("a <break> before the first word is left out")
        if self.runs and (longest := self.runs[-1].pause_s or 0.0) > MAX_PAUSE_S:
            raise self._refusal(f"a pause of {longest:g} s; at most {MAX_PAUSE_S} s are allowed")

    def _give_back(self) -> None:
        """Punctuation that directly follows a run ends that run's last sentence."""
        first = self._pieces[0] if self._pieces else Piece("")
        found = None if first.said or first.sounds else _CLOSING.match(first.text)
        if not found or not any(run.pieces for run in self.runs):
            return
        last = self.runs[-1]
        ended = replace(last, pieces=(*last.pieces, Piece(found[0])))
        self.runs[-1] = replace(ended, pause_s=max(last.pause_s or 0.0, _after(ended.text)))
        self._pieces[0] = Piece(first.text[found.end() :])


def _after(text: str) -> float:
    if text.endswith("\n\n"):
        return PAUSE_PARAGRAPH_S
    return PAUSE_SENTENCE_S if _SENTENCE_END.search(text) else 0.0
