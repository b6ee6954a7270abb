"""CSV and JSON Lines, read as a stream; whatever is wrong is said with the number of its line.

CSV: UTF-8 with a header, whose first comma, semicolon or tab says what separates cells, or Excel's line
`sep=;` before it; empty rows are skipped. JSON Lines: one object a line. A byte order mark is accepted.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any, BinaryIO

from avatarlab_ops import strict_json
from avatarlab_ops.bulk import languages
from avatarlab_ops.bulk.template import check
from avatarlab_ops.canonical import Json
from avatarlab_ops.errors import RequestInvalid
from avatarlab_ops.forms import form_schema

Columns = list[tuple[str, Callable[[str], Any]]]  # the name of each, and what its text stands for
MAX_BYTES = 64 << 20
MAX_LINE_BYTES = 1 << 20
MAX_ROWS = 50_000
KEY = "key"  # the column that names an item; left out: its line does
BOM = b"\xef\xbb\xbf"
SEPARATOR = re.compile("[,;\t]")  # no column's name contains one
SEPARATOR_LINES = ("sep=,", "sep=;", "sep=\t")  # one of them before the header: Excel writes and reads it
_WHOLE = re.compile(r"[+-]?[0-9]{1,40}")  # int and float of Python take other scripts' digits and 1_0 too
_REAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
A_WHOLE, A_NUMBER = "a whole number such as 25", "a number such as 0.5, with a point"
WIDE = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}


@dataclass(frozen=True)
class Row:
    """One row: field or variable to value, and the line it begins at."""

    line: int
    values: Json


@dataclass(frozen=True)
class Problem:
    """What is wrong with one line."""

    line: int
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}"


class _Bad(Exception):
    """A row that cannot be used; the message is the reason."""


def check_size(size: int, name: str) -> None:
    """Refuse a file by its size, before a byte of it is read."""
    if size > MAX_BYTES:
        raise RequestInvalid(
            f"{name} has {size:,} bytes, at most {MAX_BYTES:,} are allowed; split it into several bulk runs"
        )


def read(stream: BinaryIO, name: str, *, variables: Collection[str] | None = None) -> Iterator[Row | Problem]:
    """Yield every row or what is wrong with it. With `variables`, of a template, all values are text.

    Raises RequestInvalid for what is wrong with the whole file: its kind, its encoding, its header, no rows.
    """
    lines = _Lines(stream)
    if name.lower().endswith(".csv"):
        found = _csv_rows(lines, variables)
    elif name.lower().endswith((".jsonl", ".ndjson")):
        found = _json_rows(lines, text=variables is not None)
    else:
        raise RequestInvalid(f"{name} is neither .csv nor .jsonl; the name's end says how it is read")
    count = 0
    for count, item in enumerate(found, 1):
        if count > MAX_ROWS:
            raise RequestInvalid(f"line {item.line}: more than {MAX_ROWS:,} rows; split the file")
        yield item
    if not count:
        raise RequestInvalid(f"line {max(1, lines.number)}: the file ends without a row")


def check_text(stream: BinaryIO, name: str) -> None:
    """Refuse a file whose lines are no CSV or JSON Lines, whatever its columns are for.

    Raises RequestInvalid with the first line that is wrong.
    """
    lines = _Lines(stream)
    found = None
    try:
        for found in _any_rows(lines, csv_=name.lower().endswith(".csv")):
            if isinstance(found, Problem):
                raise RequestInvalid(str(found))
        if found is None:
            raise RequestInvalid(f"line {max(1, lines.number)}: the file ends without a row")
    except RequestInvalid as error:
        raise RequestInvalid(f"{name}: {error}") from error


def texts(stream: BinaryIO, name: str) -> tuple[list[str], list[Row]]:
    """The columns of a CSV file, and its rows as they are written; empty cells are left out.

    Raises RequestInvalid with the first line that is wrong.
    """
    lines = _Lines(stream)
    try:
        reader = _reader(lines)
        names = _header(reader, lines)
        found = list(_cell_rows(lines, reader, [(column, str) for column in names]))
    except RequestInvalid as error:
        raise RequestInvalid(f"{name}: {error}") from error
    if wrong := next((item for item in found if isinstance(item, Problem)), None):
        raise RequestInvalid(f"{name}: {wrong}")
    return names, [item for item in found if isinstance(item, Row)]


def _any_rows(lines: _Lines, *, csv_: bool) -> Iterator[Row | Problem]:
    """Rows whose values mean nothing yet."""
    if not csv_:
        return _json_rows(lines, text=False)
    reader = _reader(lines)
    return _cell_rows(lines, reader, [(name, str) for name in _header(reader, lines)])


class _Lines:
    """Lines of text; what cannot be decoded is replaced and noted."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.number = 0
        self.bad: dict[int, str] = {}

    def __iter__(self) -> Iterator[str]:
        while line := self._stream.readline(MAX_LINE_BYTES + 1):
            self.number += 1
            if self.number == 1:
                line = self._begin(line)
            if len(line) > MAX_LINE_BYTES:
                raise RequestInvalid(f"line {self.number}: longer than {MAX_LINE_BYTES:,} bytes; is it text?")
            yield self._decoded(line)

    def _begin(self, line: bytes) -> bytes:
        for mark, encoding in WIDE.items():
            if line.startswith(mark):
                raise RequestInvalid(f"line 1: byte 1: the file is {encoding}; save it as UTF-8")
        return line.removeprefix(BOM)

    def _decoded(self, line: bytes) -> str:
        if (at := line.find(0)) >= 0:
            self.bad[self.number] = f"byte {at + 1} is NUL; is the file text in UTF-8?"
            return line.replace(b"\0", b"?").decode(errors="replace")
        try:
            return line.decode()
        except UnicodeDecodeError as error:
            wrong = line[error.start]
            self.bad[self.number] = f"byte {error.start + 1} (0x{wrong:02x}) is not UTF-8; save it as UTF-8"
            return line.decode(errors="replace")


