"""XLIFF 2 (https://docs.oasis-open.org/xliff/xliff-core/v2.1/), the format of translators: out and in.

One document holds the texts of a table in one pair of languages: a unit for each text, whose `name` is its
column and row's key. What comes back is matched by key and column, and its source
must be the text that the table has now.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from operator import itemgetter
from xml.sax.saxutils import escape, quoteattr

from avatarlab_ops import language_tags, strict_xml
from avatarlab_ops.errors import RequestInvalid
from avatarlab_ops.strict_xml import Node

NAMESPACE = "urn:oasis:names:tc:xliff:document:2.0"  # of 2.0 and 2.1
MAX_BYTES = 64 << 20
_DONE = ("translated", "reviewed", "final")  # states of a segment whose translation may be nothing
_MARKS = ("mrk", "pc", "ph", "sc", "ec")  # within a text, of words or of codes that a tool puts aside
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
Place = tuple[str, str]  # the row's key, the column


@dataclass(frozen=True)
class Document:
    """Texts by key and column, (source, target) each; a target is "" where nobody has translated it."""

    source_language: str
    target_language: str
    texts: Mapping[Place, tuple[str, str]]


def write(document: Document) -> bytes:
    """The document in UTF-8. Raises RequestInvalid for a text with a character that XML cannot hold."""
    source_language, target_language = map(quoteattr, (document.source_language, document.target_language))
    languages = f"srcLang={source_language} trgLang={target_language}"
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<xliff xmlns="{NAMESPACE}" version="2.1" {languages}>',
        '  <file id="f1">',
    ]
    for number, ((key, column), (source, target)) in enumerate(document.texts.items(), 1):
        if found := _NO_XML.search(f"{key}{column}{source}{target}"):
            raise RequestInvalid(f"{key}: {column} holds U+{ord(found[0]):04X}, which XML cannot; remove it")
        given = f'<target xml:space="preserve">{escape(target)}</target>' if target else ""
        state = ' state="translated"' if target else ""
        lines.append(
            f'    <unit id="u{number}" name={quoteattr(f"{column}/{key}")}><segment{state}>'
            f'<source xml:space="preserve">{escape(source)}</source>{given}</segment></unit>'
        )
    return "\n".join([*lines, "  </file>", "</xliff>", ""]).encode()


def read(raw: bytes, name: str) -> Document:
    """The texts of a document that `write` made and somebody translated.

    Raises RequestInvalid, with the line, for what is not XLIFF 2, lacks its languages, or names a text twice.
    """
    root = strict_xml.parse(raw, name, max_bytes=MAX_BYTES)
    if (root.name, root.namespace) != ("xliff", NAMESPACE):
        found = root.attributes.get("version", "unknown")
        raise _refusal(name, root, f"is not XLIFF 2.0 or 2.1 but <{root.name}>, version {found}")
    source, target = (root.attributes.get(one, "") for one in ("srcLang", "trgLang"))
    if not source or not target:
        raise _refusal(name, root, "<xliff> needs srcLang and trgLang, the languages of the texts")
    if no_tags := [one for one in (source, target) if not language_tags.normal(one)]:
        raise _refusal(name, root, f"<xliff>: {no_tags[0]!r} is not a BCP 47 tag such as es or pt-BR")
    texts: dict[Place, tuple[str, str]] = {}
    for unit in _units(root):
        column, slash, key = unit.attributes.get("name", "").partition("/")
        if not slash:
            raise _refusal(name, unit, "<unit> has no name such as script/KEY, by which its row is found")
        if (key, column) in texts:
            raise _refusal(name, unit, f"the text {column}/{key} is there twice")
        texts[key, column] = _joined(unit, name)
    if not texts:
        raise _refusal(name, root, "no <unit> in it")
    return Document(language_tags.normal(source), language_tags.normal(target), texts)


def _units(node: Node) -> Iterable[Node]:
    for child in node.children("file", "group", "unit"):
        yield from [child] if child.name == "unit" else _units(child)


def _joined(unit: Node, name: str) -> tuple[str, str]:
    """Source and target of a unit, which a tool may have cut into segments; "" for one that lacks a part.

    A target stands where its attribute `order` says, counted from 1, else where its source does.
    """
    source, whole, targets, codes = "", True, [], _codes(unit, name)
    for place, part in enumerate(unit.children("segment", "ignorable"), 1):
        said = next((_text(one, codes, name) for one in part.children("source")), "")
        found = next((_text(one, codes, name) for one in part.children("target")), None)
        translated = _translated(part.attributes.get("state", ""), said, found)
        whole = whole and (translated is not None or part.name == "ignorable")
        source += said
        targets.append((_order(part, place, name), said if translated is None else translated))
    return source, "".join(text for _, text in sorted(targets, key=itemgetter(0))) if whole else ""


def _order(part: Node, place: int, name: str) -> int:
    written = next((one.attributes.get("order", "") for one in part.children("target")), "")
    if written and not re.fullmatch("[0-9]{1,9}", written):
        raise _refusal(name, part, f"order is {written!r}; the place of the target from 1 on is wanted")
    return int(written or place)


def _translated(state: str, said: str, found: str | None) -> str | None:
    """What a part says in the other language, None where nobody has translated it.

    Tools write an empty target, or a copy of the source whose state is "initial", for what is open. One of
    which the translator says that it is done is empty on purpose: its words stand in another segment. What
    differs from its source is a translation, whatever its state: some tools leave all at "initial".
    """
    if found is None:
        return None
    empty = not found.strip() and state not in _DONE
    copied = found.strip() == said.strip() and state == "initial"
    return None if said.strip() and (empty or copied) else found


def _codes(unit: Node, name: str) -> dict[str, str]:
    """Parts of the texts, such as <b>, that a tool has put aside, by the ids with which marks name them."""
    kept = (one for aside in unit.children("originalData") for one in aside.children("data"))
    return {one.attributes.get("id", ""): _text(one, {}, name) for one in kept}


def _text(node: Node, codes: Mapping[str, str], name: str) -> str:
    found = []
    for one in node.content:
        if isinstance(one, str):
            found.append(one)
        elif one.name in _MARKS:
            begin = _code(one, "dataRef", codes, name) + _code(one, "dataRefStart", codes, name)
            found.append(begin + _text(one, codes, name) + _code(one, "dataRefEnd", codes, name))
        elif one.name == "cp":
            raise _refusal(name, one, "<cp> stands for a control character, which no script may hold")
    return "".join(found)


def _code(mark: Node, attribute: str, codes: Mapping[str, str], name: str) -> str:
    """What was put aside for a mark, "" where it names nothing."""
    if attribute not in mark.attributes:
        return ""
    if (reference := mark.attributes[attribute]) not in codes:
        raise _refusal(name, mark, f"<{mark.name}>: no <data> of the unit has the id {reference!r}")
    return codes[reference]


def _refusal(name: str, node: Node, reason: str) -> RequestInvalid:
    return RequestInvalid(f"{name}: line {node.line}: {reason}")
