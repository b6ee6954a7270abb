"""The cache's figures on real stores: what was made, found again, saved and given up, by stage and engine."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from avatarlab_ops import events, pipeline
from avatarlab_ops.cli import cache as command
from avatarlab_ops.cli import main
from avatarlab_ops.errors import WorkInFlight
from avatarlab_ops.graph import BY_NAME, recipe
from avatarlab_ops.housekeeping.evict import evict
from avatarlab_ops.plan import Plan
from avatarlab_ops.renders import status
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.catalog import cache, engine, lock, records, transaction
from avatarlab_ops.stores.catalog import tables as m

from . import material

MONTH = timedelta(days=30)


def _asked(stores: Settings, script: str) -> dict[str, Any]:
    portrait = material.upload(stores, "astronaut.png", material.png(material.astronaut()))
    return {
        "script": script,
        "avatar": {"uri": portrait},
        "output": {"resolution": "360p", "aspect": "1:1"},
        "background": {"kind": "original"},
    }


def _usage(stores: Settings) -> dict[str, cache.Usage]:
    with transaction(stores.pg_dsn) as db:
        return {one.stage: one for one in cache.usage(db, records.now() - MONTH)}


def test_what_is_found_again_is_a_hit_and_what_is_made_a_miss(
    stores: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        pipeline.render(stores, _asked(stores, "Go."))
    spare = pipeline.submit(stores, _asked(stores, "On."))
    for stage in ("admit", "speech"):
        pipeline.run_stage(stores, spare, stage)
    pipeline.cancel(stores, spare)
    found = _usage(stores)
    assert set(found) == {"speech", "face", "lipsync", "composite", "publish"}
    assert {stage: (one.hits, one.misses) for stage, one in found.items()} == {
        "speech": (2, 2), "face": (3, 1), "lipsync": (2, 1), "composite": (2, 1),
        "publish": (0, 3),
    }  # fmt: skip
    assert found["speech"].hit_rate == 0.5
    assert found["lipsync"].saved_s == pytest.approx(2 * found["lipsync"].spent_s, abs=0.01)
    assert found["lipsync"].spent_s > 0
    assert found["face"].engine is not None
    assert found["face"].engine.startswith("landmarker@")
    assert found["publish"].engine is None
    with transaction(stores.pg_dsn) as db:
        artifacts = [
            db.get_one(m.Artifact, run.artifact)
            for run in records.stage_runs(db, spare).values()
            if run.artifact
        ]
        sizes = sum(db.scalars(sa.select(m.Artifact.bytes).where(m.Artifact.stage == "speech")))
    assert (found["speech"].kept, found["speech"].bytes, found["speech"].evicted) == (2, sizes, 0)

    unneeded = next(one for one in artifacts if one.stage == "speech")
    assert evict(stores, unneeded.fingerprint, records.now())
    after = _usage(stores)["speech"]
    assert (after.kept, after.bytes, after.evicted) == (1, sizes - unneeded.bytes, 1)

    with transaction(stores.pg_dsn) as db:  # all of it happened long ago
        db.execute(sa.update(m.StageRun).values(ended_at=m.StageRun.ended_at - 2 * MONTH))
    later = _usage(stores)["speech"]
    assert (later.kept, later.hits, later.misses, later.hit_rate) == (1, 0, 0, None)
    monkeypatch.setattr(command, "known_stores", lambda: stores)
    told = CliRunner().invoke(main, ["cache", "--days", "90", "--format", "json"])
    stages = {one["stage"]: one for one in json.loads(told.stdout)["stages"]}
    assert (stages["face"]["hits"], stages["face"]["hit_rate"]) == (3, 0.75)
    lines = CliRunner().invoke(main, ["cache", "--days", "90"]).stdout.splitlines()
    assert [line.split()[0] for line in lines] == [
        "stage",
        "speech",
        "face",
        "lipsync",
        "composite",
        "publish",
    ]
    assert "75%" in lines[2]


def test_what_a_render_made_before_its_process_died_counts_as_made(
    stores: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    render_id, before = pipeline.submit(stores, _asked(stores, "Tried twice, made once.")), _usage(stores)
    pipeline.run_stage(stores, render_id, "admit")
    with monkeypatch.context() as patch:
        patch.setattr(events, "stage_done", die)  # the artifact is kept, and nobody has noted it
        with pytest.raises(KeyboardInterrupt):
            pipeline.run_stage(stores, render_id, "speech")
    for stage in ("speech", "speech", "admit"):  # noted; tried again after a late success; its run is cleared
        pipeline.run_stage(stores, render_id, stage)
        with transaction(stores.pg_dsn) as db:
            run, made = (
                records.stage_run(db, render_id, "speech"), records.artifacts_of(db, render_id)["speech"]
            )  # fmt: skip
            assert (run.state, run.compute_s) == ("done", made.compute_s), stage
            assert run.compute_s > 0
            run.energy_j = 7.5
    assert not pipeline.run_stage(stores, render_id, "speech").cached
    assert status.of(stores, render_id).energy_j == 7.5
    assert _usage(stores)["speech"].hits == (before["speech"].hits if "speech" in before else 0)
    pipeline.cancel(stores, render_id)
    again = pipeline.submit(stores, _asked(stores, "Tried twice, made once."))
    pipeline.run_stage(stores, again, "admit")
    assert pipeline.run_stage(stores, again, "speech").cached, "found by another render, it costs nothing"
    pipeline.cancel(stores, again)


def test_who_waits_for_equal_work_is_counted(stores: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    waiter = pipeline.submit(stores, _asked(stores, "Somebody is at it."))
    pipeline.run_stage(stores, waiter, "admit")
    with transaction(stores.pg_dsn) as db:
        wanted = recipe(BY_NAME["speech"], Plan.model_validate(records.find(db, waiter).plan), {})
    assert wanted is not None
    with (
        lock(stores.pg_dsn, f"artifact {wanted.fingerprint}", wait_s=1),
        pytest.raises(WorkInFlight),
    ):
        pipeline.run_stage(stores, waiter, "speech", wait=False)
    monkeypatch.setattr(command, "known_stores", lambda: stores)
    assert "speech: 1 waiting for equal work elsewhere" in CliRunner().invoke(main, ["cache"]).stdout
    pipeline.run_stage(stores, waiter, "speech")
    assert "waiting" not in CliRunner().invoke(main, ["cache"]).stdout


MANY = """
INSERT INTO request (id, sha256, body, caller) VALUES ('many', 'x', '{}', 'm');
INSERT INTO render (id, request_id, state, code_version)
    SELECT 'many' || i, 'many', 'failed', 'm' FROM generate_series(1, 10000) AS i;
