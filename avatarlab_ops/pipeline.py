"""What may be done with one render. (Orders, approval, withdrawal: `renders/`; many at once: `bulk/`.)

A render is accepted, then running, then exactly one of published, failed or cancelled; one guarded UPDATE
decides. Every stage may be called again after any failure: what exists is found, the rest is done anew.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from avatarlab_ops import tracing
from avatarlab_ops.errors import (
    ApprovalAwaited,
    AvatarlabError,
    ConsentError,
    InvariantBroken,
    RenderCancelled,
    TransientError,
    WorkInFlight,
)
from avatarlab_ops.graph import ADMIT, BY_NAME, GRAPH, PUBLISH, STAGES, Stage, files, parts, recipe
from avatarlab_ops.plan import ROLES, Plan
from avatarlab_ops.progress import Report, silent
from avatarlab_ops.renders import prediction, status
from avatarlab_ops.renders.status import Published, published
from avatarlab_ops.request import AvatarRequest
from avatarlab_ops.settings import Settings
from avatarlab_ops.stages import deadline
from avatarlab_ops.states import Event, RenderState, StageState

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from avatarlab_ops.stores.catalog.tables import Artifact

ENDED_AT_ONCE = 100  # renders that one transaction ends
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StageResult:
    """What became of one stage of one render. Small enough for XCom (`dataclasses.asdict`)."""

    render_id: str
    stage: str
    needed: bool  # False: this request has no use for the stage
    cached: bool  # True: the artifact existed already
    artifact: str | None = None  # its fingerprint
    compute_s: float = 0.0  # seconds of work, 0 when cached or not needed
    pending: tuple[str, ...] = ()  # after admit: the stages that still have work to do


def prepare_stores(settings: Settings) -> None:
    """Bring tables, buckets and collections to what this version needs; cheap and safe to repeat."""
    from avatarlab_ops.stores import catalog
    from avatarlab_ops.stores.documents import documents
    from avatarlab_ops.stores.objects import objects
    from avatarlab_ops.trust import licences

    catalog.migrate(settings.pg_dsn)
    with catalog.transaction(settings.pg_dsn) as db:
        licences.record(db)
    objects(settings).ensure_buckets()
    documents(settings).create_collections()


def ready_stores(settings: Settings) -> None:
    """Prepare the stores where their tables are not this version's: a look, wherever work may begin."""
    from avatarlab_ops.stores import catalog

    if not catalog.is_current(settings.pg_dsn):
        prepare_stores(settings)


def submit(
    settings: Settings,
    request: AvatarRequest | Mapping[str, Any],
    *,
    run_id: str | None = None,
    caller: str = "cli",
    begins: bool = False,
) -> str:
    """Accept a request and return its render id; the same `run_id` or idempotency key gives the same id.

    `begins`: the run does, for the first time; raises RenderCancelled if its order was cancelled meanwhile.

    Raises RequestInvalid, ScriptRefused or ReferenceRefused; then nothing was accepted. A render that failed
    or was cancelled is over: the same request then gets a new one.
    """
    from avatarlab_ops import events
    from avatarlab_ops.renders import orders
    from avatarlab_ops.stores import catalog
    from avatarlab_ops.stores.catalog import records
    from avatarlab_ops.trust import inputs

    asked = request if isinstance(request, AvatarRequest) else AvatarRequest.parse(request)
    check_references(settings, asked)
    ready_stores(settings)
    with catalog.transaction(settings.pg_dsn) as db:
        if run_id is not None:  # what a bulk run makes was checked when it was planned
            inputs.check_use(db, asked, caller)
        render_id = records.accept(db, asked, run_id=run_id, caller=caller)
        if begins and run_id is not None:
            orders.check_wanted(db, run_id, render_id)
        if records.find(db, render_id).state == RenderState.ACCEPTED:
            events.tell(db, settings, render_id, Event.ACCEPTED)
    return render_id


