"""CSV and JSON Lines: what is right is read, what is wrong is said with its line, whatever bytes come."""

from __future__ import annotations

import csv
import io
import json
import re
import tracemalloc
from collections.abc import Collection
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatarlab_ops.bulk import report, rows
from avatarlab_ops.bulk.rows import Problem, Row
from avatarlab_ops.errors import RequestInvalid
from avatarlab_ops.request import AvatarRequest

HEADER = "script,avatar.uri\n"
RIGHT = "Hello.,s3://inputs/a.png\n"


def read(
    content: bytes | str, name: str = "x.csv", *, variables: Collection[str] | None = None
) -> list[Row | Problem]:
    data = content.encode() if isinstance(content, str) else content
    return list(rows.read(io.BytesIO(data), name, variables=variables))


def test_cells_become_what_the_contract_takes() -> None:
    text = (
        "key,script,avatar.uri,output.fps,motion.blinks,background.blur_strength,seed,voice,labels.team\n"
        'a,"Say ""hi"",\nplease.",s3://inputs/a.png,30,false,0.25,7,,north\n'
    )
    (row,) = read(text)
    assert isinstance(row, Row)
    assert row.line == 2
    values = dict(row.values)
    assert values.pop("key") == "a"
    request = AvatarRequest.parse(values)
    assert request.script == 'Say "hi",\nplease.'
    assert (request.output.fps, request.motion.blinks, request.background.blur_strength) == (30, False, 0.25)
    assert (request.seed, request.voice, request.labels) == (7, None, {"team": "north"})


def test_a_rate_is_a_number_or_the_sources_own_and_a_recording_needs_no_script() -> None:
    found = read("avatar.uri,narration.uri,output.fps\ns3://inputs/a.mp4,s3://inputs/n.wav,source\n")
    assert isinstance(found[0], Row)
    asked = AvatarRequest.parse(found[0].values)
    assert (asked.output.fps, asked.script) == ("source", None)


def test_one_bad_row_in_a_thousand_is_named() -> None:
    lines = [RIGHT] * 1000
    lines[616] = "too,many,cells\n"
    found = read(HEADER + "".join(lines))
    assert [item for item in found if isinstance(item, Problem)] == [
        Problem(618, "3 cells, but the header names 2 columns")
    ]
    assert len(found) == 1000


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("script|avatar.uri", "no such column: 'script|avatar.uri'"),
        ("script,hat", "'hat'"),
        ("script,script", "more than one column 'script'"),
        ("script,seed", "no column 'avatar.uri'; every request needs it"),
        ("seed", "no column 'script', 'avatar.uri'"),
        ("script\ravatar.uri\rHi.", "CR alone"),
        ('"script,avatar.uri\n', "none ends it"),
        ("script,avatar.uri,", "column 3 of 3 has no name"),
        ("", "empty"),
        ("\n\n", "blank"),
        ("\nscript,avatar.uri\n", "blank"),
    ],
)
def test_a_wrong_header_is_refused_at_line_1(header: str, said: str) -> None:
    with pytest.raises(RequestInvalid, match=f"line 1: .*{re.escape(said)}"):
        read(header)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ('=HYPERLINK("x"),s3://inputs/a.png,k,5', "formula"),
        ("Hi.,s3://inputs/a.png,+1,5", "labels.a: '+1' is a formula"),
        ("Hi.,s3://inputs/a.png,@x,5", "labels.a: '@x' is a formula"),
        ("Hi.,s3://inputs/a.png,k,five", "seed: 'five'"),
        ("Hi.,=HYPERLINK(1),k,5", "avatar.uri: '=HYPERLINK(1)' is a formula"),
        ("Hi.,s3://inputs/a.png,k," + "9" * 5000, "seed: '999"),
        ("Hi.,s3://inputs/a.png,k,１２", "seed: '１２'"),  # noqa: RUF001  (full-width)
        ("Hi.,s3://inputs/a.png,k,1_0", "seed: '1_0' is not what the field takes; write a whole number"),
        (
            '"[{""text"":""Lost."",""text"":""Kept.""}]",s3://inputs/a.png,k,5',
            "script: the cell gives 'text' twice",
        ),
        ('"Hi.,s3://inputs/a.png,k,5', "none ends it"),
        ('"Hi" there,s3://inputs/a.png,k,5', "must stand in double quotes"),
        ("a" * 140_000 + ",s3://inputs/a.png,k,5", "longer than 131,072 characters"),
    ],
)
def test_a_wrong_cell_is_named_with_its_line(row: str, said: str) -> None:
    found = read(f"script,avatar.uri,labels.a,seed\nHi.,s3://inputs/a.png,k,5\n{row}\n")
    assert isinstance(found[0], Row)
    (problem,) = found[1:]
    assert isinstance(problem, Problem)
    assert problem.line == 3
    assert said in problem.reason


