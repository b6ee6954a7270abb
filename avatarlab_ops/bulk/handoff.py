"""A table's texts to translators and back: `script` becomes `script:en-US`, `script:es` and so on."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field

from avatarlab_ops import language_tags
from avatarlab_ops.bulk import languages, rows, xliff
from avatarlab_ops.bulk.xliff import Document
from avatarlab_ops.errors import RequestInvalid

SHOWN = 5  # mistakes that are told one by one
_HEARD = ("voice", "narration.uri")  # of a table of requests: in the table's own language alone


@dataclass
class Table:
    """A CSV file: its columns (`languages.usual`), and the cells of each row by its key.

    `mark` is its byte order mark, by which Excel knows UTF-8, and Excel's line about the separator, or "".
    The `separator` stands between its cells.
    """

    name: str
    columns: list[str]
    cells: dict[str, dict[str, str]] = field(default_factory=dict)
    mark: str = ""
    separator: str = ","

    def column(self, text: str, language: str) -> str:
        """The column that holds a text in this language: `script:es`, or `script` for the table's own."""
        return own if (own := f"{text}:{language}") in self.columns else text


def table(raw: bytes, name: str) -> Table:
    """Read a table. Raises RequestInvalid for a file that is not CSV or whose rows lack own keys."""
    columns, found = rows.texts(io.BytesIO(raw), name)
    if rows.KEY not in columns:
        raise RequestInvalid(f"{name}: translations find their rows by the column {rows.KEY!r}; add it")
    languages.check_once(columns)
    mark = rows.BOM.decode() if raw.startswith(rows.BOM) else ""
    told, separator = rows.separated(raw.removeprefix(rows.BOM))
    read = Table(name, [languages.usual(one) for one in columns], mark=mark + told, separator=separator)
    for row in found:
        key = row.values.get(rows.KEY, "")
        if not key or key in read.cells:
            raise RequestInvalid(f"{name}: line {row.line}: its key {key!r} is empty or another row's")
        read.cells[key] = {languages.usual(column): cell for column, cell in row.values.items()}
    return read


def out(source: Table, texts: Sequence[str], from_: str, to: str) -> Document:
    """The texts of these columns for a translator, with what is translated already.

    Raises RequestInvalid for a language that no request takes, a row in another language, a column that is
    not there, and a script that is a list of lines.
    """
    from_, to = _pair(from_, to)
    _refuse(source.name, _strangers(source, f"{from_} is asked for (--from)", from_))
    lacking = [text for text in texts if source.column(text, from_) not in source.columns or "/" in text]
    if lacking:
        there = ", ".join(source.columns)
        raise RequestInvalid(f"{source.name}: no column {', '.join(map(repr, lacking))}; it has {there}")
    found = {}
    for key, cells in source.cells.items():
        for text in texts:
            written = cells.get(source.column(text, from_), "")
            if text == languages.SCRIPT and rows.is_list(written):
                raise RequestInvalid(f"{source.name}: {key}: {text} is a list of lines; write it as one text")
            if written:
                found[key, text] = written, cells.get(f"{text}:{to}", "")
    if not found:
        raise RequestInvalid(f"{source.name}: no text in {', '.join(texts)}")
    return Document(from_, to, found)


