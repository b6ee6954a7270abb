"""Bulk runs on real stores: as many results as items and none twice, whatever is wrong or dies meanwhile."""

from __future__ import annotations

import csv
import dataclasses
import html
import io
import json
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from sqlalchemy.orm import Session

from avatarlab_ops import engines, graph, pipeline
from avatarlab_ops.bulk import planning, report, selection, work
from avatarlab_ops.bulk.contract import BulkRequest
from avatarlab_ops.errors import DeviceFailed, ReferenceRefused, RequestInvalid, TransientError
from avatarlab_ops.renders import status
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.catalog import bulk, records, transaction
from avatarlab_ops.stores.catalog import tables as m
from avatarlab_ops.stores.documents import documents
from avatarlab_ops.stores.objects import objects, split_or_refuse
from avatarlab_ops.trust import inputs

from . import material
from .api_server import serving
from .bulk_runs import asked, items_of, rows, studio_page, videos, worked

SMALL = {"output": {"resolution": "360p", "aspect": "1:1"}}


@pytest.fixture(scope="module")
def six(stores: Settings, portrait: str) -> report.Summary:
    scripts = ["Go.", "Yes.", "Go.", "No.", "Yes.", "Yes."]
    uri = rows(stores, portrait, "six", scripts, **{"labels.run": "six"})
    return work.run(stores, asked(file=uri, name="six"), bulk_id="six")


def test_every_row_is_a_video_and_the_report_says_so(stores: Settings, six: report.Summary) -> None:
    assert six.states == {"published": 6}
    assert len(videos(stores, "six")) == 6
    assert six.report is not None
    assert six.table is not None
    whole = json.loads(objects(stores).read(*split_or_refuse(six.report)))
    table = list(csv.DictReader(io.StringIO(objects(stores).read(*split_or_refuse(six.table)).decode())))
    assert [row["key"] for row in table] == [f"line-{number}" for number in range(2, 8)]
    assert {row["video"] for row in table} == {item["video"] for item in whole["items"]}
    assert all(objects(stores).head(*split_or_refuse(row["video"])) for row in table)
    event = documents(stores).find("lineage_events", "bulk:six:COMPLETE")
    assert event is not None
    assert event["run"]["facets"]["avatarlab_bulk"]["states"] == {"published": 6}


def test_the_report_counts_joules_where_devices_tell(stores: Settings, six: report.Summary) -> None:
    with transaction(stores.pg_dsn) as db:
        spoken = sa.and_(m.StageRun.stage == "speech", m.StageRun.state == "done")
        db.execute(sa.update(m.StageRun).where(spoken).values(energy_j=2.5))
        told = list(bulk.results(db, six.bulk_id, graph.GPU_STAGES))
        whole = report._report(bulk.existing(db, six.bulk_id), told)
    assert whole["energy_j"] == 7.5, "three different scripts"
    cells = [
        row["energy_j"]
        for row in csv.DictReader(io.StringIO(report.table([one | {"link": None} for one in told]).decode()))
    ]
    assert sorted(cells) == ["", "", "", "2.5", "2.5", "2.5"]


def test_items_share_what_belongs_to_the_avatar(stores: Settings, six: report.Summary) -> None:
    states = worked(stores, "six")
    assert (states["face", "done"], states["face", "cached"]) == (1, 5)
    assert (states["speech", "done"], states["speech", "cached"]) == (3, 3)  # three different scripts


def test_the_same_run_again_makes_nothing(stores: Settings, six: report.Summary) -> None:
    uri = f"s3://{stores.bucket_inputs}/bulk/six.csv"
    again = work.run(stores, asked(file=uri, name="six"), bulk_id="six")
    assert again == six
    assert len(videos(stores, "six")) == 6
    with pytest.raises(RequestInvalid, match="another bulk run"):
        work.run(stores, asked(language="en-US", name="six"), bulk_id="six")


def test_a_dry_run_counts_and_knows_what_exists(stores: Settings, portrait: str, six: report.Summary) -> None:
    uri = rows(stores, portrait, "dry", ["Go.", "Something new.", "Something new."])
    outline = planning.plan(stores, asked(file=uri, dry_run=True), bulk_id="dry", caller="x")
    new = planning.plan(
        stores,
        asked(file=rows(stores, portrait, "dry1", ["Something new."]), dry_run=True),
        bulk_id="dry",
        caller="x",
    )
    assert (outline.items, outline.batches) == (3, ())
    # "Go." is stored; "Something new." is spoken once, its lips are moved for each.
    assert 0 < new.predicted_gpu_s < outline.predicted_gpu_s < 2 * new.predicted_gpu_s
    assert items_of(stores, "dry") == []


