"""Bulk runs through a real Airflow, by REST and by the command line."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from kit.eventually import eventually
from kit.running_site import AVATAR, Site, avatarlab

from avatarlab_ops.fields import split_reference
from avatarlab_ops.places import BULK_DAG, RENDER_DAG
from avatarlab_ops.stores.catalog import tables as m
from avatarlab_ops.stores.catalog import transaction
from avatarlab_ops.stores.documents import documents
from avatarlab_ops.stores.objects import objects

LONG = "There is so much to say that nobody could wait for the end of it. " * 60
HEADER = "key,script,avatar.uri,output.resolution,output.aspect,captions\n"
BATCH = ("batch.prepare", "batch.perform", "batch.finish", "batch.tell")
TEMPLATE = {
    "script": "{{greeting}}.",
    "avatar": {"uri": AVATAR},
    "output": {"resolution": "360p", "aspect": "1:1"},
}


def upload(site: Site, name: str, text: str) -> str:
    objects(site.settings).put_if_absent("inputs", f"bulk/{name}", text.encode())
    return f"s3://inputs/bulk/{name}"


def row(key: str, script: str, avatar: str = AVATAR) -> str:
    return f"{key},{script},{avatar},360p,1:1,none\n"


def regenerate(site: Site, run_id: str, **conf: Any) -> str:
    """Trigger a bulk run by REST, as another system does, and return its final state."""
    body = {"dag_run_id": run_id, "logical_date": None, "conf": conf}
    site.client._call("POST", f"/api/v2/dags/{BULK_DAG}/dagRuns", json=body)
    return site.finish(run_id, BULK_DAG)


def events(site: Site, bulk_id: str) -> list[dict[str, Any]]:
    """Every event about a bulk run in the document store."""
    found = documents(site.settings).database["lineage_events"].find({"job.name": BULK_DAG})
    return [event for event in found if event["run"]["facets"]["avatarlab_bulk"]["bulkRun"] == bulk_id]


def count(site: Site, table: type[m.Base]) -> int:
    with transaction(site.settings.pg_dsn) as db:
        return db.scalar(sa.select(sa.func.count()).select_from(table)) or 0


@pytest.fixture(scope="module")
def spring(site: Site) -> str:
    """A bulk run of four rows, one of them wrong, that another system asked for."""
    text = HEADER + row("one", "Go.") + row("two", "Yes.") + row("lost", "Hi.", "s3://inputs/nobody.png")
    uri = upload(site, "spring.csv", text + row("three", "Go."))
    state = regenerate(site, "manual__spring+2027", file=uri, partial=True)
    assert state == "success", site.client.tasks("manual__spring+2027", BULK_DAG)
    return "manual__spring-2027"


def test_a_file_of_requests_ends_as_a_result_for_each_row(site: Site, spring: str) -> None:
    told = site.client.xcom("manual__spring+2027", "report", dag=BULK_DAG)
    assert (told["bulk_id"], told["states"], told["problems"]) == (spring, {"published": 3}, 1)
    whole = json.loads(objects(site.settings).read(*split_reference(told["report"])))
    table = objects(site.settings).read(*split_reference(told["table"])).decode()
    items = list(csv.DictReader(io.StringIO(table)))
    assert [(item["key"], item["line"]) for item in items] == [("one", "2"), ("two", "3"), ("three", "5")]
    assert [item["video"] for item in items] == [item["video"] for item in whole["items"]]
    told = site.client.get(f"/api/v2/assets/events?source_dag_id={BULK_DAG}&limit=100")["asset_events"]
    mine = [event for event in told if event["extra"]["bulk_id"] == spring]
    assert {event["name"] for event in mine} == {"avatarlab_videos"}
    assert sorted(event["extra"]["video"] for event in mine) == sorted(item["video"] for item in items)
    videos = {item["video"] for item in items}
    assert len(videos) == 3
    assert all(objects(site.settings).head(*split_reference(video)) for video in videos)
    assert "line 4: s3://inputs/nobody.png does not exist" in whole["problems"]["first"][0]


def test_a_bulk_run_ends_with_one_event(site: Site, spring: str) -> None:
    (event,) = events(site, spring)
    assert event["run"]["facets"]["avatarlab_bulk"]["states"] == {"published": 3}
    assert len(event["outputs"]) == 2


def test_the_grid_shows_three_tasks_for_each_batch(site: Site, spring: str) -> None:
    states = site.client.tasks("manual__spring+2027", BULK_DAG)
    assert states == dict.fromkeys(("plan", *BATCH, "report"), "success")


def test_the_same_name_again_makes_nothing_and_reports_once(site: Site, spring: str) -> None:
    renders = count(site, m.Render)
    uri = "s3://inputs/bulk/spring.csv"
    assert regenerate(site, "again", file=uri, partial=True, name=spring) == "success"
    assert count(site, m.Render) == renders
    assert len(events(site, spring)) == 1


def test_a_bad_file_fails_the_plan_with_every_line_and_starts_nothing(site: Site) -> None:
    before = count(site, m.Render), count(site, m.BulkRun)
    text = HEADER + row("one", "Go.") + "=1+1,Go.,x,360p,1:1,none\n" + row("two", "🙂") + "short,row\n"
    assert regenerate(site, "bad-file", file=upload(site, "bad.csv", text)) == "failed"
    states = site.client.tasks("bad-file", BULK_DAG)
    assert states == {"plan": "failed", **dict.fromkeys(BATCH, "upstream_failed"), "report": "failed"}
    refusal = site.client.xcom("bad-file", "plan", "refusal", dag=BULK_DAG)
    first, *lines = refusal["reason"].splitlines()
    assert (refusal["code"], first) == ("request_invalid", "nothing was started:")
    assert [line.partition(":")[0] for line in lines] == ["line 3", "line 4", "line 5"]
    assert (count(site, m.Render), count(site, m.BulkRun)) == before


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Template and variables, as arguments of the command line."""
    template, people = tmp_path / "welcome.json", tmp_path / "people.jsonl"
    template.write_text(json.dumps(TEMPLATE))
    people.write_text('{"greeting": "Go"}\n{"greeting": "Stay"}\n{"greeting": "Yes"}\n')
    return [str(people), "--template", str(template)]


