"""What is told of a bulk run that will miss its deadline, and how the deadline is moved."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from avatarlab_web import starting
from avatarlab_web.studio import page
from click.testing import CliRunner

from avatarlab_ops import metrics
from avatarlab_ops.bulk import forecast, planning, report, work
from avatarlab_ops.cli import bulk as command
from avatarlab_ops.errors import RequestInvalid
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores import webhooks
from avatarlab_ops.stores.catalog import bulk as catalog
from avatarlab_ops.stores.catalog import records, transaction
from avatarlab_ops.stores.catalog import tables as m
from avatarlab_ops.stores.objects import objects, split_or_refuse

from .api_server import Server, serving
from .bulk_runs import asked, items_of, rows, studio_page

LONG_AGO = "2020-01-01T00:00:00Z"


def in_hours(hours: float) -> datetime:
    return datetime.now(UTC).replace(microsecond=0) + timedelta(hours=hours)


def plan(stores: Settings, file: str, name: str, by: datetime | str, run_id: str | None = None) -> None:
    request = asked(file=file, deadline=by if isinstance(by, str) else by.isoformat())
    planning.plan(stores, request, bulk_id=name, caller="anna", run_id=run_id)


def stood_still(stores: Settings, name: str, for_: timedelta) -> None:
    """As if one item had been found made, at once, and then nothing happened for so long."""
    with transaction(stores.pg_dsn) as db:
        catalog.existing(db, name).created_at = records.now() - for_
        one = sa.update(m.BulkItem).where(m.BulkItem.bulk_id == name, m.BulkItem.number == 1)
        db.execute(one.values(state="published", predicted_gpu_s=0.0, ended_at=records.now()))


@pytest.fixture
def api(stores: Settings) -> Iterator[Server]:
    with serving(stores) as server:
        yield server


@pytest.fixture
def airflow(monkeypatch: pytest.MonkeyPatch) -> dict[str, starting.Run]:
    """Airflow is stood in for: it keeps the runs that the API begins."""
    runs: dict[str, starting.Run] = {}

    def begin(_dag: str, run_id: str, conf: dict[str, Any], caller: str) -> None:
        runs.setdefault(run_id, starting.Run("queued", conf, caller, None, datetime.now(UTC)))

    monkeypatch.setattr(starting, "begin", begin)
    monkeypatch.setattr(starting, "look", lambda _dag, run_id: runs.get(run_id))
    return runs


class Found:
    """Airflow's REST API is stood in for: every run was there before, and was planned."""

    def __enter__(self) -> Found:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def regenerate(self, _conf: object, name: str) -> str:
        return name

    def xcom(self, run_id: str, *_: str, **__: str) -> dict[str, Any]:
        return {
            "dry_run": False,
            "bulk_id": run_id,
            "told": [],
            "problems": 0,
            "over_budget": None,
            "items": 1,
        }

    def runs(self, *_: object) -> list[dict[str, Any]]:
        run = {"dag_run_id": "listed", "conf": None, "run_after": LONG_AGO, "run_type": "manual",
               "triggering_user_name": "anna", "state": "running", "note": None}  # fmt: skip
        return [run, run | {"dag_run_id": "unhurried"}]