def test_what_was_noticed_is_told_with_each_row_before_and_after(stores: Settings, portrait: str) -> None:
    uri = rows(stores, portrait, "noted", ["Go.", "Yes \u2605 sir.", "No."])
    dry = planning.plan(stores, asked(file=uri, dry_run=True), bulk_id="noted", caller="x")
    [said] = dry.notes
    assert (dry.noted, dry.problems) == (1, 0)
    assert said.startswith("line 3: ")
    assert "\u2605" in said
    done = work.run(stores, asked(file=uri), bulk_id="noted")
    assert (done.states, done.noted) == ({"published": 3}, 1)
    assert done.report is not None
    assert done.table is not None
    whole = json.loads(objects(stores).read(*split_or_refuse(done.report)))
    [_, noted, _] = [item["notes"] for item in whole["items"]]
    assert (whole["noted"], "\u2605" in noted[0]) == (1, True)
    table = list(csv.DictReader(io.StringIO(objects(stores).read(*split_or_refuse(done.table)).decode())))
    assert [row["notes"] for row in table] == ["", " | ".join(noted), ""]
    manifest = json.loads(objects(stores).read(*split_or_refuse(table[1]["manifest"])))
    assert manifest["warnings"] == noted, "as on the video's own page"
    with serving(stores) as api:
        items = api.client.get("/bulk-runs/noted/items").json()["items"]
        assert [item["notes"] for item in items] == [[], noted, []]
        assert api.client.get("/bulk-runs/noted").json()["noted"] == 1
        assert api.client.post("/validations", json={"file": uri}).json()["notes"] == list(dry.notes)
    shown = html.unescape(studio_page(stores, "/bulk/noted"))
    assert shown.count(f"<li>{noted[0]}</li>") == 1, "beside the one video that it is of"
    assert "<span>1 with notes</span>" in shown


class Killed(BaseException):
    """Stands for the end of the process: nothing catches it."""