def test_a_quote_left_open_tells_which_lines_it_took() -> None:
    found = read(f'{HEADER}{RIGHT}"Hi.,s3://inputs/a.png\n{RIGHT}{RIGHT}"x",s3://inputs/a.png\n{RIGHT}')
    assert [item.line for item in found] == [2, 3, 7]
    assert "everything up to line 6 was read as part of it" in str(found[1])


def test_columns_that_do_not_fit_the_template_are_said_once() -> None:
    with pytest.raises(RequestInvalid, match=r"^line 1: no variable 'city'.*; variable 'town' has no place"):
        read("name,town\n" + "Ann,Rome\n" * 1000, variables=["name", "city"])
    assert read("key,name\na,Ann\n", variables=["name"]) == [Row(2, {"key": "a", "name": "Ann"})]


@pytest.mark.parametrize(
    ("content", "name"), [(HEADER, "x.csv"), (HEADER + "\n\n", "x.csv"), ("\n", "x.jsonl")]
)
def test_a_file_without_a_row_is_refused(content: str, name: str) -> None:
    with pytest.raises(RequestInvalid, match=f"line {content.count(chr(10))}: the file ends without a row"):
        read(content, name)


class Generated(io.RawIOBase):
    """A gigabyte that nobody holds: a header, then one row again and again."""

    def __init__(self, row: bytes) -> None:
        self.row, self.left, self.next = row, 1 << 30, HEADER.encode()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = min(len(buffer), self.left)
        self.next += self.row * (1 + count // len(self.row))
        buffer[:count], self.next = self.next[:count], self.next[count:]
        self.left -= count
        return count


@pytest.mark.parametrize("name", ["x.csv", "x.jsonl"])
@pytest.mark.parametrize("row", [RIGHT.encode(), b"a" * 4096, b'"' + b"a\n" * 400])
def test_a_gigabyte_that_says_another_size_is_never_held(
    name: str, row: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "MAX_ROWS", 1000)
    raw = Generated(row)
    tracemalloc.start()
    try:
        with pytest.raises(RequestInvalid, match=r"line \d+: (more than 1,000 rows|longer than)"):
            for _ in rows.read(io.BufferedReader(raw), name):
                pass
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
    assert raw.left > 1 << 29


@pytest.mark.parametrize("script", ["-5 degrees today.", "+1 for that.", "@home we say so."])
def test_what_is_said_may_begin_like_a_formula(script: str) -> None:
    (row,) = read(f"{HEADER}{script},s3://inputs/a.png\n")
    assert isinstance(row, Row)
    assert row.values["script"] == script


def test_mixed_encodings_are_refused_with_line_and_byte() -> None:
    found = read(
        f"{HEADER}Café.,s3://inputs/a.png\n".encode() + "Café.,s3://inputs/a.png\n".encode("latin-1")
    )
    assert isinstance(found[0], Row)
    assert found[1] == Problem(3, "byte 4 (0xe9) is not UTF-8; save it as UTF-8")


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("told", ["", "sep={}\r\n", "SEP={}\r\n", '"sep={}"\r\n'])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_the_header_or_excels_first_line_says_what_separates(separator: str, told: str, mark: str) -> None:
    text = 'key;name;text\r\n1;Zoë;"a; b, c"\r\n2;Ann;-\r\n'.replace(";", separator)
    found = read(mark + told.format(separator) + text, variables=["name", "text"])
    first = 3 if told else 2
    cell = "a; b, c".replace(";", separator)
    assert found == [
        Row(first, {"key": "1", "name": "Zoë", "text": cell}),
        Row(first + 1, {"key": "2", "name": "Ann", "text": "-"}),
    ]


def test_lines_are_counted_behind_excels_first_line() -> None:
    found = read("sep=;\nscript;avatar.uri\nHi.;s3://inputs/a.png\nHi.;s3://inputs/a.png;\n")
    assert [item.line for item in found] == [3, 4]
    assert str(found[1]) == "line 4: 3 cells, but the header names 2 columns"


def test_rows_without_a_text_are_skipped() -> None:
    right = {"script": "Hello.", "avatar.uri": "s3://inputs/a.png"}
    assert read(f"{HEADER},\n{RIGHT},\n\n{RIGHT},\n") == [Row(3, right), Row(6, right)]


def test_a_template_s_words_may_begin_like_a_formula_where_no_report_shows_them() -> None:
    assert read("degrees\n-5\n", variables=("degrees",)) == [Row(2, {"degrees": "-5"})]


def test_a_row_of_blanks_is_none() -> None:
    assert read(f"{HEADER} ,  \n{RIGHT}") == [Row(3, {"script": "Hello.", "avatar.uri": "s3://inputs/a.png"})]


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        (b"", "x.csv", "x.csv: line 1: .*empty"),
        (b"", "x.jsonl", "x.jsonl: line 1: .*without a row"),
        (b"\xff\xfe\0\x01", "x.jsonl", "UTF-16"),
        (b"name\nAnna,2\n", "x.csv", "line 2: 2 cells, but the header names 1"),
        (b'{"a": 1}\n[2]\n', "x.ndjson", "line 2: not a JSON object"),
        (b'[\n{"a": 1},\n', "x.jsonl", "line 1: begins a list; write one object a line"),
    ],
)
def test_a_file_without_rows_is_refused_whatever_its_columns_are_for(
    content: bytes, name: str, said: str
) -> None:
    with pytest.raises(RequestInvalid, match=said):
        rows.check_text(io.BytesIO(content), name)


