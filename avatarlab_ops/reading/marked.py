"""A script whose words may carry how they are said: what SSML and pronunciation lexicons make of it."""

from __future__ import annotations

from dataclasses import dataclass

PAUSE_CLAUSE_S = 0.15  # natural silences, also where a mark asks for a weak, medium or strong one
PAUSE_SENTENCE_S = 0.35
PAUSE_PARAGRAPH_S = 0.7


@dataclass(frozen=True)
class Piece:
    """Some text as written; `said`: words said instead; `sounds`: those of each of its words.

    `worded`: what is said is in words already, and not read like what is written.
    """

    text: str
    said: str = ""
    sounds: tuple[str, ...] = ()
    worded: bool = False

    @property
    def spoken(self) -> bool:
        """Whether it is said aloud: a sign that a mark gives words is."""
        return bool(self.said or self.sounds) or any(map(str.isalnum, self.text))


@dataclass(frozen=True)
class Run:
    """Text spoken in one way, and the silence after it in seconds (None: a natural one).

    `rate`: speed, 1 the voice's own; `language`: BCP 47 tag, "" the script's; `wrapped`: an editor may have
    wrapped its lines.
    """

    pieces: tuple[Piece, ...]
    pause_s: float | None = None
    rate: float = 1.0
    language: str = ""
    wrapped: bool = True

    @property
    def text(self) -> str:
        """The text as written."""
        return "".join(piece.text for piece in self.pieces)
