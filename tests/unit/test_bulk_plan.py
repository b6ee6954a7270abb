"""Templates, the contract of a bulk run, its report's table, predictions and the day's budget."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from avatarlab_ops.bulk import names, template
from avatarlab_ops.bulk.contract import REASONS, BulkRequest, by_the_clock, form_schema
from avatarlab_ops.bulk.report import COLUMNS, table
from avatarlab_ops.errors import InputError, RequestInvalid
from avatarlab_ops.graph import BY_NAME, GROUP_POOLS, GROUPS, LIPSYNC, STAGES, parts
from avatarlab_ops.renders import prediction
from avatarlab_ops.renders.budget import Budget, fits_after
from avatarlab_ops.stores.catalog.tables import Rate

FORM = template.parse(b'{"script": [{"text": "Dear {{ name }}, welcome to {{city}}."}], "seed": 4}')
NOW = datetime(2027, 1, 2, tzinfo=UTC)


def test_a_template_is_filled_once() -> None:
    filled = template.fill(FORM, {"name": "{{city}}", "city": "Rome"})
    assert filled == {"script": [{"text": "Dear {{city}}, welcome to Rome."}], "seed": 4}
    assert template.names(FORM) == {"name", "city"}


def test_a_placeholder_is_called_as_its_column_is() -> None:
    form = template.parse('{"script": "{{ first name }}: {{größe}}, {{a|b}}."}'.encode())
    assert template.names(form) == {"first name", "größe", "a|b"}
    assert template.fill(form, {"first name": "Ann", "größe": "3", "a|b": "x"}) == {"script": "Ann: 3, x."}
    with pytest.raises(RequestInvalid, match="no variable 'größe', which the template needs"):
        template.check(template.names(form), {"first name": "Ann", "a|b": "x"})


def test_missing_and_unused_variables_are_named() -> None:
    with pytest.raises(RequestInvalid, match=r"no variable 'city'.*'town' has no place"):
        template.check(template.names(FORM), {"name": "Ann", "town": "Rome"})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"[]", "object"),
        (b"{", "not JSON"),
        (b"\xff", "not JSON"),
        (b'{"a": "b"}', "no placeholder"),
        (b'{"a": "{{name}} {{' + 65 * b"x" + b'}}"}', "has no name of 1 to 64"),
        (b'{"a": "{{ }}"}', "has no name"),
        (b'{"a": "{{name}} {{ {x} }}"}', "has no name"),
    ],
)
def test_what_is_no_template_is_refused(text: bytes, said: str) -> None:
    with pytest.raises(RequestInvalid, match=said):
        template.parse(text)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "give a file"),
        ({"stale": []}, "give a file"),
        ({"file": "s3://inputs/a.csv", "language": "en-US"}, "exclude each other"),
        ({"template": "s3://inputs/t.json", "language": "en-US"}, "template needs a file"),
        ({"published_from": "2027-01-01T00:00:00"}, "time zone"),
        ({"stale": ["weather"]}, "stale"),
        ({"file": "s3://inputs/a.csv", "name": "../x"}, "name"),
        ({"file": "s3://inputs/a.csv", "hat": 1}, "no such field"),
    ],
)
def test_a_bulk_request_that_makes_no_sense_is_refused(asked: dict[str, Any], said: str) -> None:
    with pytest.raises(RequestInvalid, match=said):
        BulkRequest.parse(asked)


def test_an_untouched_form_with_a_file_is_accepted() -> None:
    filled = {name: schema.get("default") for name, schema in form_schema().items()}
    assert BulkRequest.parse(filled | {"file": "s3://inputs/a.csv"}).file == "s3://inputs/a.csv"


def test_a_dry_run_asks_for_the_same_as_the_run_after_it() -> None:
    asked = {"stale": ["weights"]}
    assert (
        BulkRequest.parse(asked | {"dry_run": True, "name": "x"}).digest()
        == BulkRequest.parse(asked).digest()
    )
    assert BulkRequest.parse({"stale": ["code"]}).digest() != BulkRequest.parse(asked).digest()


@given(st.sampled_from(["=", "+", "-", "@", "\t", "\r"]), st.text(max_size=20))
@example("\t", "=")
def test_no_cell_of_the_report_is_a_formula(first: str, rest: str) -> None:
    own = {"key": "a", "error": first + rest, "variables": {"name": first + rest}}
    items = [dict.fromkeys(COLUMNS) | own]
    (row,) = csv.DictReader(io.StringIO(table(items).decode(), newline=""))
    assert row["error"] == row["row.name"]
    assert row["error"].startswith(f"'{first}")
    assert row["error"].replace("'", "") == f"{first}{rest}".replace("'", ""), "nothing else is changed"


def test_the_report_has_each_rows_own_variables() -> None:
    rows = [{"name": "Ann", "city": "Rome"}, None, {"name": "Bob"}]
    items = [dict.fromkeys(COLUMNS) | {"variables": variables} for variables in rows]
    found = csv.DictReader(io.StringIO(table(items).decode()))
    assert [(row["row.name"], row["row.city"]) for row in found] == [("Ann", "Rome"), ("", ""), ("Bob", "")]


def test_batches_do_every_stage_in_an_order_the_graph_allows() -> None:
    tasks = [stage for group in GROUPS.values() for stage in group]
    assert sorted(tasks) == sorted(STAGES)
    order = [part.name for task in tasks for part in parts(BY_NAME[task])]
    assert sorted(order) == sorted(BY_NAME)
    for stage in BY_NAME.values():
        assert all(order.index(before) < order.index(stage.name) for before in stage.after)
        assert stage.pool == GROUP_POOLS[stage.group]


def rate(points: list[tuple[float, float]], side_px: int = 360) -> Rate:
    sums = {
        "n": len(points), "x": sum(x for x, _ in points), "y": sum(y for _, y in points),
        "xx": sum(x * x for x, _ in points), "xy": sum(x * y for x, y in points),
    }  # fmt: skip
    return Rate(stage="lipsync", engine="e", side_px=side_px, **sums)


def test_a_line_through_what_was_measured() -> None:
    fixed, each = prediction.fit(rate([(10, 3.0), (20, 4.0), (50, 7.0)]))
    assert (fixed, each) == (pytest.approx(2.0), pytest.approx(0.1))
    assert prediction.fit(rate([(10, 3.0)])) == (0.0, pytest.approx(0.3))
    assert prediction.fit(rate([(10, 5.0), (20, 3.0), (50, 2.0)]))[1] == pytest.approx(10 / 80)


def test_the_nearest_size_is_scaled_by_its_pixels_and_the_default_serves_before_any() -> None:
    known = [rate([(100, 1.0)]), rate([(100, 30.0)], side_px=2160)]
    job = prediction.Work("lipsync", "e", 720, 100, LIPSYNC.usual_s)
    assert prediction.seconds(known, job) == pytest.approx(4.0)
    assert prediction.seconds([], job) == pytest.approx(LIPSYNC.usual_s * 100)


def test_what_remains_is_the_longest_way_through_the_graph() -> None:
    predicted = {"speech": 2.0, "face": 5.0, "matte": 1.0, "lipsync": 10.0, "composite": 4.0}
    whole = prediction.remaining_s(predicted, [], {})
    assert whole == pytest.approx(5 + 10 + 4 + 4 * prediction.BOUNDARY_S)
    left = prediction.remaining_s(predicted, ["speech", "face", "matte"], {"lipsync": 3.0})
    assert left == pytest.approx(3 + 4 + 2 * prediction.BOUNDARY_S)


def test_budgets_by_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(Budget.from_env().limits("bob")) == []
    monkeypatch.setenv("AVATARLAB_BUDGET_GPU_S_PER_DAY", "100")
    monkeypatch.setenv("AVATARLAB_BUDGET_GPU_S_PER_DAY_BY_CALLER", "*=10,ann=20")
    budget = Budget.from_env()
    assert list(budget.limits("ann")) == [("ann", 20.0), (None, 100.0)]
    assert list(budget.limits("bob")) == [("bob", 10.0), (None, 100.0)]
    for wrong in ("ann", "ann=-1", "ann=nan", "ann=inf"):
        monkeypatch.setenv("AVATARLAB_BUDGET_GPU_S_PER_DAY_BY_CALLER", wrong)
        told = "is not a number of GPU-seconds" if "=" in wrong else "each entry is CALLER=VALUE"
        with pytest.raises(InputError, match=told):
            Budget.from_env()


@given(
    st.lists(st.tuples(st.integers(0, 86_399), st.integers(1, 50)), max_size=8),
    st.integers(0, 40), st.integers(1, 60), st.integers(50, 120),
)  # fmt: skip
def test_after_the_named_time_it_fits_and_not_before(
    ages: list[tuple[int, int]], promised: int, asked: int, limit: int
) -> None:
    spent = [(NOW - timedelta(seconds=age), float(seconds)) for age, seconds in ages]

    def used(at: datetime) -> float:
        """What is spent counts for a day, what is promised as if it were spent now."""
        day = timedelta(days=1)
        return sum(s for end, s in spent if end + day > at) + (promised if NOW + day > at else 0)

    when = fits_after(spent, promised, asked, limit, NOW)
    if asked > limit:
        assert when is None
    elif used(NOW) + asked > limit:
        assert when is not None
        assert used(when) + asked <= limit
        assert used(when - timedelta(microseconds=1)) + asked > limit


@pytest.mark.parametrize("text", [None, "", "{}", '{"stale": []}'])
def test_the_clock_makes_anew_whatever_is_stale(text: str | None) -> None:
    assert by_the_clock(text, "V").stale == list(REASONS)


def test_a_filter_of_the_clock_chooses_among_what_is_stale() -> None:
    asked = by_the_clock('{"labels": {"a": "b"}}', "V")
    assert (asked.labels, asked.stale) == ({"a": "b"}, list(REASONS))
    assert by_the_clock('{"stale": ["weights"]}', "V").stale == ["weights"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "Expecting property name"),
        ('{"labels": {"a": "b"}, "labels": {}}', "'labels' twice"),
        ('["labels"]', "not a JSON object"),
        ('{"lables": {"a": "b"}}', "lables: no such field"),
        ('{"file": "s3://inputs/a.csv"}', "file: a run by the clock only chooses"),
        ('{"name": "nightly"}', "name: a run by the clock only chooses"),
    ],
)
def test_a_wrong_choice_of_the_clock_is_told_with_its_source(text: str, said: str) -> None:
    with pytest.raises(RequestInvalid) as refused:
        by_the_clock(text, "Airflow's variable V")
    assert str(refused.value).startswith("Airflow's variable V: ")
    assert said in str(refused.value)


def test_each_caller_s_each_key_is_a_bulk_run_of_its_own() -> None:
    orders = [
        ("ann", "spring-1"), ("ann", "x:1"), ("ann", "x-1"), ("ann", "x 1"), ("ann.b", "c"), ("ann", "b.c"),
        ("ann", "y" * 199 + "a"), ("ann", "y" * 199 + "b"), ("user:cli", "z"), ("user-cli", "z"),
        ("\u00d8yvind", "k"), ("\u0430\u043d\u043d\u0430", "k"), ("\u0438\u0440\u0430", "k"), ("_svc", "k"),
        ("_", "_"),
    ]  # fmt: skip
    ids = [names.id_of_key(*order) for order in orders]
    assert len(set(ids)) == len(orders)
    assert all(BulkRequest(language="en-US", name=one).name == one for one in ids)
    assert ids[0] == "ann.spring-1", "and stays what it was where nothing had to be replaced"


def test_a_report_is_calculated_nowhere_also_where_excel_cuts_at_semicolons() -> None:
    told = dict.fromkeys(COLUMNS) | {"notes": ["fine"], "variables": {"said": 'hello;=1+1;"=2&""\n@x;yes'}}
    line = table([told]).decode().partition("\n")[2]
    cells = [cell.strip('"') for row in csv.reader(io.StringIO(line), delimiter=";") for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))], cells
    assert table([told | {"variables": {"said": "a - b; c"}}]).decode().rstrip().endswith(",a - b; c")


def test_a_language_that_no_database_takes_is_refused_by_its_field() -> None:
    with pytest.raises(RequestInvalid, match="language: is not a BCP 47 tag"):
        BulkRequest.parse({"language": "en\0"})