def _csv_rows(lines: _Lines, variables: Collection[str] | None) -> Iterator[Row | Problem]:
    reader = _reader(lines)
    return _cell_rows(lines, reader, _columns(_header(reader, lines), variables))


def _header(reader: Iterator[list[str]], lines: _Lines) -> list[str]:
    """Names of the columns."""
    try:
        header = next(reader, None)
    except csv.Error as error:
        raise RequestInvalid(f"line 1: {_unreadable(error)}") from error
    if 1 in lines.bad:
        raise RequestInvalid(f"line 1: {lines.bad[1]}")
    if not header:
        found = "the line is blank" if lines.number else "the file is empty"
        raise RequestInvalid(f"line 1: {found}; a file's first line must name the columns")
    names = [name.strip() for name in header]
    if nameless := [str(n) for n, name in enumerate(names, 1) if not name]:
        raise RequestInvalid(f"line 1: column {', '.join(nameless)} of {len(names)} has no name")
    return names


def _cell_rows(lines: _Lines, reader: Iterator[list[str]], columns: Columns) -> Iterator[Row | Problem]:
    while True:
        first = lines.number + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            last = lines.number
            lost = f"; everything up to line {last} was read as part of it" if last > first else ""
            yield Problem(first, _unreadable(error) + lost)
            continue
        if cells is None:
            return
        bad = [number for number in range(first, lines.number + 1) if number in lines.bad]
        if bad:
            yield Problem(bad[0], lines.bad[bad[0]])
        elif any(map(str.strip, cells)):
            yield _row(first, lambda cells=cells: _named(cells, columns))  # type: ignore[misc]


def _reader(lines: _Lines) -> Iterator[list[str]]:
    """The rows as cells, whatever separates them."""
    text = iter(lines)
    header = next(text, "")
    told, separator = separated(header.encode())
    return csv.reader(text if told else chain([header], text), delimiter=separator, strict=True)


def separated(raw: bytes) -> tuple[str, str]:
    """(Excel's line about it or "", what separates the cells) of a table that begins so."""
    first, _, _ = raw.partition(b"\n")
    header = first.decode(errors="replace")
    if (told := header.strip('"\r\n').lower()) in SEPARATOR_LINES:
        return f"{told}\n", told[-1]
    found = SEPARATOR.search(header)
    return "", found[0] if found else ","


def _unreadable(error: csv.Error) -> str:
    """What the csv module found, for people who have never heard of it."""
    found = str(error)
    if "new-line" in found:
        return "a line ends in CR alone; save the file with LF or CRLF at the ends of lines"
    if "limit" in found:
        return f'a cell is longer than {csv.field_size_limit():,} characters; is its double quote (") ended?'
    if "unexpected end" in found:
        return 'a double quote (") begins a text here and none ends it'
    return 'a text with double quotes (") must stand in double quotes, with those in it doubled ("")'


def _columns(names: list[str], variables: Collection[str] | None) -> Columns:
    """Name and converter of each column. Raises RequestInvalid naming every wrong one."""
    known = form_schema() if variables is None else {}
    wrong = [name for name in names if variables is None and not _is_field(name, known)]
    if wrong:
        raise RequestInvalid(
            f"line 1: no such column: {', '.join(map(repr, wrong))}; docs/request.md lists the fields"
        )
    said = Counter(map(languages.usual, names))
    if twice := sorted({name for name in names if said[languages.usual(name)] > 1}):
        raise RequestInvalid(f"line 1: more than one column {', '.join(map(repr, twice))}")
    _check_complete(names, known, variables)
    kinds = [known.get(languages.split(name)[0], {}) for name in names]
    return [
        (name, _verbatim if variables is not None else _converter(kind))
        for name, kind in zip(names, kinds, strict=True)
    ]


