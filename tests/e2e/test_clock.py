"""Bulk runs by the clock, in a real Airflow whose clock strikes each half minute; the daily housekeeping."""

from __future__ import annotations

import json
from collections.abc import Iterator

import cv2
import pytest
import sqlalchemy as sa
from kit.consented import consented
from kit.eventually import eventually
from kit.running_site import AVATAR, ROOT, Site, avatarlab, request, running

from avatarlab_ops.canonical import Json
from avatarlab_ops.fields import split_reference
from avatarlab_ops.places import BULK_DAG, KEEPING_DAG
from avatarlab_ops.stores.catalog import tables as m
from avatarlab_ops.stores.catalog import transaction
from avatarlab_ops.stores.objects import objects

HALF_MINUTES = "* * * * * */30"  # the sixth field: seconds
VARIABLE = "avatarlab_regenerate"
OTHER = "s3://inputs/e2e/other.png"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    home = tmp_path_factory.mktemp("clock") / ".avatarlab"
    with running(home, AVATARLAB_REGENERATE_CRON=HALF_MINUTES, AVATARLAB_HOUSEKEEPING="apply") as found:
        yield found


def scheduled(site: Site) -> dict[str, Json]:
    """Airflow's records of the runs that the clock started, by id."""
    runs = site.client.runs(BULK_DAG, 50)
    return {run["dag_run_id"]: run for run in runs if run["run_type"] == "scheduled"}


def next_run(site: Site) -> str:
    """Wait until the clock starts another run."""
    before = scheduled(site).keys()
    return eventually(lambda: next(iter(sorted(scheduled(site).keys() - before)), None))


def end_of(site: Site, run_id: str) -> str:
    return site.finish(run_id, BULK_DAG)


def planned(site: Site, run_id: str) -> Json:
    """What the run's plan found, as soon as it has."""
    return eventually(lambda: site.client.xcom(run_id, "plan", "outline", dag=BULK_DAG))


def choose(site: Site, text: str) -> None:
    """Set the variable that says what a run by the clock chooses."""
    body = {"key": VARIABLE, "value": text}
    if site.client._call("POST", "/api/v2/variables", json=body, accept=(409,)).status_code == 409:
        site.client._call("PATCH", f"/api/v2/variables/{VARIABLE}", json=body)


def slots(site: Site, pool: str, number: int) -> int:
    """Set a pool's size and return what it was."""
    before = site.client.get(f"/api/v2/pools/{pool}")["slots"]
    body = {"pool": pool, "slots": number, "include_deferred": True}
    site.client._call("PATCH", f"/api/v2/pools/{pool}", params={"update_mask": "slots"}, json=body)
    return int(before)


def published(site: Site, avatars: dict[str, str]) -> list[str]:
    """Publish a video of each likeness, labelled with its key; return their renders."""
    runs = [
        site.submit(request(avatar={"uri": avatar}, labels={"which": key}, idempotency_key=key))
        for key, avatar in avatars.items()
    ]
    for run_id in runs:
        assert site.finish(run_id) == "success", site.client.tasks(run_id)
    return [site.status(run_id).render_id for run_id in runs]


def replace_input(site: Site, uri: str) -> None:
    """Put a flipped portrait, with consent, where another one was: videos made of that one are stale."""
    picture = cv2.imread(str(ROOT / "demo" / "astronaut.png"))
    assert picture is not None
    content = cv2.imencode(".png", picture[:, ::-1])[1].tobytes()
    consented(site.settings, content)
    bucket, key = split_reference(uri)
    objects(site.settings).client.put_object(Bucket=bucket, Key=key, Body=content)


def made_anew(site: Site, render_id: str) -> list[str]:
    """States of the items that make a video anew."""
    with transaction(site.settings.pg_dsn) as db:
        return list(db.scalars(sa.select(m.BulkItem.state).where(m.BulkItem.source == render_id)))


def listed(site: Site, run_id: str) -> list[str]:
    """What `avatarlab bulk list` says of a run: its line, and the reason under it."""
    done = avatarlab("bulk", "list")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    key = run_id.replace(":", "-").replace("+", "-")
    at = next(number for number, line in enumerate(lines) if line.startswith(f"{key} "))
    return [lines[at], *[line.strip() for line in lines[at + 1 : at + 2] if line.startswith("    ")]]


def test_the_house_is_kept_by_itself(site: Site) -> None:
    """The day's run begins with Airflow, at whatever hour that is, and needs no second try."""
    run, *_ = eventually(lambda: site.client.runs(KEEPING_DAG, 5))
    assert run["run_type"] == "scheduled"
    assert site.finish(run["dag_run_id"], KEEPING_DAG) == "success"
    assert site.client.xcom(run["dag_run_id"], "keep_house", "applied", dag=KEEPING_DAG) is True
    tasks = site.client.get(f"/api/v2/dags/{KEEPING_DAG}/dagRuns/{run['dag_run_id']}/taskInstances")
    assert [task["try_number"] for task in tasks["task_instances"]] == [1]


def test_with_nothing_published_a_run_ends_well(site: Site) -> None:
    run_id = next_run(site)
    assert end_of(site, run_id) == "success", site.client.xcom(run_id, "plan", "refusal", dag=BULK_DAG)
    assert planned(site, run_id)["items"] == 0
    (line,) = listed(site, run_id)
    assert ("clock" in line, "success" in line, "nothing to do" in line) == (True, True, True)


def test_a_wrong_variable_fails_the_run_by_name_where_an_operator_looks(site: Site) -> None:
    choose(site, '{"lables": {"which": "spring"}}')
    run_id = next_run(site)
    assert end_of(site, run_id) == "failed"
    choose(site, "{}")
    note = site.client.run(run_id, BULK_DAG)["note"]
    assert note.startswith(f"Airflow's variable {VARIABLE}: lables: "), note
    line, reason = listed(site, run_id)
    assert ("failed" in line, "nothing planned" in line) == (True, True)
    assert reason == " ".join(note.split())


def test_a_stale_video_is_made_anew_once_however_often_the_clock_strikes(site: Site) -> None:
    objects(site.settings).put_if_absent("inputs", split_reference(OTHER)[1], ROOT / "demo" / "astronaut.png")
    stale, beside, kept = published(site, {"stale": OTHER, "beside": OTHER, "kept": AVATAR})
    choose(site, json.dumps({"labels": {"which": "stale"}}))
    before = slots(site, "gpu", 0)  # holds the run that makes it anew, however quick the machine is
    try:
        replace_input(site, OTHER)
        first = eventually(lambda: next((run for run in scheduled(site) if _chose(site, run)), None))
        second = next_run(site)
        assert end_of(site, second) == "success"
        assert planned(site, second)["items"] == 0
        assert site.client.run(first, BULK_DAG)["state"] == "running"
        assert made_anew(site, stale) == ["waiting"]
    finally:
        slots(site, "gpu", before)
    assert end_of(site, first) == "success"
    third = next_run(site)
    assert (end_of(site, third), planned(site, third)["items"]) == ("success", 0)
    assert made_anew(site, stale) == ["published"]
    assert made_anew(site, beside) == made_anew(site, kept) == []  # another label; nothing new in it
    assert "1 published" in listed(site, first)[0]


def _chose(site: Site, run_id: str) -> bool:
    """Whether a run by the clock has planned something."""
    outline = site.client.xcom(run_id, "plan", "outline", dag=BULK_DAG)
    return bool(outline and outline["items"])