@pytest.fixture
def line(stores: Settings, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setattr(command, "airflow", Found)
    monkeypatch.setattr(command, "known_stores", lambda: stores)
    return CliRunner()


def test_a_run_is_expected_at_the_pace_of_what_ended_and_who_asked_is_told_once_that_it_is_late(
    stores: Settings, portrait: str
) -> None:
    uri = rows(stores, portrait, "by_when", [f"Say the number {number}." for number in range(6)])
    in_an_hour = datetime.now(UTC) + timedelta(hours=1)
    planning.plan(stores, asked(file=uri, deadline=in_an_hour.isoformat()), bulk_id="by", caller="ann")
    with transaction(stores.pg_dsn) as db:
        webhooks.add(db, "https://example.org/told", "ann", everybody=False)
    begun = report.status(stores, "by")
    assert (begun.deadline, begun.late, forecast.tell_late(stores)) == (in_an_hour, False, [])
    assert begun.expected_end
    with transaction(stores.pg_dsn) as db:  # a third is done, after 45 minutes
        run = catalog.existing(db, "by")
        run.created_at = records.now() - timedelta(minutes=45)
        done = sa.update(m.BulkItem).where(m.BulkItem.bulk_id == "by", m.BulkItem.number <= 2)
        db.execute(done.values(state="failed", ended_at=records.now(), predicted_gpu_s=1.0))
        left = sa.update(m.BulkItem).where(m.BulkItem.bulk_id == "by", m.BulkItem.number > 2)
        db.execute(left.values(predicted_gpu_s=1.0))
    moved = report.status(stores, "by")
    assert moved.expected_end
    assert 89 < (moved.expected_end - datetime.now(UTC)).total_seconds() / 60 < 91
    assert moved.late
    assert (forecast.tell_late(stores), forecast.tell_late(stores)) == (["by"], [])
    with transaction(stores.pg_dsn) as db:
        (told,) = db.scalars(sa.select(m.WebhookDelivery.payload).order_by(m.WebhookDelivery.id))
    assert (told["type"], told["data"]["id"]) == ("bulk_run.late", "by")
    assert told["data"]["states"] == {"failed": 2, "waiting": 4}
    assert "avatarlab_bulk_runs_late 1.0" in metrics.text(stores).decode()
    later = (in_an_hour + timedelta(hours=9)).isoformat()
    planning.plan(stores, asked(file=uri, deadline=later), bulk_id="by", caller="ann")  # the same, by then
    assert not report.status(stores, "by").late
    work.cancel(stores, "by")
    assert report.status(stores, "by").expected_end is None


def test_a_deadline_has_a_time_zone_and_is_to_come(
    stores: Settings, portrait: str, api: Server, airflow: dict[str, starting.Run], line: CliRunner
) -> None:
    uri = rows(stores, portrait, "when", ["Go."])
    with pytest.raises(RequestInvalid, match="deadline: needs a time zone"):
        asked(file=uri, deadline="2027-01-29T18:00:00")
    body = {"file": uri, "deadline": LONG_AGO}
    for path in ("/validations", "/bulk-runs"):
        refused = api.client.post(path, json=body, headers={"Idempotency-Key": "when"})
        assert (refused.status_code, refused.json()["code"]) == (422, "request_invalid"), path
        assert "2020-01-01T00:00:00+00:00 has passed" in refused.json()["detail"]
    assert airflow == {}
    told = line.invoke(command.regenerate, ["--label", "a=b", "--deadline", LONG_AGO])
    assert isinstance(told.exception, RequestInvalid)
    assert "has passed" in str(told.exception)


def test_a_run_that_was_let_in_is_made_however_late_it_is_planned(stores: Settings, portrait: str) -> None:
    uri = rows(stores, portrait, "queued", ["Go."])
    plan(stores, uri, "queued", LONG_AGO)
    assert len(items_of(stores, "queued")) == 1
    assert report.status(stores, "queued").late
    work.cancel(stores, "queued")


def test_the_api_moves_the_deadline_of_the_same_run_for_its_owner(
    stores: Settings, portrait: str, api: Server, airflow: dict[str, starting.Run]
) -> None:
    uri = rows(stores, portrait, "moved", ["Go."])
    first, second = in_hours(1), in_hours(2)

    def post(by: datetime | str | None, **other: Any) -> Any:
        by = by.isoformat() if isinstance(by, datetime) else by
        return api.client.post("/bulk-runs", json={"file": uri, "name": "moved", "deadline": by} | other)

    assert post(first).status_code == 202
    early = post(second)
    assert (early.status_code, "being planned" in early.text) == (503, True)
    plan(stores, uri, "moved", first, run_id="moved")
    moved = post(second)
    assert moved.status_code == 202, moved.text
    assert datetime.fromisoformat(moved.json()["deadline"]) == second
    assert post(None).json()["deadline"] == moved.json()["deadline"]
    assert post(LONG_AGO).status_code == 422
    assert post(first, partial=True).json()["code"] == "idempotency_key_reused"
    api.name = "berta"
    assert post(first).json()["code"] == "idempotency_key_reused"
    plan(stores, uri, "moved", first, run_id="moved")  # its DAG run is cleared
    assert report.status(stores, "moved").deadline == second
    work.cancel(stores, "moved")
    written = report.finish(stores, "moved").report
    assert written
    told = json.loads(objects(stores).read(*split_or_refuse(written)))
    assert datetime.fromisoformat(told["deadline"]) == second


def test_the_command_line_moves_the_deadline_of_a_run_that_it_finds(
    stores: Settings, portrait: str, line: CliRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = rows(stores, portrait, "found", ["Go."])
    plan(stores, uri, "found", in_hours(1))
    file = tmp_path / "found.csv"
    file.write_bytes(objects(stores).read(*split_or_refuse(uri)))
    monkeypatch.setattr(command, "upload_file", lambda *_: uri)
    later = in_hours(3)
    again = [str(file), "--name", "found", "--deadline", later.isoformat()]
    done = line.invoke(command.regenerate, again, catch_exceptions=False)
    assert (done.exit_code, report.status(stores, "found").deadline) == (0, later)
    other = line.invoke(command.regenerate, [*again, "--partial"])
    assert "another bulk run" in str(other.exception)
    work.cancel(stores, "found")


def test_a_run_that_stood_still_has_no_forecast_and_is_late_once_its_deadline_is_over(
    stores: Settings, portrait: str
) -> None:
    uri = rows(stores, portrait, "still", ["Stand still.", "Stand quite still."])
    plan(stores, uri, "still", in_hours(1))
    with transaction(stores.pg_dsn) as db:
        left = sa.update(m.BulkItem).where(m.BulkItem.bulk_id == "still")
        db.execute(left.values(predicted_gpu_s=2e6))
    stood_still(stores, "still", timedelta(days=60))
    known = report.status(stores, "still")
    assert (known.expected_end, known.late, forecast.tell_late(stores)) == (None, False, [])
    with transaction(stores.pg_dsn) as db:
        catalog.existing(db, "still").deadline = in_hours(-1)
    assert report.status(stores, "still").late
    assert forecast.tell_late(stores) == ["still"]
    work.cancel(stores, "still")


def test_the_lists_show_which_run_is_late_and_the_metric_only_while_it_is(
    stores: Settings, portrait: str, line: CliRunner
) -> None:
    uri = rows(stores, portrait, "listed", ["Be late.", "Be later."])
    soon = in_hours(1)
    for name, by in (("listed", soon), ("unhurried", in_hours(9000))):
        plan(stores, uri, name, by)
    stood_still(stores, "listed", timedelta(days=2))
    assert forecast.tell_late(stores) == ["listed"]
    assert "avatarlab_bulk_runs_late 1.0" in metrics.text(stores).decode()
    late, unhurried = line.invoke(command.list_, catch_exceptions=False).output.splitlines()
    assert late.endswith(f"  by {soon:%Y-%m-%d %H:%M}Z, late"), late
    assert " by " in unhurried
    assert "late" not in unhurried
    shown = studio_list(stores)
    assert shown["listed"].count(page.text("bulk.deadline.is")) == 1
    assert (late_chip(shown["listed"]), late_chip(shown["unhurried"])) == (True, False)
    stood_still(stores, "listed", timedelta(seconds=1))  # it has caught up
    assert "avatarlab_bulk_runs_late 0.0" in metrics.text(stores).decode()
    assert forecast.tell_late(stores) == []
    assert not late_chip(studio_list(stores)["listed"])


def late_chip(shown: str) -> bool:
    return f'failed">{page.text("bulk.late")}' in shown


def studio_list(stores: Settings) -> dict[str, str]:
    """Bulk run id to its line on the Studio's page."""
    lines = [part.partition("</li>")[0] for part in studio_page(stores, "/bulk").split("<li>")]
    return {name: one for name in ("listed", "unhurried") for one in lines if f"/bulk/{name}" in one}