def test_command_line_tries_runs_and_fetches(site: Site, files: list[str], tmp_path: Path) -> None:
    before = count(site, m.Render), count(site, m.BulkRun)
    dry = avatarlab("regenerate", *files, "--dry-run")
    assert (dry.returncode, dry.stdout) == (0, ""), dry.stderr
    assert "3 of 3 videos would be made" in dry.stderr
    assert (count(site, m.Render), count(site, m.BulkRun)) == before
    begun = avatarlab("regenerate", *files)
    assert begun.returncode == 0, begun.stderr
    bulk_id = begun.stdout.strip()
    early = avatarlab("bulk", "report", bulk_id)
    unended = (early.returncode, "have not ended" in early.stderr) == (2, True)
    assert unended or early.returncode == 0, early.stderr  # a slow command may come after the run's end
    assert site.finish(bulk_id, BULK_DAG) == "success"
    assert json.loads(avatarlab("bulk", "status", bulk_id).stdout)["states"] == {"published": 3}
    out = tmp_path / "report.csv"
    assert avatarlab("bulk", "report", bulk_id, "--out", str(out)).returncode == 0
    assert [item["state"] for item in csv.DictReader(out.read_text().splitlines())] == ["published"] * 3
    again = avatarlab("regenerate", *files)
    assert (again.stdout.strip(), "0 of 3 videos to make" in again.stderr) == (bulk_id, True)


def test_command_line_tells_the_wrong_lines(site: Site, files: list[str], tmp_path: Path) -> None:
    Path(files[0]).write_text('{"greeting": "Go"}\n{"greting": "Stay"}\n')
    done = avatarlab("regenerate", *files)
    assert (done.returncode, done.stdout) == (2, "")
    assert "line 2: no variable 'greeting', which the template needs" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("dag", [RENDER_DAG, BULK_DAG])
