"""The catalog: migrations, acceptance, exactly one end, locks, progress, lineage."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from avatarlab_ops import pipeline
from avatarlab_ops.errors import RenderCancelled, RequestInvalid, TransientError, WorkInFlight
from avatarlab_ops.renders import orders, status
from avatarlab_ops.request import AvatarRequest
from avatarlab_ops.settings import Settings
from avatarlab_ops.stages.context import ProgressRows
from avatarlab_ops.stages.deadline import Deadline
from avatarlab_ops.stores import catalog
from avatarlab_ops.stores.catalog import records
from avatarlab_ops.stores.catalog import tables as m


def _asked(stores: Settings, **change: Any) -> AvatarRequest:
    least = {"script": "Hello.", "avatar": {"uri": f"s3://{stores.bucket_inputs}/a.png"}}
    return AvatarRequest.parse(least | change)


def _all_at_once(work: Callable[[], Any], times: int = 6) -> list[Any]:
    barrier = threading.Barrier(times)

    def wait() -> Any:
        barrier.wait()
        return work()

    with ThreadPoolExecutor(times) as pool:
        return [future.result() for future in [pool.submit(wait) for _ in range(times)]]


def test_many_may_migrate_at_once(fresh: Settings) -> None:
    assert not catalog.is_current(fresh.pg_dsn)
    _all_at_once(lambda: catalog.migrate(fresh.pg_dsn))
    assert catalog.is_current(fresh.pg_dsn)


def test_a_process_whose_connections_are_all_in_use_says_so_and_may_be_asked_again(
    stores: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = catalog.engine(stores.pg_dsn).pool
    monkeypatch.setattr(pool, "_timeout", 0.05)
    with ExitStack() as held:
        for _ in range(10):
            held.enter_context(catalog.engine(stores.pg_dsn).connect())
        for door in (catalog.transaction, catalog.reading):
            with pytest.raises(TransientError, match="connections"), door(stores.pg_dsn) as db:
                db.execute(sa.text("SELECT 1"))


def test_migrations_and_models_agree(stores: Settings) -> None:
    with catalog.engine(stores.pg_dsn).connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "version_table": "avatarlab_version"}
        )
        assert compare_metadata(context, m.Base.metadata) == []
    assert ScriptDirectory(str(catalog.MIGRATIONS)).get_current_head() == catalog.HEAD


def test_a_run_or_key_that_comes_again_gets_the_same_render(stores: Settings) -> None:
    asked = _asked(stores, idempotency_key="order-1")
    ids = _all_at_once(lambda: pipeline.submit(stores, asked, caller="x"))
    assert len(set(ids)) == 1
    assert pipeline.submit(stores, asked, caller="y") not in ids
    runs = _all_at_once(lambda: pipeline.submit(stores, _asked(stores), run_id="run-1", caller="airflow"))
    assert len(set(runs)) == 1
    assert status.renders_of_run(stores, "run-1") == runs[:1]


def test_a_key_used_for_another_request_is_refused(stores: Settings) -> None:
    pipeline.submit(stores, _asked(stores, idempotency_key="order-2"))
    with pytest.raises(RequestInvalid, match="order-2"):
        pipeline.submit(stores, _asked(stores, idempotency_key="order-2", seed=5))


def test_what_an_earlier_version_accepted_is_still_the_same_request(stores: Settings) -> None:
    """Before lexicons a body had no `lexicon`, and its default engine was written in."""
    asked = _asked(stores, idempotency_key="order-4")
    first = pipeline.submit(stores, asked, run_id="run-4", caller="x")
    old = asked.canonical()
    del old["lexicon"]
    old["engines"]["speech"] = "hibari"
    with catalog.transaction(stores.pg_dsn) as db:
        stored = sa.update(m.Request).where(m.Request.idempotency_key == "order-4")
        db.execute(stored.values(body=old, sha256="0" * 64))
    assert pipeline.submit(stores, asked, caller="x") == first, "the client sends its order again"
    assert pipeline.submit(stores, old, run_id="run-4", caller="x") == first, "its run begins, with its conf"
    ordered = orders.placed(stores, asked, caller="x")
    assert ordered is not None
    assert ordered.render_id == first
    for change in ({"seed": 5}, {"engines.speech": "kokoro"}, {"labels": {"a": "b"}}):
        with pytest.raises(RequestInvalid, match="order-4"):
            pipeline.submit(stores, _asked(stores, idempotency_key="order-4", **change), caller="x")


def test_a_request_whose_render_failed_may_be_tried_anew(stores: Settings) -> None:
    asked = _asked(stores, idempotency_key="order-3")
    first = pipeline.submit(stores, asked)
    assert pipeline.fail(stores, first, TransientError("the store was away"))
    second = pipeline.submit(stores, asked)
    assert second != first
    assert status.of(stores, first).error == "the store was away"
    assert status.of(stores, first).error_code == "transient"


def test_a_render_that_ends_while_its_request_comes_again_gives_way_to_a_new_one(stores: Settings) -> None:
    asked = _asked(stores, idempotency_key="order-5")
    first = pipeline.submit(stores, asked, caller="x")

    def end(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("INSERT INTO render "):
            pipeline.fail(stores, first, TransientError("in between"))

    engine = catalog.engine(stores.pg_dsn)
    sa.event.listen(engine, "after_cursor_execute", end)
    try:
        second = pipeline.submit(stores, asked, caller="x")
    finally:
        sa.event.remove(engine, "after_cursor_execute", end)
    assert second != first
    assert [status.of(stores, one).state for one in (first, second)] == ["failed", "accepted"]


def test_one_process_may_accept_any_number_of_requests(stores: Settings) -> None:
    # One connection prepares its statements after a few uses, and then plans them without their parameters.
    with catalog.transaction(stores.pg_dsn) as db:
        ids = [records.accept(db, _asked(stores), run_id=None, caller="x") for _ in range(30)]
    assert len(set(ids)) == 30


def test_a_render_ends_once(stores: Settings) -> None:
    render_id = pipeline.submit(stores, _asked(stores))
    ends = _all_at_once(lambda: pipeline.fail(stores, render_id, "a") or pipeline.cancel(stores, render_id))
    assert sum(ends) == 1
    assert not pipeline.cancel(stores, render_id)
    with pytest.raises(RenderCancelled, match=r"has failed|was cancelled"):
        pipeline.run_stage(stores, render_id, "admit")


def test_the_database_itself_refuses_a_second_live_render(stores: Settings) -> None:
    render_id = pipeline.submit(stores, _asked(stores))
    with catalog.transaction(stores.pg_dsn) as db:
        request_id = records.find(db, render_id).request_id
    second = m.Render(id="second", request_id=request_id, state="running", code_version="x")
    with pytest.raises(sa.exc.IntegrityError), catalog.transaction(stores.pg_dsn) as db:
        db.add(second)


def test_a_lock_is_held_by_one_and_waited_for(stores: Settings) -> None:
    looks: list[int] = []
    with catalog.lock(stores.pg_dsn, "one", wait_s=1):
        with (
            pytest.raises(WorkInFlight),
            catalog.lock(stores.pg_dsn, "one", wait_s=0.1, check=lambda: looks.append(1)),
        ):
            pass
        with catalog.lock(stores.pg_dsn, "another", wait_s=0.1):
            pass
    assert looks
    with catalog.lock(stores.pg_dsn, "one", wait_s=0.1):
        pass


def test_a_lost_server_is_worth_another_try() -> None:
    dsn = "postgresql://a:b@127.0.0.1:9/x"
    with pytest.raises(TransientError, match="did not answer"), catalog.transaction(dsn) as db:
        db.execute(sa.text("SELECT 1"))
    with pytest.raises(TransientError, match="did not answer"), catalog.lock(dsn, "x", wait_s=1):
        pass


def test_progress_is_written_twice_a_second_with_rate_and_end(stores: Settings) -> None:
    render_id = pipeline.submit(stores, _asked(stores))
    seen: list[int] = []
    limit = Deadline("lipsync", 60)
    rows = ProgressRows(stores, render_id, "lipsync", lambda done, total, unit: seen.append(done), limit)
    for done in range(1, 1001):
        rows(done, 2000, "frames")
    assert seen == list(range(1, 1001))
    stage = next(s for s in status.of(stores, render_id).stages if s.stage == "lipsync")
    assert 1 <= stage.done < 1000
    rows(2000, 2000, "frames")
    with catalog.transaction(stores.pg_dsn) as db:
        row = records.progress_of(db, render_id)["lipsync"]
    assert (row.done, row.total, row.unit) == (2000, 2000, "frames")
    assert row.rate > 0
    assert row.expected_end is not None
    assert abs((row.expected_end - datetime.now(UTC)).total_seconds()) < 5


def test_a_cancelled_render_stops_its_stage_at_the_next_report(stores: Settings) -> None:
    render_id = pipeline.submit(stores, _asked(stores))
    rows = ProgressRows(stores, render_id, "matte", lambda *_: None, Deadline("matte", 60))
    pipeline.cancel(stores, render_id)
    with pytest.raises(RenderCancelled):
        rows(1, 10, "frames")
