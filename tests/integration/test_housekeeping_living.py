"""Housekeeping leaves alone what lives: renders that somebody works on, what they and kept videos use."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from hypothesis import HealthCheck, given
from hypothesis import settings as run_with
from hypothesis import strategies as st

from avatarlab_ops.housekeeping import Rules, keep_house
from avatarlab_ops.housekeeping.chore import Job
from avatarlab_ops.housekeeping.ended import vanished
from avatarlab_ops.housekeeping.evict import by_age
from avatarlab_ops.renders import status
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.catalog import engine, lock_number, records, transaction
from avatarlab_ops.stores.catalog import tables as m

from . import material

NOW = Rules(intermediates=timedelta(0), idle=timedelta(0), settle=timedelta(0))
FEW = run_with(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
HOUR = timedelta(hours=1)


RENDERER = """
import json, sys
from pathlib import Path
from avatarlab_ops import pipeline
from avatarlab_ops.settings import Settings
from avatarlab_ops.stages import publish
from avatarlab_ops.stages.context import Context
known = json.loads(sys.stdin.readline())
settings = Settings(**known | {"home": Path(known["home"])})
def reporter(stage):
    def report(done, total, unit):
        if stage == "lipsync":
            print(stage, flush=True)
            sys.stdin.readline()
    return report