def check_references(settings: Settings, request: AvatarRequest) -> None:
    """Raise ReferenceRefused for an object that no request may name."""
    from avatarlab_ops.trust import inputs

    for where in inputs.NAMING:
        uri = getattr(request, where).uri
        if uri is not None:
            inputs.place(settings, uri, f"{where}.uri")


def run_stage(
    settings: Settings,
    render_id: str,
    stage: str,
    *,
    report: Report = silent,
    wait: bool = True,
    deliver_now: bool = True,
) -> StageResult:
    """Run one stage of a render, or find that its artifact exists. May be called again after any failure.

    Raises an error of errors.py. One that no retry can help also ends the render as failed; of the others the
    caller decides, and calls `fail` when it gives up. Without `wait` WorkInFlight says that equal work is
    being done elsewhere; without `deliver_now` the caller has to call `deliver` after `admit` and `publish`.
    """
    from avatarlab_ops.stores.catalog import records, transaction

    if stage not in STAGES:
        raise InvariantBroken(f"there is no stage {stage!r}; the stages are {', '.join(STAGES)}")
    with tracing.of_render(render_id, stage, stage=stage), _noted(settings, render_id, stage):
        with transaction(settings.pg_dsn) as db:
            render = records.begin_stage(db, render_id, stage)
            artifacts = records.artifacts_of(db, render_id)
            body = records.request_of(db, render).body
        if render.state == RenderState.PUBLISHED:
            made = artifacts.get(stage)
            return StageResult(render_id, stage, True, True, made.fingerprint if made else None)
        if stage == ADMIT.name:
            result = _admit(settings, render_id, AvatarRequest.parse(body))
        elif render.plan is None:
            raise InvariantBroken(f"{stage} was called before {ADMIT.name}")
        elif stage == PUBLISH.name:
            result = _publish(settings, render_id)
        else:
            plan = Plan.model_validate(render.plan)
            for part in parts(BY_NAME[stage]):
                result = _make(settings, render_id, part, plan, report=report, wait=wait)
        if deliver_now and stage in (ADMIT.name, PUBLISH.name):
            deliver(settings, render_id)
        return result


def _publish(settings: Settings, render_id: str) -> StageResult:
    from avatarlab_ops.renders import approval
    from avatarlab_ops.stages import publish

    approval.check(settings, render_id)
    compute_s = publish.publish(settings, render_id)
    return StageResult(render_id, PUBLISH.name, True, False, None, compute_s)


def deliver(settings: Settings, render_id: str) -> None:
    """Send what is known of a render on to the document store; what cannot be sent now is kept for later."""
    from avatarlab_ops.stores import outbox

    outbox.deliver(settings, render_id=render_id)


@contextmanager
def _noted(settings: Settings, render_id: str, stage: str) -> Iterator[None]:
    """Keep the reason of a failure with the stage; a failure that no retry can help ends the render."""
    from avatarlab_ops.renders import approval
    from avatarlab_ops.stores.catalog import records, transaction

    try:
        yield
    except RenderCancelled:
        raise
    except ApprovalAwaited:
        with transaction(settings.pg_dsn) as db:
            approval.ask(settings, db, render_id)
        raise
    except WorkInFlight:
        with transaction(settings.pg_dsn) as db:
            records.end_stage(db, render_id, stage, StageState.WAITING)
        raise
    except Exception as error:
        try:
            with transaction(settings.pg_dsn) as db:
                if records.exists(db, render_id):
                    records.end_stage(db, render_id, stage, StageState.FAILED, error=error)
            if isinstance(error, AvatarlabError) and not error.retryable:
                fail(settings, render_id, error, stage=stage)
        except TransientError as second:  # the catalog is away: the first reason matters more
            log.warning("failure of %s %s not recorded: %s", render_id, stage, second)
        raise


