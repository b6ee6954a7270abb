"""Pronunciation Lexicon Specification 1.0 (https://www.w3.org/TR/pronunciation-lexicon/), alphabet ipa."""

from __future__ import annotations

from collections.abc import Iterator

from avatarlab_ops import strict_xml
from avatarlab_ops.errors import RequestInvalid
from avatarlab_ops.strict_xml import LANG, Node

NAMESPACE = "http://www.w3.org/2005/01/pronunciation-lexicon"
Row = tuple[int, dict[str, str | None]]  # its line, and the cells that a CSV would have


def rows(raw: bytes, *, max_bytes: int, max_elements: int) -> list[Row]:
    """Each grapheme with how it is said: as is preferred, else the first phoneme in IPA, or the first alias.

    A lexicon is of one language: "en" of every English, "en-US" of that alone. Raises RequestInvalid for what
    is no such lexicon, or has a word in another alphabet alone.
    """
    lexicon = strict_xml.parse(raw, "lexicon", max_bytes=max_bytes, max_elements=max_elements)
    if (lexicon.name, lexicon.namespace) != ("lexicon", NAMESPACE):
        raise _refusal(lexicon, f'is not PLS: its outermost element is <lexicon xmlns="{NAMESPACE}">')
    if not (language := lexicon.attributes.get(LANG, "")):
        raise _refusal(lexicon, "<lexicon> needs xml:lang, the language of its words")
    alphabet = lexicon.attributes.get("alphabet", "")
    found: dict[str | None, Row] = {}
    lexemes = sorted(lexicon.children("lexeme"), key=lambda one: "role" in one.attributes)
    for lexeme in lexemes:  # of homographs the first is said, one that is for no part of speech alone before
        for row in _lexeme(lexeme, language, alphabet):
            found.setdefault(row[1]["word"], row)
    return sorted(found.values(), key=lambda row: row[0])


def _lexeme(lexeme: Node, language: str, alphabet: str) -> Iterator[Row]:
    said = [*lexeme.children("phoneme"), *lexeme.children("alias")]
    said.sort(key=lambda one: one.attributes.get("prefer") != "true")  # the others stay in their order
    cells: dict[str, str | None] = {"language": language}
    known = [one for one in said if one.name == "alias" or _alphabet(one, alphabet).lower() == "ipa"]
    for one in known[:1]:
        cells["ipa" if one.name == "phoneme" else "say"] = one.text
    if said and not known:
        raise _refusal(said[0], f"the alphabet {_alphabet(said[0], alphabet)!r} is not known, only ipa")
    graphemes = list(lexeme.children("grapheme"))
    if not graphemes:
        raise _refusal(lexeme, "<lexeme> has no <grapheme>")
    for grapheme in graphemes:
        yield grapheme.line, cells | {"word": grapheme.text}


def _alphabet(phoneme: Node, default: str) -> str:
    return phoneme.attributes.get("alphabet", default)


def _refusal(node: Node, reason: str) -> RequestInvalid:
    return RequestInvalid(f"lexicon: line {node.line}: {reason}")