def _check_complete(names: list[str], known: Json, variables: Collection[str] | None) -> None:
    """Raise RequestInvalid for a column that every row needs, or that a template has no place for."""
    names = languages.names(names)
    if variables is None:
        heard = {languages.SCRIPT} if "narration.uri" in names else set[str]()  # its words are recognised
        lacking = [name for name, schema in known.items()
                   if "default" not in schema and name not in {*names, *heard}]  # fmt: skip
        if lacking:
            raise RequestInvalid(f"line 1: no column {', '.join(map(repr, lacking))}; every request needs it")
        return
    try:
        check(variables, [name for name in names if name != KEY or KEY in variables])
    except RequestInvalid as error:
        raise RequestInvalid(f"line 1: {error}") from error


def _is_field(name: str, known: Json) -> bool:
    field, _ = languages.split(name)
    return name == KEY or field in known or field.startswith("labels.")


def _verbatim(text: str) -> str:
    """A variable: text as it stands."""
    return text


def _converter(schema: Json) -> Callable[[str], Any]:
    """Text of a cell to the field's JSON type; it raises ValueError with what is wanted instead."""
    kinds = schema.get("type", "string")
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if "integer" in kinds or (schema.get("enum") and isinstance(schema["enum"][0], int)):
        words = [one for one in schema.get("enum", ()) if isinstance(one, str)]
        wanted = " or ".join([A_WHOLE, *words])
        return lambda text: text.strip() if text.strip() in words else int(_written(text, _WHOLE, wanted))
    if "number" in kinds:
        return lambda text: float(_written(text, _REAL, A_NUMBER))
    if "boolean" in kinds:
        return _truth
    if "object" in kinds:
        return lambda text: strict_json.loads(text, "the cell")
    return _script if "array" in kinds else str


def _written(text: str, number: re.Pattern[str], wanted: str) -> str:
    """The text of a number. Raises ValueError with what is wanted instead."""
    if not number.fullmatch(text.strip(" ")):
        raise ValueError(wanted)
    return text


def _truth(text: str) -> bool:
    """Whether a cell says true. Raises ValueError with what is wanted instead."""
    if (said := text.strip().lower()) not in ("true", "false"):
        raise ValueError("true or false")
    return said == "true"


def _script(text: str) -> Any:
    """A list of lines when the cell is one, else the text."""
    return strict_json.loads(text, "the cell") if is_list(text) else text


def is_list(script: str) -> bool:
    """Whether the text of a script's cell is a list of lines in JSON."""
    return script.lstrip().startswith("[{")


def _row(line: int, values: Callable[[], Json]) -> Row | Problem:
    try:
        return Row(line, values())
    except _Bad as error:
        return Problem(line, str(error))


def _named(cells: list[str], columns: Columns) -> Json:
    if len(cells) != len(columns):
        raise _Bad(f"{len(cells)} cells, but the header names {len(columns)} columns")
    values: Json = {}
    for cell, (name, convert) in zip(cells, columns, strict=True):
        _check_formula(name, cell)
        field, language = languages.split(name)
        empty = not cell.strip()
        if empty and (convert is not _verbatim or language or field == languages.LANGUAGE):
            continue  # a template's language without a text is not made
        if empty and name != KEY:
            raise _Bad(f"the variable {name!r} is empty; a file with some that may be is JSON Lines")
        try:
            values[name] = convert(cell)
        except RequestInvalid as error:
            raise _Bad(f"{name}: {error}") from error
        except ValueError as error:
            raise _Bad(f"{name}: {cell[:80]!r} is not what the field takes; write {error}") from error
    return values


def _check_formula(name: str, cell: str) -> None:
    """Refuse what a spreadsheet would calculate: "=" in any cell, the rest in names that reach the report.

    A script may begin with "-5 degrees", "+1" or "@home", so only "=" is refused there.
    """
    reaches_report = name == KEY or name.startswith("labels.")
    if cell.startswith(("=", "\t", "\r")) or (reaches_report and cell.startswith(("+", "-", "@"))):
        raise _Bad(f"{name}: {cell[:80]!r} is a formula to a spreadsheet; write the text it stands for")


def _json_rows(lines: _Lines, *, text: bool) -> Iterator[Row | Problem]:
    for line in lines:
        number = lines.number
        if number == 1 and line.lstrip().startswith("["):
            raise RequestInvalid(
                f"line {number}: begins a list; write one object a line, without the list's brackets [ ] and "
                "the commas between its objects"
            )
        if number in lines.bad:
            yield Problem(number, lines.bad[number])
        elif line.strip():
            yield _row(number, lambda line=line: _object(line, text))  # type: ignore[misc]


def _object(line: str, text: bool) -> Json:
    try:
        values = strict_json.loads(line, "the line")
    except RequestInvalid as error:
        raise _Bad(str(error)) from error
    if not isinstance(values, dict):
        raise _Bad("not a JSON object; write one object a line")
    if not text:
        return values
    wrong = [name for name, value in values.items() if not isinstance(value, str)]
    if wrong:
        raise _Bad(f"{', '.join(map(repr, wrong))}: a variable must be text, in double quotes")
    return values