def _admit(settings: Settings, render_id: str, request: AvatarRequest) -> StageResult:
    """Plan the render; stages with nothing to do are settled at once."""
    from avatarlab_ops import events
    from avatarlab_ops.renders import budget
    from avatarlab_ops.renders.estimate import existing
    from avatarlab_ops.stages.admit import admit
    from avatarlab_ops.stores.catalog import consents, rates, records, spending, transaction
    from avatarlab_ops.trust import consent

    started = time.monotonic()
    with transaction(settings.pg_dsn) as db:
        caller = records.request_of(db, records.find(db, render_id)).caller
    with deadline.in_time(ADMIT.name):  # over before anything is decided
        plan = admit(settings, request, caller=caller)
        found = existing(settings, plan)
    inputs = {role: getattr(plan, role) for role in ROLES}
    pending = tuple(
        stage.name
        for stage in GRAPH
        if stage.wanted(plan) and stage.name not in found and stage.within is None
    )
    compute_s = time.monotonic() - started
    with transaction(settings.pg_dsn) as db:
        held = consent.check(db, consent.materials(plan), plan.language, request.labels)
        predicted = prediction.predict(rates.known(db), plan, found)
        if not spending.in_bulk_run(db, render_id):
            budget.check(db, caller, prediction.gpu_s(predicted), besides_render=render_id)
        records.record_prediction(db, render_id, predicted)
        sources = {role: source.model_dump() for role, source in inputs.items() if source is not None}
        records.record_inputs(db, render_id, plan.record(), sources)
        consents.rely(db, render_id, [one.id for one in held])
        events.tell(db, settings, render_id, Event.RUNNING)
        events.stage_done(db, settings, render_id, ADMIT.name, compute_s=compute_s)
        for stage in GRAPH:
            if not stage.wanted(plan):
                records.end_stage(db, render_id, stage.name, StageState.NOT_NEEDED)
            elif stage.name in found:
                _found(db, settings, render_id, stage, found[stage.name])
    return StageResult(render_id, ADMIT.name, True, False, None, compute_s, (*pending, PUBLISH.name))


def _make(
    settings: Settings,
    render_id: str,
    stage: Stage,
    plan: Plan,
    *,
    report: Report,
    wait: bool,
) -> StageResult:
    """Make a stage's artifact from those of the stages before it, or find it."""
    from avatarlab_ops import events, model_files
    from avatarlab_ops.stages import runner
    from avatarlab_ops.stores.catalog import rates, records, transaction

    if not stage.wanted(plan):
        with transaction(settings.pg_dsn) as db:
            records.end_stage(db, render_id, stage.name, StageState.NOT_NEEDED)
        return StageResult(render_id, stage.name, False, False)
    with transaction(settings.pg_dsn) as db:
        artifacts = records.artifacts_of(db, render_id)
        budget_s = prediction.budget_s(rates.known(db), stage, plan, artifacts)
    model_files.ensure(settings, files(stage, plan))
    wanted = recipe(stage, plan, artifacts)
    if wanted is None:
        raise InvariantBroken(f"{stage.name} was called before {', '.join(stage.after)}")
    made, cached, spent = runner.make(
        settings, render_id, plan, wanted,
        artifacts=artifacts, report=report, wait=wait, budget_s=budget_s,
    )  # fmt: skip
    with transaction(settings.pg_dsn) as db:
        if cached:
            return _found(db, settings, render_id, stage, made)
        events.stage_done(
            db, settings, render_id, stage.name,
            artifact=made.fingerprint, compute_s=spent.seconds, energy_j=spent.joules,
        )  # fmt: skip
        prediction.learn(db, stage, plan, artifacts=artifacts, made=made, took_s=spent.seconds)
    return StageResult(render_id, stage.name, True, False, made.fingerprint, spent.seconds)


def _found(db: Session, settings: Settings, render_id: str, stage: Stage, made: Artifact) -> StageResult:
    """Note an artifact that exists: as found, or as made, with its cost, where this render made it.

    Its process died before it was noted, or the task is tried again after a late success.
    """
    from avatarlab_ops import events
    from avatarlab_ops.stores.catalog import records

    if made.made_by != render_id:
        events.stage_done(db, settings, render_id, stage.name, cached=True, artifact=made.fingerprint)
        return StageResult(render_id, stage.name, True, True, made.fingerprint)
    run = records.stage_runs(db, render_id).get(stage.name)  # as the try before left it
    energy_j = run.energy_j if run and run.artifact == made.fingerprint else None
    events.stage_done(
        db, settings, render_id, stage.name,
        artifact=made.fingerprint, compute_s=made.compute_s, energy_j=energy_j,
    )  # fmt: skip
    return StageResult(render_id, stage.name, True, False, made.fingerprint, made.compute_s)