def test_what_a_cell_takes_is_named() -> None:
    """WAHR and 0,5 are what a German spreadsheet writes."""
    header = "script,avatar.uri,motion.blinks,background.blur_strength,output.fps\nHi.,s3://inputs/a.png,"
    for cells, said in (
        ("WAHR,0.5,25", "motion.blinks: 'WAHR' is not what the field takes; write true or false"),
        ('true,"0,5",25', "'0,5' is not what the field takes; write a number such as 0.5, with a point"),
        ("true,0.5,2.5", "output.fps: '2.5' is not what the field takes; write a whole number such as 25"),
    ):
        (problem,) = rows.read(io.BytesIO((header + cells).encode()), "x.csv")
        assert said in str(problem)


def test_columns_of_any_name_pass_where_nobody_knows_the_template() -> None:
    rows.check_text(io.BytesIO("größe,first name\n3,\n".encode()), "x.csv")
    rows.check_text(io.BytesIO(b'{"anything": 1}\n'), "x.jsonl")


def test_utf_16_and_nul_are_named() -> None:
    with pytest.raises(RequestInvalid, match=r"line 1: byte 3 \(0xfc\) is not UTF-8"):
        read("Stück,script\n".encode("latin-1"))
    with pytest.raises(RequestInvalid, match="line 1: byte 1: the file is UTF-16"):
        read((HEADER + RIGHT).encode("utf-16"))
    found = read(HEADER.encode() + b"He\0llo.,s3://inputs/a.png\n")
    assert found == [Problem(2, "byte 3 is NUL; is the file text in UTF-8?")]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_byte_order_mark_and_either_line_end_are_accepted(end: str) -> None:
    content = b"\xef\xbb\xbf" + (HEADER + RIGHT).replace("\n", end).encode()
    assert read(content) == [Row(2, {"script": "Hello.", "avatar.uri": "s3://inputs/a.png"})]


