"""What `avatarlab metrics` tells Prometheus, and that dashboard and alerts ask for nothing else."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from kit import certificates
from kit.eventually import eventually
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy.orm import Session

from avatarlab_ops import metrics, pipeline
from avatarlab_ops.embedded.server import free_ports
from avatarlab_ops.engines import device
from avatarlab_ops.renders import approval
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores import outbox
from avatarlab_ops.stores.catalog import engine, records, transaction
from avatarlab_ops.stores.catalog import tables as m

MONITORING = Path(__file__).parents[2] / "docker" / "monitoring"


def told(stores: Settings) -> dict[tuple[str, ...], float]:
    """Each series that is told: (name, values of its labels...)."""
    families = text_string_to_metric_families(metrics.text(stores).decode())
    return {
        (s.name.removeprefix("avatarlab_"), *s.labels.values()): s.value for f in families for s in f.samples
    }


@pytest.fixture
def ordered(stores: Settings, portrait: str) -> str:
    return pipeline.submit(stores, {"script": "Count me.", "avatar": {"uri": portrait}})


def test_an_order_is_counted_while_it_waits_works_and_fails(stores: Settings, ordered: str) -> None:
    before = told(stores)
    assert before["renders", "accepted"] == 1
    assert before["oldest_open_render_seconds",] > 0
    with transaction(stores.pg_dsn) as db:
        records.begin_stage(db, ordered, "speech")
    assert told(stores)["stages_open", "speech", "running"] == 1
    with transaction(stores.pg_dsn) as db:
        approval.ask(stores, db, ordered)
    asked = told(stores)
    assert asked["oldest_open_render_seconds",] == 0, "it waits for a person"
    assert asked["renders_awaiting_approval",] == asked["stages_open", "publish", "awaiting_approval"] == 1
    assert asked["oldest_approval_seconds",] > 0
    with transaction(stores.pg_dsn) as db:
        records.end_stage(db, ordered, "speech", "done", compute_s=2.5)
    pipeline.fail(stores, ordered, "a reason", stage="speech")
    after = told(stores)
    assert ("stages_open", "speech", "running") not in after
    assert (after["renders", "accepted"], after["renders", "running"]) == (0, 0)
    assert after["renders", "failed"] == before["renders", "failed"] + 1
    assert after["oldest_open_render_seconds",] == 0
    assert after["renders_awaiting_approval",] == after["oldest_approval_seconds",] == 0


def test_a_video_that_a_bulk_run_comes_to_later_is_not_stuck_and_a_stage_that_hangs_is(
    stores: Settings, ordered: str
) -> None:
    asked = {"bulk_id": "long", "number": 1, "key": "one", "request": {}, "batch": 0, "predicted_gpu_s": 1.0}
    ago = records.now() - timedelta(hours=2)
    with transaction(stores.pg_dsn) as db:
        db.add(m.BulkRun(id="long", caller="ann", spec={}, spec_sha256="0" * 64, problems={}))
        db.flush()
        db.add(m.BulkItem(**asked, render_id=ordered))
        db.execute(sa.update(m.Render).where(m.Render.id == ordered).values(created_at=ago))
    assert told(stores)["oldest_open_render_seconds",] == 0, "it was prepared; its turn is to come"
    with transaction(stores.pg_dsn) as db:
        records.begin_stage(db, ordered, "lipsync")
        db.execute(sa.update(m.StageRun).where(m.StageRun.render_id == ordered).values(started_at=ago))
    assert told(stores)["oldest_open_render_seconds",] > 3600
    pipeline.fail(stores, ordered, "a reason")
    assert told(stores)["oldest_open_render_seconds",] == 0


def test_seconds_of_work_are_those_of_the_last_five_minutes(stores: Settings, ordered: str) -> None:
    with transaction(stores.pg_dsn) as db:
        records.begin_stage(db, ordered, "composite")
        records.end_stage(db, ordered, "composite", "done", compute_s=2.5)
    assert told(stores)["recent_stage_seconds", "composite"] == 2.5
    assert ("recent_stage_joules", "composite") not in told(stores), "no device told"
    assert told(stores)["recent_stages", "composite", "done"] == 1
    with transaction(stores.pg_dsn) as db:
        db.execute(sa.update(m.StageRun).values(ended_at=m.StageRun.ended_at - 2 * metrics.RECENT))
    assert ("recent_stage_seconds", "composite") not in told(stores)


def test_joules_are_told_of_stages_whose_device_tells(stores: Settings, ordered: str) -> None:
    with transaction(stores.pg_dsn) as db:
        for stage, joules in (("speech", 7.5), ("lipsync", 0.0), ("face", None)):
            records.begin_stage(db, ordered, stage)
            records.end_stage(db, ordered, stage, "done", compute_s=1.0, energy_j=joules)
    seen = told(stores)
    assert seen["recent_stage_joules", "speech"] == 7.5
    assert seen["recent_stage_joules", "lipsync"] == 0.0
    assert ("recent_stage_joules", "face") not in seen


@pytest.mark.parametrize("index", ["ix_stage_run_ended", "ix_stage_run_open", "ix_render_asked"])
def test_a_scrape_walks_an_index_of_stages_and_not_the_table(stores: Settings, index: str) -> None:
    asked: list[tuple[str, Any]] = []
    with engine(stores.pg_dsn).connect() as connection:
        sa.event.listen(connection.engine, "before_cursor_execute", lambda *told: asked.append(told[2:4]))
        with Session(connection) as db:
            list(metrics.figures(db))
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")  # few rows: a walk would be cheaper
        plans = [
            "\n".join(connection.exec_driver_sql(f"EXPLAIN {text}", values).scalars())
            for text, values in list(asked) if "stage_run" in text or "approval" in text
        ]  # fmt: skip
    assert any(index in plan for plan in plans), plans


def test_slots_are_told_while_they_are_held(stores: Settings) -> None:
    [known] = device.devices(cuda=False)
    assert told(stores)["device_slots", known.name] == known.slots
    with device.lease(stores.home / device.FOLDER, [known], slots=1, purpose="a test"):
        assert told(stores)["device_slots_held", known.name] == 1
    assert told(stores)["device_slots_held", known.name] == 0


def test_messages_that_wait_are_counted_until_they_arrive(stores: Settings, ordered: str) -> None:
    assert told(stores)["outbox_messages", "waiting"] > 0, "the order's own event"
    assert told(stores)["outbox_oldest_seconds",] > 0
    outbox.deliver(stores)
    assert told(stores)["outbox_messages", "waiting"] == 0
    assert told(stores)["outbox_messages", "dead"] == 0
    assert ordered


def test_the_command_line_prints_and_serves_them(stores: Settings) -> None:
    variables = {
        "AVATARLAB_HOME": str(stores.home),
        "AVATARLAB_PG_DSN": stores.pg_dsn, "AVATARLAB_MONGO_URI": stores.mongo_uri,
        "AVATARLAB_S3_ENDPOINT": stores.s3_endpoint, "AVATARLAB_S3_ACCESS_KEY": stores.s3_access_key,
        "AVATARLAB_S3_SECRET_KEY": stores.s3_secret_key,
    }  # fmt: skip
    command, env = [sys.executable, "-m", "avatarlab_ops.cli", "metrics"], os.environ | variables
    printed = subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout
    assert "# HELP avatarlab_renders Renders by state\n" in printed
    [port] = free_ports(("metrics",)).values()
    with subprocess.Popen([*command, "--serve", str(port)], env=env) as server:
        address = f"http://127.0.0.1:{port}/metrics"
        answer = eventually(lambda: httpx.get(address, trust_env=False), httpx.TransportError)
        server.terminate()
    assert names(answer.text) == names(printed)


def test_a_store_that_is_away_is_told_and_the_others_figures_with_it(stores: Settings) -> None:
    every = {("store_up", name) for name in ("postgres", "mongo", "s3")}
    now = told(stores)
    assert {key for key in now if key[0] == "store_up" and now[key] == 1} == every
    assert now["disk_free_bytes",] == pytest.approx(shutil.disk_usage(stores.home).free, rel=0.2)
    with socket.create_server(("127.0.0.1", 0)) as deaf:  # takes whoever calls, and says nothing
        at = f"127.0.0.1:{deaf.getsockname()[1]}"
        begun = time.monotonic()
        away = replace(
            stores, pg_dsn=f"postgresql://a@{at}/a", mongo_uri=f"mongodb://{at}/a", s3_endpoint=f"http://{at}"
        )
        silent = told(away)
    assert time.monotonic() - begun < 8, "Prometheus waits for ten seconds"
    assert {key for key in silent if key[0] == "store_up" and silent[key] == 0} == every
    assert silent["disk_free_bytes",] > 0
    assert ("oldest_open_render_seconds",) not in silent, "nobody knows"


def test_how_long_the_certificate_holds_is_told_where_its_file_is(
    stores: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain, _ = certificates.ending(10)
    (tmp_path / "chain.pem").write_bytes(chain)
    monkeypatch.setenv("AVATARLAB_SIGNING_CERTIFICATE", str(tmp_path / "chain.pem"))  # its key is elsewhere
    assert told(stores)["signing_certificate_seconds",] == pytest.approx(10 * 86_400, abs=120)
    monkeypatch.setenv("AVATARLAB_SIGNING_CERTIFICATE", str(tmp_path / "nowhere.pem"))
    assert ("signing_certificate_seconds",) not in told(stores)


def names(text: str) -> set[str]:
    """The figures that a scrape holds."""
    return {f.name for f in text_string_to_metric_families(text)}


def test_dashboard_and_alerts_ask_for_what_is_told(stores: Settings) -> None:
    known = names(metrics.text(stores).decode())
    asked = {
        name for file in MONITORING.iterdir() for name in re.findall(r"avatarlab_[a-z_]+", file.read_text())
    }
    assert asked == known
