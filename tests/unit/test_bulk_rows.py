"""CSV and JSON Lines: what is right is read, what is wrong is said with its line, whatever bytes come."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatarlab_ops.bulk import rows
from avatarlab_ops.bulk.rows import Problem, Row
from avatarlab_ops.errors import RequestInvalid
from avatarlab_ops.request import AvatarRequest

HEADER = "script,avatar.uri\n"
RIGHT = "Hello.,s3://inputs/a.png\n"


def read(content: bytes | str, name: str = "x.csv", *, template: bool = False) -> list[Row | Problem]:
    data = content.encode() if isinstance(content, str) else content
    return list(rows.read(io.BytesIO(data), name, template=template))


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
        ("script;avatar.uri", "separated by commas"),
        ("script,hat", "'hat'"),
        ("script,script", "more than one column 'script'"),
        ("", "empty"),
    ],
)
def test_a_wrong_header_is_refused_at_line_1(header: str, said: str) -> None:
    with pytest.raises(RequestInvalid, match=f"line 1: .*{said}"):
        read(header)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ('=HYPERLINK("x"),s3://inputs/a.png,k,5', "formula"),
        ("Hi.,s3://inputs/a.png,+1,5", "labels.a: '+1' is a formula"),
        ("Hi.,s3://inputs/a.png,@x,5", "labels.a: '@x' is a formula"),
        ("Hi.,s3://inputs/a.png,k,five", "seed: 'five'"),
        ('"Hi.,s3://inputs/a.png,k,5', "unexpected end"),
        ('"Hi" there,s3://inputs/a.png,k,5', "expected after"),
    ],
)
def test_a_wrong_cell_is_named_with_its_line(row: str, said: str) -> None:
    found = read(f"script,avatar.uri,labels.a,seed\nHi.,s3://inputs/a.png,k,5\n{row}\n")
    assert isinstance(found[0], Row)
    (problem,) = found[1:]
    assert isinstance(problem, Problem)
    assert problem.line == 3
    assert said in problem.reason


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


def test_utf_16_and_nul_are_named() -> None:
    with pytest.raises(RequestInvalid, match="line 1: byte 1: the file is UTF-16"):
        read((HEADER + RIGHT).encode("utf-16"))
    found = read(HEADER.encode() + b"He\0llo.,s3://inputs/a.png\n")
    assert found == [Problem(2, "byte 3 is NUL; is the file text in UTF-8?")]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_byte_order_mark_and_either_line_end_are_accepted(end: str) -> None:
    content = b"\xef\xbb\xbf" + (HEADER + RIGHT).replace("\n", end).encode()
    assert read(content) == [Row(2, {"script": "Hello.", "avatar.uri": "s3://inputs/a.png"})]


def test_a_gigabyte_is_refused_by_its_size() -> None:
    with pytest.raises(RequestInvalid, match="1,073,741,824 bytes"):
        rows.check_size(1 << 30, "x.csv")


def test_an_endless_line_is_refused_without_being_held() -> None:
    with pytest.raises(RequestInvalid, match="line 2: longer than"):
        read(HEADER.encode() + b"a" * (rows.MAX_LINE_BYTES + 2))


def test_too_many_rows_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MAX_ROWS", 3)
    with pytest.raises(RequestInvalid, match="line 5: more than 3 rows"):
        read(HEADER + RIGHT * 4)


def test_json_lines_say_what_is_wrong_with_each() -> None:
    text = '{"script": "Hi."}\n\n[1]\n{"script": \n{"name": "Ann", "n": 3}\n'
    found = read(text, "x.jsonl", template=True)
    assert found[0] == Row(1, {"script": "Hi."})
    assert [problem.line for problem in found[1:]] == [3, 4, 5]
    assert "must be text" in str(found[3])


def test_the_files_name_says_what_it_is() -> None:
    with pytest.raises(RequestInvalid, match=r"neither \.csv nor \.jsonl"):
        read("x", "x.xlsx")


@given(st.lists(st.text(st.characters(exclude_categories=("Cs", "Cc"))), min_size=1, max_size=8))
def test_any_text_survives_csv(texts: list[str]) -> None:
    file = io.StringIO()
    csv.writer(file).writerows([["name"], *([text] for text in texts)])
    found = read(file.getvalue(), template=True)
    formulas = [text for text in texts if text.startswith("=")]
    assert [row.values["name"] for row in found if isinstance(row, Row)] == [
        text for text in texts if text not in formulas
    ]
    assert len(found) == len(texts)


@given(st.lists(st.dictionaries(st.text(), st.text()), max_size=5))
def test_any_variables_survive_json_lines(variables: list[dict[str, str]]) -> None:
    text = "".join(json.dumps(row) + "\n" for row in variables)
    assert read(text, "x.jsonl", template=True) == [Row(n, row) for n, row in enumerate(variables, 1)]


@given(st.binary(max_size=400), st.sampled_from(["x.csv", "x.jsonl"]), st.booleans())
def test_any_bytes_are_read_or_refused_by_name(content: bytes, name: str, template: bool) -> None:
    try:
        lines = [item.line for item in read(content, name, template=template)]
    except RequestInvalid as error:
        lines = [int(str(error).removeprefix("line ").partition(":")[0])]
    last = content.count(b"\n") + content.count(b"\r") + 1
    assert all(1 <= line <= last for line in lines)
