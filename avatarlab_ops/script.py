"""Script text to sentences: what is refused, what is dropped with a warning, where a breath is taken.

Text that cannot be spoken is refused here, before any engine runs. What is left stays as written,
for captions; beside it stands how it is read aloud (`avatarlab_ops.reading`), for the voice.
"""

# ruff: noqa: RUF001  (full-width punctuation and Cyrillic are what a splitter is about)

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from avatarlab_ops import engines, language_tags
from avatarlab_ops.engines import writing
from avatarlab_ops.engines.base import Sentence
from avatarlab_ops.engines.speech import ipa
from avatarlab_ops.errors import ScriptRefused
from avatarlab_ops.fields import MAX_LINES, MAX_PAUSE_S, MAX_SCRIPT_CHARACTERS, first_unspeakable
from avatarlab_ops.graph import SPOKEN_S
from avatarlab_ops.reading import abbreviations, chapters, detect, markup, read, ssml
from avatarlab_ops.reading.lexicon import Entry, Lexicon
from avatarlab_ops.reading.marked import PAUSE_CLAUSE_S, PAUSE_PARAGRAPH_S, PAUSE_SENTENCE_S, Piece, Run
from avatarlab_ops.reading.unspaced import HAN, KANA
from avatarlab_ops.timeline import spaced

MAX_SENTENCE_CHARS = 300  # a longer sentence is spoken clause by clause
MAX_WORD_CHARS = 100
MAX_SPEECH_S = 5400.0
SYLLABLE_S = 0.22  # of speech for a Chinese or Japanese character

_INVISIBLE = dict.fromkeys((0x00AD, 0x200B, 0x200E, 0x200F, 0x2060, 0xFEFF))  # soft hyphen, zero-width marks
_LINES = {0x0D: 0x0A, 0x0B: 0x0A, 0x0C: 0x0A, 0x85: 0x0A, 0x2028: 0x0A, 0x2029: 0x0A}
_SIGNS = frozenset("©®™")  # emoji by the Unicode tables, words to a reader
_GONE = "\u200d"  # the joiner of emoji, which is left out of every script
# With the space that led to an emoji.
_BEFORE_A_MARK = re.compile(rf"(?:[ \t]*{_GONE})+(?=[.,;:!?…)\]”\"»।॥؟،؛。！？])")

# A piece with marks, while sentences are found: private characters, which no script may hold.
_FIRST_MARK = 0xF0000
_MARKS = "\U000f0000-\U000ffffd"
_MARK_END, _FOLDED_SPACE = "\ue000", "\ue001"

_LETTER = r"[^\W\d_]"
# 「はい。」と言った is one sentence; とても and とき begin another.
_QUOTED_ON = r"(?<=[」』])(?:と(?!き|こ|て|に|も)|って)"
_END = re.compile(
    r"(?<=[.!?…।॥؟])(?:[\"”’'»)\]]|[ \u00a0\u202f]»(?=\s))*\s+(?=\S)|"
    rf"(?<=[。！？])[”’」』）]*+\s*+(?=\S)(?!{_QUOTED_ON})"
)
_HALF_KANA = re.compile("[\uff61-\uff9f]+")  # of old files; a mark such as ﾞ is a letter of its own there
_SYLLABLES = re.compile(f"[{HAN}{KANA}]")
_BREAKABLE = re.compile(rf"[\s{HAN}{KANA}，、。！？；：…]+")  # a line may break there
_OPENERS = "\"“‘'«([¿¡"
_CLAUSE_END = re.compile(r"(?<=[,;:—–])\s+|(?<=—)(?=\w)|(?<=[，、；：])")

_NEAR = 300  # characters before a full stop that tell whether it ends a sentence
_INITIAL = re.compile(r"^(?!I$)[^\W\d_]$")  # "J. K. Rowling", but "It was I."
_DOTTED = re.compile(rf"^(?:{_LETTER}\.)+{_LETTER}$")  # U.S, a.m, Ph.D without the last stop
# "z. B.", "d. h.", "и т. д.", "a. C."
_SHORT_FIRST = re.compile(r"(?:^|\s)[azduoвтнvn]\.$")
_STREET = re.compile(r"(?:[A-Z][a-z]+|\d(?:st|nd|rd|th)) St\.$")  # a street's, no saint's
_SHORT_REST = re.compile(rf"(?:{_LETTER}|Chr)\.")
# Words that open a sentence after a dotted abbreviation ("in the U.S. The law ...").
_STARTERS = frozenset(
    re.findall(
        r"\w+",
        "a an and as at but by for from he her his how i if in it its my no not now on or our she so some "
        "that the their then there these they this those to we what when where who why with yes you your",
    )
)