def into(target: Table, documents: Sequence[Document]) -> tuple[str, list[str]]:
    """(the table as CSV with a column for each text and language, what is not translated yet).

    A translation that the table has stays where the documents have none.

    Raises RequestInvalid where documents and table do not belong together: another source language, a row
    that is not there, a source text that has changed since.
    """
    (from_, *others) = {one.source_language for one in documents}
    if others:
        raise RequestInvalid(
            f"the documents come from {len(others) + 1} languages; give those of one at a time"
        )
    texts = list(dict.fromkeys(column for one in documents for _, column in one.texts))
    _check(target, documents, from_)
    made = _apart(target, texts, from_)
    columns = made.columns + [f"{text}:{one.target_language}" for text in texts for one in documents]
    filled, told = made.cells, []
    for language in dict.fromkeys(one.target_language for one in documents):
        found = _translations([one for one in documents if one.target_language == language])
        for (key, text), translated in found.items():
            column = f"{text}:{language}"
            filled[key][column] = translated or filled[key].get(column, "")
        lacking = sum(not filled[key][f"{text}:{language}"] for key, text in found)
        if lacking:
            told.append(f"{language}: {lacking} of {len(found)} texts are not translated yet")
    written = io.StringIO()
    writer = csv.DictWriter(written, list(dict.fromkeys(columns)), extrasaction="ignore", lineterminator="\n",
                            delimiter=target.separator)  # fmt: skip
    writer.writeheader()
    writer.writerows(filled.values())
    return target.mark + written.getvalue(), told


def _translations(documents: Sequence[Document]) -> dict[xliff.Place, str]:
    """What documents of one language say, "" where none says it. Raises RequestInvalid where two differ."""
    found: dict[xliff.Place, str] = {}
    wrong = []
    for one in documents:
        for (key, text), (_, translated) in one.texts.items():
            known = found.get((key, text), "")
            if known and translated and _plain(known) != _plain(translated):
                wrong.append(f"{key}: {text} is translated in two ways; give the one that is right")
            found[key, text] = known or translated
    _refuse(documents[0].target_language, wrong)
    return found


def _apart(target: Table, texts: Sequence[str], from_: str) -> Table:
    """The table with its own language in the names of columns; a cell of such a column stays.

    What goes with a script is in that language, too: its voice, its recording.
    """
    own = [*texts, *_HEARD] if languages.SCRIPT in texts else texts
    named = {column: f"{column}:{from_}" if column in own else column for column in target.columns}
    named.pop(languages.LANGUAGE, None)
    cells = {
        key: {named[name]: cell for name, cell in found.items() if name in named} | found
        for key, found in target.cells.items()
    }
    return Table(target.name, list(named.values()), cells)


def _check(target: Table, documents: Sequence[Document], from_: str) -> None:
    wrong = _strangers(target, f"the documents come from {from_}", from_)
    for document in documents:
        for (key, text), (source, _) in document.texts.items():
            if key not in target.cells:
                wrong.append(f"{key}: no such row")
            elif _plain(target.cells[key].get(target.column(text, from_), "")) != _plain(source):
                wrong.append(f"{key}: {text} has changed since it went to the translators; send it again")
    _refuse(target.name, wrong)


def _pair(from_: str, to: str) -> tuple[str, str]:
    """Both languages as tags are usually written."""
    for option, language in (("--from", from_), ("--to", to)):
        if not language_tags.normal(language):
            meant = " or ".join(language_tags.near(language)) or "one such as es or pt-BR"
            raise RequestInvalid(f"{option}: {language!r} is not a BCP 47 tag; write {meant}")
    from_, to = language_tags.normal(from_), language_tags.normal(to)
    if from_ == to:
        raise RequestInvalid(f"--to: the texts are in {to} already; name the language that is wanted")
    return from_, to


def _strangers(source: Table, expected: str, language: str) -> list[str]:
    """The rows whose column `language` names another one."""
    return [
        f"{key}: language is {cells[languages.LANGUAGE]!r}, {expected}"
        for key, cells in source.cells.items()
        if _usual(cells.get(languages.LANGUAGE, language)) != language
    ]


def _usual(language: str) -> str:
    return language_tags.normal(language) or language


def _refuse(name: str, wrong: list[str]) -> None:
    if wrong:
        more = [f"and {len(wrong) - SHOWN} more"] if len(wrong) > SHOWN else []
        raise RequestInvalid(f"{name}: " + "; ".join(wrong[:SHOWN] + more))


def _plain(text: str) -> str:
    """Without the ends of lines, which editors change."""
    return text.replace("\r\n", "\n").strip()