def test_a_run_that_dies_after_every_step_is_continued(
    stores: Settings, portrait: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = rows(stores, portrait, "die", ["Live.", "Live."], **{"labels.run": "die"})
    died: list[str] = []

    def dying(name: str) -> Any:
        original = getattr(pipeline, name)

        def call(settings: Settings, *args: Any, **kwargs: Any) -> Any:
            result = original(settings, *args, **kwargs)
            step = f"{name} {args}"
            if step not in died:
                died.append(step)
                raise Killed
            return result

        return call

    for name in ("submit", "run_stage"):
        monkeypatch.setattr(pipeline, name, dying(name))
    done = None
    while done is None:
        try:
            done = work.run(stores, asked(file=uri), bulk_id="die")
        except Killed:
            assert len(died) < 20
    assert len(died) >= 12  # both items: submit, admit, speech, lipsync, composite, publish
    assert done.states == {"published": 2}
    assert len(videos(stores, "die")) == 2


def test_one_item_that_fails_does_not_stop_the_others(
    stores: Settings, portrait: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = rows(stores, portrait, "mixed", ["Go.", "Boom.", "Yes."])
    original = pipeline.run_stage

    def run_stage(settings: Settings, render_id: str, stage: str, **rest: Any) -> Any:
        with transaction(settings.pg_dsn) as db:
            script = records.request_of(db, records.find(db, render_id)).body["script"]
        if stage == "lipsync" and script == "Boom.":
            raise ZeroDivisionError("a defect")
        return original(settings, render_id, stage, **rest)

    monkeypatch.setattr(pipeline, "run_stage", run_stage)
    done = work.run(stores, asked(file=uri), bulk_id="mixed")
    assert done.states == {"published": 2, "failed": 1}
    failed = items_of(stores, "mixed")[1]
    assert (failed.state, failed.error) == ("failed", "ZeroDivisionError: a defect")


def test_a_store_that_is_away_ends_no_item(
    stores: Settings, portrait: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = rows(stores, portrait, "away", ["Go."])

    def away(*_: Any, **__: Any) -> Any:
        raise TransientError("the object store is away")

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "run_stage", away)
        with pytest.raises(TransientError):
            work.run(stores, asked(file=uri), bulk_id="away")
    assert report.finish(stores, "away").states == {"waiting": 1}
    assert work.run(stores, asked(file=uri), bulk_id="away").states == {"published": 1}


def test_a_gpu_that_fails_ends_no_item_before_the_last_try(
    stores: Settings, portrait: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = rows(stores, portrait, "fault", ["One fault.", "Another fault."])
    (batch,) = planning.plan(stores, asked(file=uri), bulk_id="fault", caller="x").batches

    def fails(*_: Any) -> Any:
        raise RuntimeError("CUDA error: an illegal memory access was encountered\nCompile with `TORCH_USE")

    def work_on(*, last_try: bool) -> None:
        for group in graph.GROUPS:
            work.work(stores, "fault", batch, group, last_try=last_try)

    with monkeypatch.context() as patch:
        patch.setattr("avatarlab_ops.stages.lipsync.run", fails)
        for last_try, ended in ((False, 0), (True, 1)):
            with pytest.raises(DeviceFailed, match=r"lipsync: the GPU failed .*illegal memory access"):
                work_on(last_try=last_try)
            assert report.finish(stores, "fault").states.get("failed", 0) == ended
    assert work.run(stores, asked(file=uri), bulk_id="fault").states == {"failed": 1, "published": 1}


def test_a_turn_ends_between_two_items(stores: Settings, portrait: str, six: report.Summary) -> None:
    uri = rows(stores, portrait, "turns", ["Go.", "Yes."])
    outline = planning.plan(stores, asked(file=uri), bulk_id="turns", caller="x")
    turns = 1
    while not work.work(stores, "turns", outline.batches[0], "prepare", turn_s=0.0):
        turns += 1
    assert turns == 2  # one item each; their avatar's face is known already
    assert [item.render_id is not None for item in items_of(stores, "turns")] == [True, True]


def test_a_cancelled_run_is_over_and_keeps_what_it_published(
    stores: Settings, portrait: str, six: report.Summary, monkeypatch: pytest.MonkeyPatch
) -> None:
    from avatarlab_ops.cli import bulk as commands

    uri = rows(stores, portrait, "stopped", ["Go.", "Stop here.", "Never."])
    outline = planning.plan(stores, asked(file=uri), bulk_id="stopped", caller="x")
    assert outline.batches == (0,)
    first, second, _ = items_of(stores, "stopped")
    for item in (first, second):
        item.render_id = work._submit(stores, item)
    for stage in graph.STAGES:
        pipeline.run_stage(stores, str(first.render_id), stage)
    late = items_of(stores, "stopped")[2]
    monkeypatch.setattr(commands, "known_stores", lambda: stores)
    monkeypatch.setenv("AVATARLAB_AIRFLOW_URL", "http://airflow.example/")
    done = CliRunner().invoke(commands.bulk, ["cancel", "stopped"])
    assert (done.exit_code, done.stdout) == (0, "2 cancelled, 1 published\n"), done.output
    told = json.loads(objects(stores).read(stores.bucket_outputs, "bulk/stopped/report.json"))
    link = f"http://airflow.example/avatarlab/renders/{first.render_id}/video"
    assert [item["link"] for item in told["items"]] == [link, None, None]
    event = documents(stores).find("lineage_events", "bulk:stopped:ABORT")
    assert event is not None
    assert event["eventType"] == "ABORT"
    assert status.of(stores, str(second.render_id)).state == "cancelled"
    assert work._submit(stores, late) is None, "a task that had read the item before goes on with it"
    assert all(work.work(stores, "stopped", 0, group) for group in graph.GROUPS)
    assert report.finish(stores, "stopped").states == {"cancelled": 2, "published": 1}
    with pytest.raises(ReferenceRefused, match="no bulk run"):
        work.cancel(stores, "nothing")


def test_items_go_in_batches_of_about_one_turn(
    stores: Settings, portrait: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = rows(stores, portrait, "many", ["Go."] * 60)
    outline = planning.plan(stores, asked(file=uri), bulk_id="many", caller="x")
    assert Counter(item.batch for item in items_of(stores, "many")) == {0: 25, 1: 25, 2: 10}
    assert outline.batches == (0, 1, 2)
    monkeypatch.setattr(planning, "TURN_S", 0.0)
    monkeypatch.setattr(planning, "MAX_BATCHES", 2)
    uri = rows(stores, portrait, "long", [f"A new script, number {number}." for number in range(5)])
    assert planning.plan(stores, asked(file=uri), bulk_id="long", caller="x").batches == (0, 1)


def chosen(stores: Settings, **fields: Any) -> int:
    return planning.plan(stores, asked(dry_run=True, **fields), bulk_id="look", caller="x").items


def test_what_was_published_is_chosen_by_what_it_is(
    stores: Settings, portrait: str, six: report.Summary
) -> None:
    assert chosen(stores, labels={"run": "six"}) == 6
    assert chosen(stores, labels={"run": "six"}, avatar=portrait, language="en-US") == 6
    with transaction(stores.pg_dsn) as db:
        two = list(
            db.scalars(sa.select(m.BulkItem.render_id).where(m.BulkItem.bulk_id == six.bulk_id).limit(2))
        )
    assert chosen(stores, renders=[*two, "nobody"]) == len(two) == 2
    assert chosen(stores, labels={"run": "six"}, language="de-DE") == 0
    assert chosen(stores, labels={"run": "six"}, published_before=six.created_at) == 0
    assert chosen(stores, labels={"run": "six"}, published_from=six.created_at) == 6


def test_others_videos_are_made_anew_only_of_what_the_caller_may_use(
    stores: Settings, portrait: str, six: report.Summary
) -> None:
    with transaction(stores.pg_dsn) as db:
        inputs.own(db, portrait, "anna", shared=False)
    try:
        with pytest.raises(ReferenceRefused) as single:
            pipeline.submit(stores, SMALL | {"script": "Go.", "avatar": {"uri": portrait}},
                            run_id="single", caller="ben")  # fmt: skip
        told = planning.plan(
            stores, asked(labels={"run": "six"}, dry_run=True), bulk_id="look", caller="ben"
        )  # fmt: skip
        assert (told.items, told.problems) == (0, 6)
        assert {one.partition(": ")[2] for one in told.told} == {str(single.value)}
        for caller in ("anna", "cli", "clock"):
            anew = asked(labels={"run": "six"}, dry_run=True)
            assert planning.plan(stores, anew, bulk_id="look", caller=caller).items == 6
    finally:
        with transaction(stores.pg_dsn) as db:
            db.execute(sa.delete(m.InputOwner).where(m.InputOwner.uri == portrait))


def test_what_would_be_made_otherwise_today_is_stale(
    stores: Settings, six: report.Summary, monkeypatch: pytest.MonkeyPatch
) -> None:
    only = {"labels": {"run": "six"}}
    assert chosen(stores, **only, stale=["engine", "weights", "code", "input", "template"]) == 0
    newer = dataclasses.replace(engines.info("lipsync", "viseme_warp"), version="next")
    with monkeypatch.context() as patch:
        patch.setitem(engines.known().engines, ("lipsync", "viseme_warp"), newer)
        assert chosen(stores, **only, stale=["engine"]) == 6
        assert chosen(stores, **only, stale=["weights", "code"]) == 0
    with other_weights(stores):
        assert chosen(stores, **only, stale=["weights"]) == 6
        assert chosen(stores, **only, stale=["engine"]) == 0
    raised = [stage.__class__(**vars(stage) | {"version": "next"}) for stage in graph.GRAPH]
    with monkeypatch.context() as patch:
        patch.setattr("avatarlab_ops.bulk.selection.GRAPH", tuple(raised))
        assert chosen(stores, **only, stale=["code"]) == 6


def test_the_clock_gives_up_what_failed_thrice_and_nobody_makes_anew_what_is_past_its_retention(
    stores: Settings, portrait: str, six: report.Summary
) -> None:
    only = asked(labels={"run": "six"})

    def counted(caller: str) -> int:
        with transaction(stores.pg_dsn) as db:
            return len(list(selection.choose(db, stores, only, caller)))

    one, other = (item.render_id for item in items_of(stores, "six")[:2])
    lost = pipeline.submit(stores, SMALL | {"script": "Lost.", "avatar": {"uri": portrait}})
    pipeline.fail(stores, lost, "the new engine finds no face")
    for night in ("first", "second", "third"):
        assert counted("clock") == 6, "what failed by chance is tried again"
        with transaction(stores.pg_dsn) as db:
            db.add(m.BulkRun(id=night, caller="clock", spec={}, spec_sha256="", problems={}))
            db.flush()
            db.add(m.BulkItem(
                bulk_id=night, number=0, key=night, request={}, source=one, batch=0, predicted_gpu_s=1.0,
                state="failed", render_id=lost, ended_at=records.now(),
            ))  # fmt: skip
    assert (counted("clock"), counted("ann")) == (5, 6)
    with transaction(stores.pg_dsn) as db:
        records.find(db, lost).code_version = "of yesterday"
    assert counted("clock") == 6, "another code may do better"
    with transaction(stores.pg_dsn) as db:
        render = records.find(db, str(other))
        request, ended_at = records.request_of(db, render), render.ended_at
        body = request.body
        request.body = body | {"labels": body["labels"] | {"retention": "1d"}}
    assert counted("ann") == 6
    with transaction(stores.pg_dsn) as db:
        records.find(db, str(other)).ended_at = records.now() - timedelta(days=2)
    assert counted("ann") == 5
    with transaction(stores.pg_dsn) as db:
        render = records.find(db, str(other))
        render.ended_at, records.request_of(db, render).body = ended_at, body
        db.execute(sa.delete(m.BulkItem).where(m.BulkItem.render_id == lost))


@contextmanager
def other_weights(stores: Settings) -> Iterator[None]:
    """The catalog as it would be had every video been made with other weights."""
    with transaction(stores.pg_dsn) as db:
        known = {
            (row.engine_version_id, row.name): row.sha256 for row in db.scalars(sa.select(m.EngineWeight))
        }
        db.execute(sa.update(m.EngineWeight).values(sha256="0" * 64))
    yield
    with transaction(stores.pg_dsn) as db:
        for row in db.scalars(sa.select(m.EngineWeight)):
            row.sha256 = known[row.engine_version_id, row.name]


def test_a_changed_input_and_a_changed_template_make_new_videos_once(stores: Settings, portrait: str) -> None:
    face = material.upload(stores, "face.png", material.png(material.astronaut()))
    body = SMALL | {"script": "{{word}}.", "avatar": {"uri": face}, "labels": {"run": "made"}}
    form = material.upload(stores, "templates/t.json", json.dumps(body).encode())
    names = material.upload(stores, "bulk/names.jsonl", b'{"word": "Go"}\n{"word": "Yes"}\n')
    made = work.run(stores, asked(file=names, template=form), bulk_id="made")
    assert made.states == {"published": 2}
    only = {"labels": {"run": "made"}}
    assert chosen(stores, **only, stale=["input", "template"]) == 0

    replace(stores, form, b"dear translator, see below")  # no template any more
    broken = planning.plan(stores, asked(**only, stale=["template"], dry_run=True), bulk_id="x", caller="x")
    assert (broken.items, broken.problems) == (0, 2)
    assert all(f": {form}: the template is not JSON" in one for one in broken.told)
    assert chosen(stores, labels={"run": "six"}, stale=["code", "template"]) == 0, "others' plans do not fail"

    replace(stores, form, json.dumps(body | {"script": "{{word}} on."}).encode())
    assert chosen(stores, **only, stale=["template"]) == 2
    anew = work.run(stores, asked(**only, stale=["template"]), bulk_id="anew")
    assert anew.states == {"published": 2}
    scripts = [item.request["script"] for item in items_of(stores, "anew")]
    assert scripts == ["Go on.", "Yes on."]
    assert chosen(stores, **only, stale=["template"]) == 0  # those that were made anew are done with

    flipped = material.png(material.astronaut()[:, ::-1].copy())
    material.consented(stores, flipped)
    replace(stores, face, flipped)
    assert chosen(stores, **only, stale=["input"]) == 2
    replace(stores, form, json.dumps(body | {"script": "{{other}}."}).encode())
    outline = planning.plan(stores, asked(**only, stale=["template"], dry_run=True), bulk_id="x", caller="x")
    assert outline.items == 0


def test_two_plans_at_once_make_a_stale_video_anew_once(
    stores: Settings, portrait: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = rows(stores, portrait, "rivals", ["Go."], **{"labels.run": "rivals"})
    assert work.run(stores, asked(file=uri), bulk_id="rivals").states == {"published": 1}
    both_chose = threading.Barrier(2)
    choose = selection.choose

    def slow(db: Session, settings: Settings, wanted: BulkRequest, caller: str) -> Iterator[selection.Chosen]:
        found = list(choose(db, settings, wanted, caller))
        with suppress(threading.BrokenBarrierError):  # whoever chooses alone goes on alone
            both_chose.wait(2)
        yield from found

    monkeypatch.setattr(planning, "choose", slow)
    again = asked(labels={"run": "rivals"})
    with ThreadPoolExecutor(2) as pool:
        plans = pool.map(lambda name: planning.plan(stores, again, bulk_id=name, caller="x"), ("one", "two"))
        assert sorted(outline.items for outline in plans) == [0, 1]


def replace(stores: Settings, uri: str, content: bytes) -> None:
    """Put other bytes under a key, as any S3 client may."""
    bucket, key = split_or_refuse(uri)
    objects(stores).client.put_object(Bucket=bucket, Key=key, Body=content)