@dataclass(frozen=True)
class Script:
    """Sentences in speaking order, and what was changed on the way, in words for the user."""

    sentences: tuple[Sentence, ...]
    warnings: tuple[str, ...]
    chapters: tuple[tuple[int, str], ...] = ()  # index of the sentence that each begins with, and its title


class Part(NamedTuple):
    """A part of a script, the seconds of silence after it (None: the default), the chapter it begins."""

    text: str
    pause_s: float | None = None
    chapter: str = ""


def sentences(
    script: str | Sequence[Part | tuple[str, float | None]],
    *,
    engine: str = "hibari",
    language: str | None = None,
    script_format: str = "plain",
    lexicon: Sequence[Entry] = (),
) -> Script:
    """Split a script into sentences for one speech engine, each with how it is read aloud in `language`.

    `script` is a text, or parts as `Part` or (text, seconds of silence after it); `language` a BCP 47 tag,
    None: the engine's first; `script_format` plain or ssml; `lexicon` says how some words are said.
    Emoji, markup and signs that cannot be said are dropped with a warning. Raises ScriptRefused for text that
    is empty, too long, holds control characters, is malformed, or is written in a script that the engine does
    not speak; RequestInvalid for sounds of the lexicon that no voice knows; EngineUnavailable for an unknown
    engine.
    """
    parts = [Part(script)] if isinstance(script, str) else [Part(*one) for one in script]
    _check_size(parts)
    language = language or engines.info("speech", engine).languages[0]
    warnings: list[str] = []
    spoken: list[Sentence] = []
    begun: list[tuple[int, str]] = []
    voice = ssml.Abilities(engines.info("speech", engine).marks, ipa.symbols)
    words = Lexicon(lexicon, language, voice)
    for part, runs in _parted(parts, script_format, voice, language, warnings):
        found = [one for run in runs for one in _run(words, run, engine, language, warnings)]
        if found and part.pause_s is not None:
            found[-1] = replace(found[-1], pause_s=part.pause_s)
        if not found and len(parts) > 1:
            titled = f", and the chapter {part.chapter!r} with it" if part.chapter else ""
            warnings.append(f"a part without words was left out{titled}: {part.text[:40]!r}")
        begun += _chapters(part, script_format, found, len(spoken), warnings)
        spoken += found
    if not spoken:
        raise ScriptRefused("the script has no words to speak; give at least one word or number")
    _check_length(spoken)
    notes = [*warnings, *words.notes(), detect.another(" ".join(_own(spoken)), language)]
    marked = tuple(begun) if len(begun) > 1 or any(part.chapter for part in parts) else ()
    return Script(tuple(spoken), tuple(dict.fromkeys(filter(None, notes))), marked)


def _chapters(
    part: Part, script_format: str, found: Sequence[Sentence], first: int, warnings: list[str]
) -> Iterator[tuple[int, str]]:
    """The chapters of one part: the one it is said to begin, else those of its headings."""
    if part.chapter:
        yield from [(first, part.chapter)] if found else []
        return
    headed = chapters.titles(_clean(part.text, [])) if script_format == "plain" else []
    for index, title in chapters.begins(headed, [sentence.text for sentence in found]):
        if index is None:
            warnings.append(f"the heading {title!r} begins no sentence, so no chapter; leave a line empty "
                            "before it")  # fmt: skip
        else:
            yield first + index, title


def _own(spoken: Sequence[Sentence]) -> Iterator[str]:
    """What is written in the script's own language."""
    return (sentence.text for sentence in spoken if not sentence.language)


def _parted(
    parts: Sequence[Part], script_format: str, voice: ssml.Abilities, language: str, warnings: list[str]
) -> list[tuple[Part, list[Run]]]:
    """Each part and its runs, what its marks ask of the voice among them."""
    if script_format != "ssml":
        return [(one, [_plain(one.text, warnings)]) for one in parts]
    found: list[tuple[Part, list[Run]]] = []
    last = -1  # that has words
    for number, part in enumerate(parts):
        place = f"part {number + 1}, " if len(parts) > 1 else ""
        runs = ssml.parse(part.text, language, voice, warnings, place=place, begins=last < 0)
        if runs and not runs[0].pieces:
            found[last] = _rested(*found[last], runs.pop(0).pause_s or 0.0)
        last = number if runs else last
        found.append((part, runs))
    return found


def _plain(text: str, warnings: list[str]) -> Run:
    """The one run of a part without marks."""
    cleaned = _clean(text, warnings, bullet=markup.BULLET)
    return Run((Piece(markup.plain(cleaned, warnings)),), wrapped=False)


