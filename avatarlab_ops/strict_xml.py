"""XML of strangers: no document type, so no entity can be declared; few enough elements, nested a little."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

from avatarlab_ops.errors import RequestInvalid

MAX_ELEMENTS = 500_000
MAX_DEPTH = 50
LANG = "http://www.w3.org/XML/1998/namespace lang"


@dataclass
class Node:
    """An element: its name within its namespace, that namespace, and what it holds, texts and elements.

    `line` of the file; attributes of another namespace are named "NAMESPACE name".
    """

    name: str
    namespace: str
    attributes: dict[str, str]
    line: int
    content: list[str | Node] = field(default_factory=list)

    def children(self, *names: str) -> Iterator[Node]:
        """The elements directly in it, of these names, in their order; without names all."""
        found = (one for one in self.content if isinstance(one, Node))
        return (one for one in found if not names or one.name in names)

    @property
    def text(self) -> str:
        """All text in it, at any depth."""
        return "".join(one if isinstance(one, str) else one.text for one in self.content)


def parse(raw: bytes, what: str, *, max_bytes: int, max_elements: int = MAX_ELEMENTS) -> Node:
    """The outermost element; `what` names the file in refusals.

    Raises RequestInvalid with the line for what is not well-formed XML, has a document type or is too large.
    """
    if len(raw) > max_bytes:
        raise RequestInvalid(f"{what} has {len(raw):,} bytes, at most {max_bytes:,} are allowed")
    reader = _Reader(what, max_elements)
    try:
        reader.parser.Parse(raw, True)
    except expat.ExpatError as error:
        reason = expat.ErrorString(error.code)
        raise RequestInvalid(f"{what}: line {error.lineno}: is not well-formed XML ({reason})") from error
    except (LookupError, ValueError) as error:  # an encoding that nobody knows
        raise RequestInvalid(f"{what}: line 1: {error}; save it as UTF-8") from error
    return reader.root[0]


class _Reader:
    def __init__(self, what: str, most: int) -> None:
        self._what, self._most, self._open, self._count = what, most, list[Node](), 0
        self.root: list[Node] = []
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = lambda _: self._open.pop()
        self.parser.CharacterDataHandler = self._text

    def _refuse(self, reason: str) -> RequestInvalid:
        return RequestInvalid(f"{self._what}: line {self.parser.CurrentLineNumber}: {reason}")

    def _doctype(self, *_: Any) -> None:
        raise self._refuse("a document type is not allowed; leave <!DOCTYPE ...> out")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if self._count > self._most:
            raise self._refuse(f"more than {self._most:,} elements; split the file")
        if len(self._open) == MAX_DEPTH:
            raise self._refuse(f"elements are nested deeper than {MAX_DEPTH}")
        namespace, _, plain = name.rpartition(" ")
        node = Node(plain, namespace, attributes, self.parser.CurrentLineNumber)
        (self._open[-1].content if self._open else self.root).append(node)
        self._open.append(node)

    def _text(self, text: str) -> None:
        self._open[-1].content.append(text)