def test_a_gigabyte_is_refused_by_its_size() -> None:
    rows.check_size(64 * 1024 * 1024, "x.csv")
    with pytest.raises(RequestInvalid, match="1,073,741,824 bytes"):
        rows.check_size(1 << 30, "x.csv")


def test_an_endless_line_is_refused_without_being_held() -> None:
    with pytest.raises(RequestInvalid, match="line 2: longer than 1,048,576 bytes"):
        read(HEADER.encode() + b"a" * (rows.MAX_LINE_BYTES + 2))


def test_too_many_rows_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MAX_ROWS", 3)
    with pytest.raises(RequestInvalid, match="line 5: more than 3 rows"):
        read(HEADER + RIGHT * 4)


def test_json_lines_say_what_is_wrong_with_each() -> None:
    text = '{"script": "Hi."}\n\n[1]\n{"script": \n{"name": "Ann", "n": 3}\n'
    found = read(text, "x.jsonl", variables=["script"])
    assert found[0] == Row(1, {"script": "Hi."})
    assert [problem.line for problem in found[1:]] == [3, 4, 5]
    assert "must be text" in str(found[3])


def test_the_files_name_says_what_it_is() -> None:
    with pytest.raises(RequestInvalid, match=r"neither \.csv nor \.jsonl"):
        read("x", "x.xlsx")


def test_an_empty_variable_is_told_with_its_line() -> None:
    first, second = read("key,name,team\n,Ann,blue\n7,,red\n", variables=["name", "team"])
    assert isinstance(first, Row)
    assert str(second) == "line 3: the variable 'name' is empty; a file with some that may be is JSON Lines"
    (row,) = read('{"name": ""}\n', "people.jsonl", variables=["name"])
    assert isinstance(row, Row)


ANY = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1).filter(
    str.strip
)  # blanks are no row


@given(st.lists(ANY, min_size=1, max_size=8))
def test_any_text_survives_csv(texts: list[str]) -> None:
    file = io.StringIO()
    csv.writer(file).writerows([["name"], *([text] for text in texts)])
    found = read(file.getvalue(), variables=["name"])
    formulas = [text for text in texts if text.startswith("=")]
    assert [row.values["name"] for row in found if isinstance(row, Row)] == [
        text for text in texts if text not in formulas
    ]
    assert len(found) == len(texts)


@given(st.lists(st.dictionaries(st.text(), st.text()), min_size=1, max_size=5))
def test_any_variables_survive_json_lines(variables: list[dict[str, str]]) -> None:
    text = "".join(json.dumps(row) + "\n" for row in variables)
    assert read(text, "x.jsonl", variables=[]) == [Row(n, row) for n, row in enumerate(variables, 1)]


@given(
    st.sampled_from([b"", b"a\n", HEADER.encode(), (HEADER + RIGHT).encode()]),
    st.binary(max_size=400) | st.text('a",\r\n=é', max_size=60).map(str.encode),
    st.sampled_from(["x.csv", "x.jsonl"]),
    st.sampled_from([None, ["a"]]),
)
def test_any_bytes_are_read_or_refused_by_name(
    head: bytes, rest: bytes, name: str, variables: list[str] | None
) -> None:
    content = head + rest
    try:
        lines = [item.line for item in read(content, name, variables=variables)]
    except RequestInvalid as error:
        lines = [int(str(error).removeprefix("line ").partition(":")[0])]
    last = content.count(b"\n") + content.count(b"\r") + 1
    assert all(1 <= line <= last for line in lines)


def test_the_reports_header_is_calculated_by_no_spreadsheet() -> None:
    """A template's placeholder may hold whatever its author wrote, and is a column of the report."""
    item = dict.fromkeys(report.COLUMNS) | {"variables": {"x;=1+1": "a"}}
    header, _ = report.table([item]).decode().splitlines()
    assert header.endswith(",row.x;'=1+1")