@pytest.mark.parametrize(
    ("conf", "status", "told"),
    [
        pytest.param('{"name": "a", "name": "b"}', 422, "the body gives 'name' twice", id="twice"),
        pytest.param('{"script": "%s"}' % ("x" * 3_000_000), 413, "at most 1,000,000 bytes", id="3 MB"),
    ],
)  # fmt: skip
def test_airflows_own_door_takes_no_body_that_ours_refuses(
    site: Site, dag: str, conf: str, status: int, told: str
) -> None:
    body = f'{{"dag_run_id": "refused-{status}", "logical_date": null, "conf": {conf}}}'
    answer = site.client._call(
        "POST", f"/api/v2/dags/{dag}/dagRuns", (status,), content=body,
        headers={"Content-Type": "application/json"},
    )  # fmt: skip
    assert told in answer.json()["detail"]


def test_no_run_of_ours_begins_as_an_asset_that_is_made(site: Site) -> None:
    known = site.client.get("/api/v2/assets?name_pattern=avatarlab_videos")["assets"]
    body = {"dag_run_id": "render-20261130-000000-00000000", "conf": {"script": "x"}}
    answer = site.client._call("POST", f"/api/v2/assets/{known[0]['id']}/materialize", (400,), json=body)
    assert "does not allow asset materialization runs" in answer.json()["detail"]


@pytest.mark.parametrize("deleted", [False, True], ids=["marked", "deleted"])
def test_a_run_that_somebody_ends_ends_its_bulk_run(site: Site, *, deleted: bool) -> None:
    """Two rows, of which the second never gets a render.

    Airflow's scheduler turns a mark into a success where a task of the run ends at the same moment.
    """
    name = "by-hand-deleted" if deleted else "by-hand-marked"
    address = f"/api/v2/dags/{BULK_DAG}/dagRuns"
    text = HEADER + row("one", f"{name}. {LONG}") + row("two", f"Second {name}. {LONG}")
    conf = {"file": upload(site, f"{name}.csv", text)}
    site.client._call("POST", address, json={"dag_run_id": name, "logical_date": None, "conf": conf})
    eventually(lambda: _renders_at_work(site, name))
    assert site.client.cancel(name, "by hand", BULK_DAG)
    if deleted:
        site.client._call("DELETE", f"{address}/{name}")
    told = eventually(lambda: _closed(site, name), end_s=10)
    failed = not deleted and site.client.run(name, BULK_DAG)["state"] == "failed"
    assert {item.state for item in told} == {"failed" if failed else "cancelled"}
    assert all(str(item.error).startswith(f"Airflow's run {name} ") for item in told), told
    assert _renders_at_work(site, name) == []
    if not deleted:
        note = eventually(lambda: _noted(site, name))
        assert f"Of its videos: 2 {'failed' if failed else 'cancelled'}." in note
        assert note.startswith("by hand")


def _noted(site: Site, name: str) -> str | None:
    """The note of a bulk run, once it tells of its videos."""
    note = str(site.client.run(name, BULK_DAG)["note"])
    return note if "Of its videos" in note else None


def _renders_at_work(site: Site, bulk_id: str) -> list[str]:
    """Renders of a bulk run that have begun and not ended."""
    mine = sa.select(m.Render.id).join(m.BulkItem, m.BulkItem.render_id == m.Render.id)
    with transaction(site.settings.pg_dsn) as db:
        return list(db.scalars(mine.where(m.BulkItem.bulk_id == bulk_id, m.Render.state == "running")))


def _closed(site: Site, bulk_id: str) -> list[m.BulkItem] | None:
    """The items of a bulk run, once it is closed."""
    with transaction(site.settings.pg_dsn) as db:
        run = db.get_one(m.BulkRun, bulk_id)
        items = list(db.scalars(sa.select(m.BulkItem).where(m.BulkItem.bulk_id == bulk_id)))
    return items if run.ended_at else None