def _rested(part: Part, runs: list[Run], more_s: float) -> tuple[Part, list[Run]]:
    """A part with that much more silence after it than was asked for, by a break that begins the next one."""
    asked_s = next((one for one in (part.pause_s, runs[-1].pause_s) if one is not None), 0.0) + more_s
    if asked_s > MAX_PAUSE_S:
        raise ScriptRefused(
            f"a pause of {asked_s:g} s between two parts; at most {MAX_PAUSE_S} s are allowed"
        )
    return part._replace(pause_s=round(asked_s, 3)), runs


def _run(words: Lexicon, run: Run, engine: str, language: str, warnings: list[str]) -> Iterator[Sentence]:
    """The sentences of one run, its own pause after the last."""
    spoken = _spoken_in(run, engine, language, warnings)
    cleaned = (replace(piece, text=_clean(piece.text, warnings)) for piece in run.pieces)
    marked = words.within(spoken).marked(cleaned)
    pieces = [_worded(piece, spoken, warnings) for piece in marked]
    heard = (piece.said or ("" if piece.sounds else piece.text) for piece in pieces)
    writing.check(" ".join(heard), engine, spoken)
    folded = _folded(pieces)
    found = list(_part(markup.unwrapped(folded) if run.wrapped else folded, spoken))
    if found and run.pause_s is not None:
        found[-1] = replace(found[-1], pause_s=run.pause_s)
    for sentence in found:
        said = _read(sentence, pieces, spoken, warnings)
        yield replace(said, rate=run.rate, language=run.language and spoken)


def _worded(piece: Piece, language: str, warnings: list[str]) -> Piece:
    """A piece whose other words are as they are read aloud, its text's own where they hold none."""
    if not piece.said or piece.worded:
        return piece
    said = _said(_clean(piece.said, warnings), language, piece.said, warnings)
    _check_words(said)
    if not any(map(str.isalnum, said)):
        warnings.append(
            f"{piece.said[:40]!r}, said for {piece.text[:40]!r}, holds no word; it is read as usual"
        )
        said = ""
    return replace(piece, said=said, worded=True)


def _spoken_in(run: Run, engine: str, language: str, warnings: list[str]) -> str:
    """The run's language as the engine calls it. Raises ScriptRefused for one that it does not speak."""
    if not run.language:
        return language
    info = engines.info("speech", engine)
    if (found := info.language(run.language)) is None:
        raise ScriptRefused(
            f"<lang> asks for {run.language!r}, and {engine} speaks {', '.join(info.languages)}; leave it out"
        )
    if told := language_tags.instead(run.language, found):
        warnings.append(f"<lang>: {told.partition(': ')[2]}")
    return found


def _folded(pieces: Sequence[Piece]) -> str:
    """One text in which each marked piece is one word between two private characters: its number, an end."""
    return "".join(
        f"{chr(_FIRST_MARK + number)}{piece.text.replace(' ', _FOLDED_SPACE)}{_MARK_END}"
        if piece.said or piece.sounds
        else piece.text
        for number, piece in enumerate(pieces)
    )


def _read(sentence: Sentence, pieces: Sequence[Piece], language: str, warnings: list[str]) -> Sentence:
    """The sentence with how it is read aloud, where that is not as written, and the sounds it was given."""
    text = _unfolded(sentence.text)
    said, sounds, before, begins = "", list[tuple[int, str]](), "", 0
    for part in re.split(f"([{_MARKS}][^{_MARK_END}]*{_MARK_END})", sentence.text):
        marked = part and ord(part[0]) >= _FIRST_MARK
        piece = pieces[ord(part[0]) - _FIRST_MARK] if marked else Piece(part)
        read_on = "" if marked else _spaced(part, _said(part, language, text, warnings, begins))
        more = piece.said or piece.text if marked else read_on
        # Sounds are given to words by their number, so in a language without spaces they stand alone.
        alone = marked and not spaced(language)
        said += " " if alone or _apart(said, more, before, piece.text) else ""
        first = len(f"{said}x".split()) - 1
        sounds += [(first + n, one) for n, one in enumerate(piece.sounds)]
        said += more + " " * bool(alone)
        before, begins = piece.text or before, begins + len(_unfolded(part))
    said = " ".join(said.split())
    return replace(sentence, text=text, said="" if said == text else said, sounds=tuple(sounds))


