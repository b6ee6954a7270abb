"""Pronunciation lexicons: how names and terms of a project are said, as CSV or PLS 1.0 (`pls.py`).

CSV in UTF-8 whose first line names the columns: `word` (or a phrase), `ipa` or `say` (other words that sound
so) or both, and `language` (a BCP 47 tag, "" every one). A word in lower case is meant in any case, one with
capitals as it is written.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from avatarlab_ops import language_tags
from avatarlab_ops.errors import RequestInvalid
from avatarlab_ops.fields import first_control
from avatarlab_ops.reading import addresses, pls
from avatarlab_ops.reading.marked import Piece
from avatarlab_ops.reading.ssml import Abilities
from avatarlab_ops.reading.unspaced import HAN, KANA

MAX_BYTES = 1024**2
MAX_ENTRIES = 5_000
MAX_CELL = 200  # characters
SHOWN = 20  # problems, or words, that are told one by one
COLUMNS = {"word", "ipa", "say", "language"}
LONGEST_HEADER = 200  # bytes
_SEPARATES = re.compile('"?sep=[,;\t]"?', re.I)  # Excel writes and reads it before the header
_UNSPACED = f"{HAN}{KANA}\u0e00-\u0eff"  # words of these, Thai and Lao stand beside others without a space
# Vowel signs and accents are no letters to a pattern.
_LETTER = rf"(?:[^\W{_UNSPACED}]|[\u0300-\u036f\u0900-\u0dff])"
_MONEY = "$€£¥₹"
# Where no letter beside a word makes it another word.
_BEGINS, _ENDS = f"(?:(?=[{_UNSPACED}])|(?<!{_LETTER}))", f"(?:(?<=[{_UNSPACED}])|(?!{_LETTER}))"


@dataclass(frozen=True)
class Entry:
    """How one word is said: its sounds in IPA, or other words. `line` of the file, 1 its header."""

    line: int
    word: str
    ipa: str = ""
    say: str = ""
    language: str = ""

    def speaks(self, language: str) -> bool:
        """Whether it is meant for this language, a BCP 47 tag; es-419 and deu are for es and de."""
        return not self.language or language in language_tags.spoken(self.language, (language,))


def is_header(beginning: bytes) -> bool:
    """Whether a file that begins so is meant as a lexicon in CSV: its first line names nothing else."""
    lines = beginning.decode("utf-8-sig", "replace").splitlines()
    first = next((one for one in lines if not _SEPARATES.fullmatch(one)), "")
    return _are_columns({name.strip(' "').lower() for name in re.split("[,;\t]", first)})


def _are_columns(names: set[str]) -> bool:
    return "word" in names and bool(names & {"ipa", "say"}) and names <= COLUMNS


def parse(raw: bytes) -> tuple[Entry, ...]:
    """The entries of a file, CSV or, where it begins with "<", PLS.

    Raises RequestInvalid that names the line of every entry that is wrong.
    """
    wide = raw[:2] in (BOM_UTF16_LE, BOM_UTF16_BE)
    if wide and not raw[2:12].replace(b"\0", b"").lstrip().startswith(b"<"):
        raise _refusal(["line 1: the file is UTF-16; save it as UTF-8"])
    if wide or raw.removeprefix(BOM_UTF8).lstrip()[:1] == b"<":
        return _checked(pls.rows(raw, max_bytes=MAX_BYTES, max_elements=4 * MAX_ENTRIES))
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise _refusal([f"line {line}: byte {error.start + 1} is not UTF-8; save it as UTF-8"]) from error
    lines = text.splitlines(keepends=True)  # a cell in quotes may go on in the next line
    told = 1 if lines and _SEPARATES.fullmatch(lines[0].rstrip()) else 0
    mark = re.search("[,;\t]", lines[0] if lines else "")
    reader = csv.DictReader(lines[told:], delimiter=mark[0] if mark else ",", strict=True)
    try:
        reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or ()]
        if not _are_columns(set(reader.fieldnames)):
            raise _refusal(["line 1: must name the columns word, ipa or say or both, and perhaps language"])
        rows = [(reader.line_num + told, row) for row in reader]
        return _checked([(line, row) for line, row in rows if any(map(_filled, row.values()))])
    except csv.Error as error:
        raise _refusal([f"line {max(1, reader.line_num + told)}: is not CSV ({error})"]) from error


def _filled(cell: str | list[str] | None) -> bool:
    """Whether something stands in a cell, or in those beyond the header's."""
    return bool("".join(cell or "").strip())