pipeline.render(settings, json.loads(sys.argv[1]), reporter=reporter)
"""


@contextmanager
def _rendering(stores: Settings, asked: dict[str, Any]) -> Iterator[subprocess.Popen[str]]:
    """`avatarlab render` in a process of its own, held in the middle of lip-sync."""
    command = [sys.executable, "-c", RENDERER, json.dumps(asked)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdin is not None
        assert worker.stdout is not None
        worker.stdin.write(json.dumps(asdict(stores) | {"home": str(stores.home)}) + "\n")
        worker.stdin.flush()
        assert worker.stdout.readline() == "lipsync\n"
        try:
            yield worker
        finally:
            worker.send_signal(signal.SIGKILL)


def test_a_killed_render_is_closed_and_a_living_one_is_not(stores: Settings, portrait: str) -> None:
    with _rendering(stores, material.asked(portrait, "This one is killed.")) as worker:
        with transaction(stores.pg_dsn) as db:
            newest = sa.select(m.Render.id).order_by(m.Render.created_at.desc()).limit(1)
            render_id = str(db.scalar(newest))
        folders = {path.name for path in (stores.home / "work").glob("lipsync-*")}
        alive = keep_house(stores, NOW, apply=True)
        assert status.of(stores, render_id).state == "running"
        assert not any(render_id in note for chore in alive for note in chore.notes)
        assert {path.name for path in (stores.home / "work").glob("lipsync-*")} == folders != set()
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    found = next(one for one in keep_house(stores, NOW, apply=True) if "run vanished" in one.name)
    assert any(render_id in note for note in found.notes)
    closed = status.of(stores, render_id)
    assert closed.state == "failed"
    assert "submit the request again" in (closed.error or "")


AGES = st.sampled_from([timedelta(minutes=5), timedelta(hours=3), timedelta(days=3)])
A_RENDER = st.fixed_dictionaries({
    "state": st.sampled_from(["accepted", "running", "published", "failed"]),
    "run": st.sampled_from(["", "goes on", "over", "cannot tell"]),
    "bulk": st.none() | st.sampled_from(["", "goes on", "over", "cannot tell"]), "planned": AGES,
    "age": AGES, "reported": st.none() | AGES, "staged": st.none() | AGES, "held": st.booleans(),
})  # fmt: skip
ANSWERS = {"goes on": True, "over": False, "cannot tell": None}


def _answer(run: str) -> bool | None:
    return ANSWERS[run.rpartition(" ")[0]]


def _naive(render: dict[str, Any]) -> bool:
    """Whether nobody works on it: the rule as one would tell it."""
    signs = [render["age"], *(sign for sign in (render["reported"], render["staged"]) if sign is not None)]
    if render["state"] not in ("accepted", "running") or render["held"] or min(signs) < HOUR:
        return False
    if render["run"] == "" and render["bulk"] is not None:
        at_rest = min(*signs, render["planned"]) > timedelta(days=1)
        return at_rest and render["bulk"] in ("", "over")
    return render["run"] == "over" or (render["run"] == "" and min(signs) > timedelta(days=1))


def _write_render(db: Any, at: datetime, render: dict[str, Any]) -> str:
    render_id, run_id = uuid.uuid4().hex, render["run"] and f"{render['run']} {uuid.uuid4().hex}"
    db.add(m.Request(id=render_id, sha256="0" * 64, body={"labels": {}}, caller="x"))
    db.flush()
    values = {"state": render["state"], "run_id": run_id or None, "created_at": at - render["age"]}
    db.add(m.Render(id=render_id, request_id=render_id, code_version="x", **values))
    db.flush()
    key = {"render_id": render_id, "stage": "lipsync"}
    if render["staged"] is not None:
        started = at - render["staged"]
        db.add(m.StageRun(**key, state="running", attempt=1, host="x", started_at=started))
    if render["reported"] is not None:
        updated = at - render["reported"]
        db.add(m.Progress(**key, done=1, total=2, unit="frames", rate=1.0, updated_at=updated))
    if render["bulk"] is not None:
        _write_item(db, at, render, render_id)
    return render_id


def _write_item(db: Any, at: datetime, render: dict[str, Any], render_id: str) -> None:
    run_id = render["bulk"] and f"{render['bulk']} {render_id}"
    asked = {"spec": {}, "spec_sha256": "0" * 64, "problems": {"count": 0, "first": []}, "caller": "x"}
    planned = at - render["planned"]
    db.add(m.BulkRun(id=render_id, run_id=run_id or None, created_at=planned, **asked))
    db.flush()
    item = {"key": "k", "request": {}, "batch": 0, "predicted_gpu_s": 0.0, "render_id": render_id}
    db.add(m.BulkItem(bulk_id=render_id, number=1, **item))


@FEW
@given(st.lists(A_RENDER, min_size=1, max_size=12))
def test_only_renders_that_nobody_works_on_are_closed(stores: Settings, drawn: list[dict[str, Any]]) -> None:
    at = records.now()
    with transaction(stores.pg_dsn) as db:
        ids = [_write_render(db, at, render) for render in drawn]
    with ExitStack() as stack:
        holder = stack.enter_context(engine(stores.pg_dsn).connect())
        for render_id, render in zip(ids, drawn, strict=True):
            if render["held"]:
                number = lock_number(f"render {render_id}")
                holder.execute(sa.text("SELECT pg_advisory_xact_lock_shared(:n)"), {"n": number})
        vanished(Job(stores, Rules(), True, _answer, at, _answer))
    with transaction(stores.pg_dsn) as db:
        states = [records.find(db, render_id).state for render_id in ids]
        db.execute(sa.update(m.Render).where(m.Render.id.in_(ids)).values(state="cancelled"))
    expected = ["failed" if _naive(render) else render["state"] for render in drawn]
    assert states == expected


USES = ["running", "published", "withdrawn", "failed"]
A_WORLD = st.fixed_dictionaries({
    "edges": st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=12),
    "uses": st.lists(st.tuples(st.sampled_from(USES), st.integers(0, 7)), max_size=6),
    "fresh": st.sets(st.integers(0, 7)),
})  # fmt: skip


def _write_world(db: Any, at: datetime, world: dict[str, Any]) -> list[str]:
    """Eight artifacts; an edge (a, b) with a > b says that a was made from b."""
    names = [hashlib.sha256(uuid.uuid4().bytes).hexdigest() for _ in range(8)]
    for number, name in enumerate(names):
        used = at - (timedelta(minutes=1) if number in world["fresh"] else timedelta(days=60))
        row = {"stage_version": "1", "params": {}, "files": {}, "facts": {}, "code_version": "x", "bytes": 1}
        key = f"speech/{name[:2]}/{name}/artifact.json"
        made = m.Artifact(
            fingerprint=name, stage="speech", key=key, sha256=name, compute_s=0, used_at=used, **row
        )
        db.add(made)
    db.flush()
    for number, (a, b) in enumerate(world["edges"]):
        if a > b:
            edge = {"artifact": names[a], "role": f"r{number}", "sha256": names[b], "source": names[b]}
            db.add(m.ArtifactInput(**edge))
    for state, number in world["uses"]:
        shown = {"state": "published" if state == "withdrawn" else state}
        shown |= {"withdrawn_at": at} if state == "withdrawn" else {}
        user = uuid.uuid4().hex
        db.add(m.Request(id=user, sha256="0" * 64, body={"labels": {}}, caller="x"))
        db.flush()
        db.add(m.Render(id=user, request_id=user, code_version="x", ended_at=at, **shown))
        db.flush()
        stage = {"stage": "speech", "state": "done", "attempt": 1, "host": "x", "artifact": names[number]}
        db.add(m.StageRun(render_id=user, **stage))
    return names


@FEW
@given(A_WORLD)
def test_eviction_never_takes_what_a_kept_video_or_a_running_render_needs(
    stores: Settings, world: dict[str, Any]
) -> None:
    at = records.now()
    with transaction(stores.pg_dsn) as db:
        names = _write_world(db, at, world)
    needed = {number for state, number in world["uses"] if state in ("running", "published")}
    while further := {b for a, b in world["edges"] if a > b and a in needed} - needed:
        needed |= further
    by_age(Job(stores, Rules(), True, lambda _: None, at))
    with transaction(stores.pg_dsn) as db:
        found = [records.find_artifact(db, name) for name in names]
        kept = {number for number, one in enumerate(found) if one is not None and one.evicted_at is None}
        gone = sa.update(m.Artifact).where(m.Artifact.fingerprint.in_(names)).values(evicted_at=at)
        db.execute(gone)
        db.execute(sa.delete(m.StageRun).where(m.StageRun.artifact.in_(names)))
        db.execute(sa.update(m.Render).where(m.Render.ended_at == at).values(state="cancelled"))
    assert kept == needed | world["fresh"]


def test_an_item_lives_while_any_item_of_its_bulk_run_shows_work(stores: Settings) -> None:
    at, long_ago = records.now(), timedelta(days=3)
    drawn = {"state": "running", "run": "", "reported": None, "staged": long_ago, "age": long_ago}
    with transaction(stores.pg_dsn) as db:
        first = _write_render(db, at, drawn | {"bulk": "over", "planned": long_ago})
        second = _write_render(db, at, drawn | {"bulk": None, "staged": timedelta(hours=2)})
        item = {"key": "l", "request": {}, "batch": 0, "predicted_gpu_s": 0.0}
        db.add(m.BulkItem(bulk_id=first, number=2, render_id=second, **item))
    assert not vanished(Job(stores, Rules(), False, _answer, at, _answer)).notes
    later = at + timedelta(days=1)
    notes = vanished(Job(stores, Rules(), True, _answer, later, _answer)).notes
    assert sorted(notes) == sorted(f"{one}: its bulk run {first} is over" for one in (first, second))