INSERT INTO artifact (fingerprint, stage, stage_version, params, key, sha256, bytes, files, facts,
    code_version, compute_s)
    SELECT 'many' || i, 'face', '1', '{}', 'k', 'x', 1, '{}', jsonb_build_object('x', repeat('x', 500)),
        'm', 1
    FROM generate_series(1, 10000) AS i;
INSERT INTO stage_run (render_id, stage, state, attempt, artifact, host, ended_at)
    SELECT 'many' || i, 'face', 'cached', 1, 'many' || i, 'h', now() - i * interval '1 hour'
    FROM generate_series(1, 10000) AS i
"""


@pytest.fixture(scope="module")
def many(stores: Settings) -> Settings:
    """Ten thousand artifacts, each found again once, an hour apart."""
    with transaction(stores.pg_dsn) as db:
        for statement in MANY.split(";"):
            db.execute(sa.text(statement))
    with engine(stores.pg_dsn).connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE artifact, stage_run")
    return stores


@pytest.mark.parametrize(
    ("query", "read"),
    [
        (cache.KEPT, {("Index Only Scan", "artifact")}),
        (cache.USED, {("Index Scan", "artifact"), ("Index Scan", "stage_run")}),
        (cache.WAITING, {("Index Scan", "stage_run")}),
    ],
)
def test_no_figure_reads_a_large_table_from_end_to_end(
    many: Settings, query: str, read: set[tuple[str, str]]
) -> None:
    values = {"since": records.now() - timedelta(days=7)} if ":since" in query else {}
    with transaction(many.pg_dsn) as db:
        explained = db.execute(sa.text(f"EXPLAIN (FORMAT JSON) {query}"), values).scalar_one()
    nodes = [explained[0]["Plan"]]
    for node in nodes:
        nodes.extend(node.get("Plans", []))
    scans = {(node["Node Type"], node["Relation Name"]) for node in nodes if "Relation Name" in node}
    assert {scan for scan in scans if scan[1] != "engine_version"} == read