def render(
    settings: Settings,
    request: AvatarRequest | Mapping[str, Any],
    *,
    report: Report = silent,
    reporter: Callable[[str], Report] | None = None,
    caller: str = "cli",
) -> Published:
    """Submit and run every stage in this process. `reporter` gives the Report of each stage by its name.

    Raises an error of errors.py; the render has then failed, or was cancelled by an interrupt. Where somebody
    has to approve the video it waits for that.
    """
    render_id = submit(settings, request, caller=caller)
    try:
        for stage in STAGES:
            _patiently(settings, render_id, stage, reporter(stage) if reporter else report)
    except KeyboardInterrupt:
        cancel(settings, render_id)
        raise
    except Exception as error:
        fail(settings, render_id, error)
        raise
    found = published(settings, render_id)
    if found is None and (reason := status.of(settings, render_id).withdrawn_reason):
        raise ConsentError(
            f"this request's video {render_id} was withdrawn ({reason}); "
            "ask again under another idempotency key"
        )
    if found is None:
        raise InvariantBroken(f"render {render_id} ended without a video")
    return found


def _patiently(settings: Settings, render_id: str, stage: str, report: Report) -> StageResult:
    """Try again after 1, 2 and 4 seconds while a store is away."""
    for delay_s in (1, 2, 4):
        try:
            return _once_approved(settings, render_id, stage, report)
        except TransientError as error:
            log.warning("%s is tried again in %d s: %s", stage, delay_s, error)
            time.sleep(delay_s)
    return _once_approved(settings, render_id, stage, report)


def _once_approved(settings: Settings, render_id: str, stage: str, report: Report) -> StageResult:
    """Run a stage; one that has to be approved as soon as somebody has decided."""
    from avatarlab_ops.stores.catalog.waiting import decided

    try:
        return run_stage(settings, render_id, stage, report=report)
    except ApprovalAwaited as waits:
        log.warning("%s", waits)
    asyncio.run(decided(settings.pg_dsn, [render_id]))
    return run_stage(settings, render_id, stage, report=report)


def fail(settings: Settings, render_id: str, error: BaseException | str, *, stage: str | None = None) -> bool:
    """End a render as failed with the reason; False if it had ended already."""
    return _end(settings, render_id, RenderState.FAILED, error=error, stage=stage)


def cancel(settings: Settings, render_id: str, reason: str | None = None) -> bool:
    """End a render as cancelled; running stages stop at their next report. False if it had ended already."""
    return _end(settings, render_id, RenderState.CANCELLED, error=RenderCancelled(reason) if reason else None)


def end_all(
    settings: Settings, render_ids: Iterable[str], state: str, error: BaseException | str | None = None
) -> None:
    """End many renders, a page in a transaction; to deliver what that tells is left to the caller."""
    from avatarlab_ops.renders.ending import end
    from avatarlab_ops.stores.catalog import transaction

    ids = sorted(render_ids)  # one order for whoever ends them: none waits for another's locks in a circle
    for begun in range(0, len(ids), ENDED_AT_ONCE):
        with transaction(settings.pg_dsn) as db:
            for render_id in ids[begun : begun + ENDED_AT_ONCE]:
                end(settings, db, render_id, state, error=error)
                db.flush()  # the next one's event reads everything anew


def _end(
    settings: Settings,
    render_id: str,
    state: str,
    *,
    error: BaseException | str | None = None,
    stage: str | None = None,
) -> bool:
    from avatarlab_ops.renders.ending import end
    from avatarlab_ops.stores.catalog import transaction

    with transaction(settings.pg_dsn) as db:
        ended = end(settings, db, render_id, state, error=error, stage=stage)
    if ended:
        deliver(settings, render_id)
    return ended