def _checked(rows: Sequence[tuple[int, Mapping[str, str | None]]]) -> tuple[Entry, ...]:
    entries: dict[tuple[str, str], Entry] = {}
    wrong: list[str] = []
    for line, row in rows:
        cells = {
            name: " ".join(unicodedata.normalize("NFC", row.get(name) or "").split()) for name in COLUMNS
        }
        cells["word"] = _straight(cells["word"])
        cells["language"] = language_tags.normal(cells["language"]) or cells["language"]
        entry = Entry(line, **cells)
        if (
            reason := _unprintable(entry)
            or _wrong(entry)
            or ("has more cells than the header" if None in row else "")
        ):
            wrong.append(f"line {line}: {reason}")
        elif first := entries.get((entry.word, entry.language)):
            wrong.append(f"line {line}: {entry.word!r} was given on line {first.line}")
        entries.setdefault((entry.word, entry.language), entry)
    if len(rows) > MAX_ENTRIES:
        wrong.append(f"{len(rows):,} entries, at most {MAX_ENTRIES:,} are allowed")
    if wrong or not rows:
        raise _refusal(wrong or ["no entry; leave the lexicon out"])
    return tuple(entries.values())


def _unprintable(entry: Entry) -> str:
    """Words are told in notes, which are shown in lines and terminals and kept in the plan."""
    found = first_control(entry.word + entry.ipa + entry.say)
    return f"holds the {found.named}" if found else ""


def _wrong(entry: Entry) -> str:
    if not any(map(str.isalnum, entry.word)):
        return "has no word"
    if not entry.ipa and not entry.say:
        return f"{entry.word!r} has neither ipa nor say"
    if max(map(len, (entry.word, entry.ipa, entry.say))) > MAX_CELL:
        return f"a cell has more than {MAX_CELL} characters"
    if entry.language and not language_tags.normal(entry.language):
        return f"language {entry.language!r} is not a BCP 47 tag such as es or en-GB"
    if entry.ipa and len(entry.ipa.split()) != len(entry.word.split()):
        return f"{len(entry.ipa.split())} words of IPA for the {len(entry.word.split())} of {entry.word!r}"
    return ""


def _refusal(reasons: list[str]) -> RequestInvalid:
    more = [f"and {len(reasons) - SHOWN} more"] if len(reasons) > SHOWN else []
    return RequestInvalid("lexicon: " + "; ".join(reasons[:SHOWN] + more))


