"""What a caller may spend in a day: a request and a bulk run beyond it are refused with the time."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from avatarlab_ops import graph, pipeline
from avatarlab_ops.bulk import planning
from avatarlab_ops.errors import BudgetExceeded
from avatarlab_ops.renders import budget, orders, status
from avatarlab_ops.renders.estimate import Estimate
from avatarlab_ops.request import AvatarRequest
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.catalog import records, transaction

from .bulk_runs import asked, rows

SMALL = {"output": {"resolution": "360p", "aspect": "1:1"}}


def _admitted(stores: Settings, body: dict[str, Any]) -> bool:
    """Whether the budget lets Ann's request in; it is not rendered."""
    render_id = pipeline.submit(stores, body, caller="ann")
    try:
        pipeline.run_stage(stores, render_id, "admit")
    except BudgetExceeded:
        return False
    pipeline.cancel(stores, render_id)
    return True


def test_a_request_beyond_the_budget_is_refused_with_the_time(
    stores: Settings, portrait: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = SMALL | {"script": "A little more.", "avatar": {"uri": portrait}}
    spender = pipeline.render(stores, body, caller="ann")
    with transaction(stores.pg_dsn) as db:
        spent = sum(
            run.compute_s
            for stage, run in records.stage_runs(db, spender.render_id).items()
            if stage in graph.GPU_STAGES
        )
    assert spent > 0
    monkeypatch.setenv("AVATARLAB_BUDGET_GPU_S_PER_DAY_BY_CALLER", f"ann={max(spent, 100)}")
    with monkeypatch.context() as patch:
        patch.setattr("avatarlab_ops.renders.prediction.gpu_s", lambda _: 99.99)
        with pytest.raises(BudgetExceeded) as told:
            pipeline.render(stores, body | {"seed": 1}, caller="ann")
        when = re.search(r"it fits after (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC", str(told.value))
        assert when
        fits = datetime.fromisoformat(when[1]).replace(tzinfo=UTC)
        for seconds, admitted in ((-1, False), (1, True)):
            at = fits + timedelta(seconds=seconds)
            patch.setattr("avatarlab_ops.stores.catalog.spending.now", lambda at=at: at)
            assert _admitted(stores, body | {"seed": 10 + seconds}) == admitted
        patch.setattr("avatarlab_ops.stores.catalog.spending.now", records.now)
        refused = pipeline.submit(stores, body | {"seed": 2}, caller="ann")
        with pytest.raises(BudgetExceeded):
            pipeline.run_stage(stores, refused, "admit")
        seen = status.of(stores, refused)
        assert (seen.state, seen.error_code) == ("failed", "budget_exceeded")
        free = pipeline.submit(stores, body | {"seed": 3}, caller="bob")
        assert pipeline.run_stage(stores, free, "admit").pending
    monkeypatch.setenv("AVATARLAB_BUDGET_GPU_S_PER_DAY_BY_CALLER", "ann=0.001")
    again = pipeline.submit(stores, body, caller="ann")  # everything exists: it costs nothing
    assert pipeline.run_stage(stores, again, "admit").pending == ("publish",)
    uri = rows(stores, portrait, "dear", ["Too dear."])
    with pytest.raises(BudgetExceeded, match="can never fit"):
        planning.plan(stores, asked(file=uri), bulk_id="dear", caller="ann")
    outline = planning.plan(stores, asked(file=uri, dry_run=True), bulk_id="dear", caller="ann")
    assert outline.over_budget is not None


def test_an_admission_that_is_tried_again_does_not_count_itself(
    stores: Settings, portrait: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AVATARLAB_BUDGET_GPU_S_PER_DAY_BY_CALLER", "eve=100")
    monkeypatch.setattr("avatarlab_ops.renders.prediction.gpu_s", lambda _: 60.0)
    monkeypatch.setattr("avatarlab_ops.renders.budget.gpu_left_s", lambda *_: 60.0)
    body = SMALL | {"script": "Twice at the door.", "avatar": {"uri": portrait}}
    one, other = (pipeline.submit(stores, body | {"seed": seed}, caller="eve") for seed in (1, 2))
    for _ in range(2):  # its worker was killed after the first
        assert pipeline.run_stage(stores, one, "admit").pending
    with pytest.raises(BudgetExceeded):
        pipeline.run_stage(stores, other, "admit")
    pipeline.cancel(stores, one)


FORESEEN = Estimate({"speech": 60.0}, (), predicted_s=60.0, predicted_gpu_s=60.0, warnings=(), script=())


def _order(stores: Settings, portrait: str, caller: str, number: int) -> str:
    body = SMALL | {"script": "In line.", "avatar": {"uri": portrait}, "idempotency_key": f"o-{number}"}
    asked = AvatarRequest.parse(body)
    return orders.place(stores, asked, caller=caller, foreseen=FORESEEN).render_id


def test_of_orders_that_come_at_once_those_beyond_the_budget_are_refused(
    stores: Settings, portrait: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AVATARLAB_BUDGET_GPU_S_PER_DAY_BY_CALLER", "flo=130")
    placed, refused = [], []

    def order(number: int) -> None:
        try:
            placed.append(_order(stores, portrait, "flo", number))
        except BudgetExceeded as told:
            refused.append(str(told))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(order, range(6)))
    assert (len(placed), len(refused)) == (2, 4)
    for render_id in placed:
        pipeline.cancel(stores, render_id)


def test_an_order_counts_while_it_is_being_admitted(
    stores: Settings, portrait: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AVATARLAB_BUDGET_GPU_S_PER_DAY_BY_CALLER", "gus=100")
    monkeypatch.setattr("avatarlab_ops.renders.prediction.gpu_s", lambda _: 60.0)
    first = _order(stores, portrait, "gus", 1)

    def used() -> float:
        with transaction(stores.pg_dsn) as db:
            return budget.standing(db, "gus")[0].used

    with transaction(stores.pg_dsn) as db:
        records.begin_stage(db, first, "admit")
    assert used() == 60
    with pytest.raises(BudgetExceeded):
        _order(stores, portrait, "gus", 2)
    assert pipeline.run_stage(stores, first, "admit").pending, "it is not counted twice"
    pipeline.cancel(stores, first)
    assert used() == 0