def _apart(said: str, more: str, before: str, after: str) -> bool:
    """Whether words said beside each other are two: unless letters stand beside each other where written."""
    return said[-1:].isalnum() and more[:1].isalnum() and not (before[-1:] + after[:1]).isalpha()


def _said(part: str, language: str, sentence: str, warnings: list[str], begins: int = 0) -> str:
    """How a part of a sentence, with so many of its characters before, is read aloud."""
    reading = read(part, language)
    for found in reading.unread:
        sign = replace(found, position=begins + found.position)
        warnings.append(f"{sign} of {sentence[:60]!r} cannot be said and is left out")
    return reading.said


def _spaced(written: str, said: str) -> str:
    """What is said, with a space before and after where one was written."""
    return f"{written[:1].isspace() * ' '}{said.strip()}{written[-1:].isspace() * ' '}"


def _unfolded(text: str) -> str:
    return re.sub(f"[{_MARKS}{_MARK_END}]", "", text).replace(_FOLDED_SPACE, " ")


def _check_size(parts: Sequence[Part]) -> None:
    if len(parts) > MAX_LINES:
        raise ScriptRefused(f"the script has {len(parts)} parts; at most {MAX_LINES} are allowed")
    chars = sum(len(part.text) for part in parts)
    if chars > MAX_SCRIPT_CHARACTERS:
        raise ScriptRefused(
            f"the script has {chars} characters; at most {MAX_SCRIPT_CHARACTERS} are allowed: "
            "make several videos"
        )
    for _, pause_s, _ in parts:
        if pause_s is not None and not 0 <= pause_s <= MAX_PAUSE_S:
            raise ScriptRefused(f"a pause of {pause_s} s was asked for; 0 to {MAX_PAUSE_S} s are allowed")


def expected_s(spoken: Sequence[Sentence]) -> float:
    """Seconds that the sentences take with their pauses, before any was spoken; some languages take less."""
    return sum(_words_s(sentence.spoken) / sentence.rate + sentence.pause_s for sentence in spoken)


def _words_s(said: str) -> float:
    syllables = len(_SYLLABLES.findall(said))
    return SYLLABLE_S * syllables + SPOKEN_S * (len(said) - syllables)


def _check_length(spoken: Sequence[Sentence]) -> None:
    if (seconds := expected_s(spoken)) > MAX_SPEECH_S:
        raise ScriptRefused(
            f"the script takes about {seconds / 60:.0f} minutes to say, with its pauses; at most "
            f"{MAX_SPEECH_S / 60:.0f} are allowed: make several videos"
        )


def _clean(text: str, warnings: list[str], bullet: str = "") -> str:
    text = _drop_emoji(text.replace("\r\n", "\n"), warnings, bullet)
    text = unicodedata.normalize("NFC", text.translate(_LINES).translate(_INVISIBLE))
    text = _HALF_KANA.sub(lambda kana: unicodedata.normalize("NFKC", kana[0]), text)
    if found := first_unspeakable(text):
        raise ScriptRefused(f"the script holds the {found}; remove it")
    return text


def _drop_emoji(text: str, warnings: list[str], bullet: str) -> str:
    """The text without emoji; `bullet` takes the place of one that begins a line."""
    if text.isascii():
        return text
    import emoji

    dropped: Counter[str] = Counter()

    def drop(found: str, place: dict[str, Any]) -> str:
        if found.strip("\ufe0f") in _SIGNS:
            return found.strip("\ufe0f")
        dropped[found] += 1
        return f"{bullet} " if bullet and _begins_line(text, place["match_start"]) else _GONE

    text = _BEFORE_A_MARK.sub("", emoji.replace_emoji(text, drop).replace("\ufe0f", ""))
    text = text.replace(_GONE, "")
    if dropped:
        names = ", ".join(
            f"{found} ({emoji.demojize(found).strip(':').replace('_', ' ')})"
            + (f" x{count}" if count > 1 else "")
            for found, count in dropped.items()
        )
        warnings.append(f"emoji cannot be spoken and were left out: {names}")
    return text


def _begins_line(text: str, at: int) -> bool:
    """Whether nothing but spaces stands before a place in its line."""
    while at and text[at - 1] in " \t":
        at -= 1
    return at == 0 or text[at - 1] == "\n"


def _check_words(text: str) -> None:
    for word in _BREAKABLE.split(text):
        if len(word) > MAX_WORD_CHARS:
            raise ScriptRefused(
                f"the word {word[:30]!r}... has {len(word)} characters; at most {MAX_WORD_CHARS} are allowed"
            )