@dataclass
class Lexicon:
    """The entries for one script, and which of them it used; `within` gives those for words of `<lang>`.

    Raises RequestInvalid for IPA that is no sound of the voice, in whatever line.
    """

    entries: Collection[Entry]
    language: str
    voice: Abilities
    _said: dict[str, Entry] = field(init=False)
    _sounds: dict[str, tuple[str, ...]] = field(init=False)
    _used: set[str] = field(init=False, default_factory=set)
    _within: dict[str, Lexicon] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        mine = sorted(filter(self._is_mine, self.entries), key=self._closeness)
        self._said = {entry.word: entry for entry in mine}  # the one for the closest language wins
        self._sounds = self._checked_sounds()
        words = sorted(self._said, key=len, reverse=True)
        self._pattern = re.compile(f"{_BEGINS}(?:{'|'.join(map(_alone, words))}){_ENDS}")

    def within(self, language: str) -> Lexicon:
        """The lexicon for words of the script that are in this language."""
        if language == self.language:
            return self
        if language not in self._within:
            self._within[language] = Lexicon(self.entries, language, self.voice)
        return self._within[language]

    def _is_mine(self, entry: Entry) -> bool:
        return entry.speaks(self.language)

    def _closeness(self, entry: Entry) -> tuple[bool, int]:
        return entry.language == self.language, len(entry.language)

    def _checked_sounds(self) -> dict[str, tuple[str, ...]]:
        found, wrong = {}, []
        for word, entry in self._said.items():
            try:
                found[word] = tuple(self.voice.sounds(one, self.language) for one in entry.ipa.split())
            except ValueError as error:
                wrong.append(f"line {entry.line}: {entry.ipa!r}: {error}")
        if wrong:
            raise _refusal(wrong)
        return found

    def marked(self, pieces: Iterable[Piece]) -> tuple[Piece, ...]:
        """The pieces with every word that has an entry as a piece of its own; what SSML marked stays so."""
        if not self._said:
            return tuple(pieces)
        return tuple(
            part
            for piece in pieces
            for part in ([piece] if piece.said or piece.sounds else self._split(piece))
        )

    def _split(self, piece: Piece) -> Iterator[Piece]:
        at, taken = 0, _taken(piece.text)
        for match in self._pattern.finditer(piece.text):
            if taken.get(match.start(), set()) - {match.span()}:
                continue  # of an address, which is read as a whole
            yield Piece(piece.text[at : match.start()])
            yield self._as_said(" ".join(match[0].split()))
            at = match.end()
        yield Piece(piece.text[at:])

    def _as_said(self, text: str) -> Piece:
        plain = _straight(text)
        word = plain if plain in self._said else plain.lower()
        if word not in self._said:  # by the rules of Unicode a long s is an s
            word = next(one for one in self._said if re.fullmatch(_written(one), text))
        entry = self._said[word]
        self._used.add(word)
        if self._sounds[word] and "phoneme" in self.voice.marks:
            return Piece(text, sounds=self._sounds[word])
        return Piece(text, said=entry.say)

    def notes(self) -> list[str]:
        """Words that the voice cannot be told the sounds of, and those that never occur."""
        every = [self, *self._within.values()]
        known = {word: entry for one in reversed(every) for word, entry in one._said.items()}
        used = {word for one in every for word in one._used}
        deaf = "phoneme" not in self.voice.marks
        mute = [word for word in known if word in used and deaf and not known[word].say]
        idle = [word for word in known if word not in used]
        if not known and (languages := sorted({entry.language for entry in self.entries})):
            return [f"lexicon: no word of it is for {self.language}, only for {_listed(languages)}"]
        told = [f"lexicon: this voice takes no IPA; read as usual: {_listed(mute)}"] if mute else []
        return told + ([f"lexicon: never in the script: {_listed(idle)}"] if idle else [])


def _taken(text: str) -> dict[int, set[tuple[int, int]]]:
    """The addresses that hold each character of a text."""
    taken: dict[int, set[tuple[int, int]]] = {}
    for start, end in addresses.spans(text):
        for place in range(start, end):
            taken.setdefault(place, set()).add((start, end))
    return taken


def _straight(text: str) -> str:
    """With one apostrophe and one hyphen for all that are written."""
    return re.sub("[\u2010\u2011]", "-", re.sub("[\u2019\u02bc]", "'", text))


def _written(word: str) -> str:
    pattern = r"\s+".join(map(re.escape, word.split())).replace("'", "['\u2019\u02bc]")
    pattern = pattern.replace(r"\-", "[-\u2010\u2011]")
    return pattern if word != word.lower() else f"(?i:{pattern})"


def _alone(word: str) -> str:
    """The pattern of a word that is no piece of a number: $3M, 3M € and 1.3M hold no 3M, v2.1 no v2."""
    before = after = ""
    if word[0].isdigit():
        before = rf"(?<![{_MONEY}])(?<![{_MONEY}]\s)(?<!\d[.,])"
        after = rf"(?!\s?[{_MONEY}](?!\s?\d))"
    if re.fullmatch(r"[\d.,]*\d", word):
        after += r"(?![.,]\d)"
    elif re.search(r"(?<!\d)\d\d?$", word):  # a version may go on; M365 is a name
        after += r"(?!\.\d)"
    return f"{before}{_written(word)}{after}"


def _listed(words: list[str]) -> str:
    more = f" and {len(words) - SHOWN} more" if len(words) > SHOWN else ""
    return ", ".join(words[:SHOWN]) + more