def _check_marked(text: str) -> None:
    """What one mark holds is never cut, so it has to fit one breath."""
    for found in re.findall(f"[{_MARKS}][^{_MARK_END}]*{_MARK_END}[^\\s{HAN}{KANA}]*", text):
        if len(found) >= MAX_SENTENCE_CHARS:
            marked = _unfolded(found)
            raise ScriptRefused(
                f"the mark around {marked[:30]!r}... holds {len(marked)} characters; fewer than "
                f"{MAX_SENTENCE_CHARS - len(_MARK_END) * 2} are allowed: mark fewer words at once"
            )


def _part(text: str, language: str) -> Iterator[Sentence]:
    _check_words(_unfolded(text))
    _check_marked(text)
    for paragraph in re.split(r"\n\s*\n", text):
        found = [
            Sentence(clause, PAUSE_SENTENCE_S if last else PAUSE_CLAUSE_S)
            for line in paragraph.split("\n")
            for sentence in split(" ".join(line.split()), language)
            for clause, last in _clauses(sentence)
            if _speakable(clause)
        ]
        if found:
            yield from found[:-1]
            yield Sentence(found[-1].text, PAUSE_PARAGRAPH_S)


def split(line: str, language: str = "en-US") -> list[str]:
    """Sentences of one line of text, verbatim; `language` is its BCP 47 tag.

    >>> split('Dr. Smith paid $3.50. "Stop!" he said. It works, e.g. here... Fine.')
    ['Dr. Smith paid $3.50.', '"Stop!" he said.', 'It works, e.g. here...', 'Fine.']
    """
    found, start = [], 0
    for match in _END.finditer(line):
        before = line[max(start, match.start() - _NEAR) : match.start()]
        if _ends_sentence(before, line[match.end() :], language):
            found.append(line[start : match.end()].strip())
            start = match.end()
    found.append(line[start:].strip())
    return [sentence for sentence in found if sentence]


def _ends_sentence(before: str, after: str, language: str) -> bool:
    following = after.lstrip(_OPENERS)
    if (
        following[:1].islower()
        or following[:1] in (":", ",", ";")  # Ex. : le chat; a cell of a table: 5 Min. , 3 €
        or following.startswith("J.-C")
        or not _speakable(following[:MAX_SENTENCE_CHARS])
    ):
        return False
    if not before.endswith(".") or before.endswith(".."):
        return True
    code = language.partition("-")[0]
    word = abbreviations.bare(re.split("[ –—]", before[-41:-1])[-1].lstrip(_OPENERS), code)
    if _SHORT_FIRST.search(before) and _SHORT_REST.match(following):
        return False
    if abbreviations.goes_on(before, word, following, code):
        return False
    known = abbreviations.never_last(word, code)
    if _STREET.search(before) or (_DOTTED.match(word) and not known):
        return _first(following) in _STARTERS
    return not (
        known
        or (abbreviations.numbers(following) and abbreviations.before_number(before, word, code))
        or (before == f"{word}." and word.isdigit())  # "1. First"
        or (code != "de" and re.fullmatch(r"[1-9]\d?(?:\.[1-9]\d?)+\.", before))  # "1.2. First"
        or (word.isupper() and _INITIAL.match(word))
    )


def _first(text: str) -> str:
    """The first word, in lower case."""
    return re.split(r"\W", text, maxsplit=1)[0].lower()


def _clauses(sentence: str) -> Iterator[tuple[str, bool]]:
    """Pieces of at most MAX_SENTENCE_CHARS, cut at clauses where possible, and whether each is the last."""
    rest = sentence
    while len(rest) > MAX_SENTENCE_CHARS:
        cut = _cut(rest)
        yield rest[:cut].strip(), False
        rest = rest[cut:].strip()
    yield rest, True


def _cut(text: str) -> int:
    ends = [match.end() for match in _CLAUSE_END.finditer(text, 0, MAX_SENTENCE_CHARS)]
    ends = [end for end in ends if end > MAX_SENTENCE_CHARS // 4 and not _marked(text, end)]
    if ends:
        return ends[-1]
    space = text.rfind(" ", 1, MAX_SENTENCE_CHARS)
    if space > 0:
        return space  # no word is so long, but languages without spaces are
    return next(at for at in range(MAX_SENTENCE_CHARS, 0, -1) if not _marked(text, at))


def _marked(text: str, at: int) -> bool:
    """Whether a cut there would part what one mark holds."""
    started = max((place for place in range(at) if ord(text[place]) >= _FIRST_MARK), default=-1)
    return started >= 0 and _MARK_END not in text[started:at]


def _speakable(text: str) -> bool:
    return any(char.isalnum() or ord(char) >= _FIRST_MARK for char in text)
