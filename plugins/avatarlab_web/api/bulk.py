"""Bulk runs: many videos from a file or from what was published."""

from __future__ import annotations

import threading
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field, HttpUrl

from avatarlab_ops.bulk import names, planning, work
from avatarlab_ops.bulk import report as reports
from avatarlab_ops.bulk.contract import BulkRequest
from avatarlab_ops.bulk.report import Summary
from avatarlab_ops.errors import KeyReused, ReferenceRefused, RequestInvalid, TransientError
from avatarlab_ops.places import BULK_DAG
from avatarlab_ops.settings import Settings
from avatarlab_ops.states import ItemState, Outcome
from avatarlab_ops.stores import webhooks
from avatarlab_ops.stores.catalog import bulk, notes, transaction
from avatarlab_web import files, starting
from avatarlab_web.api import views
from avatarlab_web.api.access import BulkAuthor, Reader
from avatarlab_web.api.problems import AGAIN_S, ENDED, MISSING, ORDERING, PACED, Refusal
from avatarlab_web.api.renders import Key, needed_key
from avatarlab_web.stores import Stores

if TYPE_CHECKING:
    from avatarlab_ops.stores.catalog.tables import BulkItem

AT_ONCE = 2  # each holds a connection to the catalog for its whole file, of the ten that all calls share
_checks = threading.BoundedSemaphore(AT_ONCE)
router = APIRouter(tags=["bulk runs"])


class BulkOrder(BulkRequest):
    """Many videos, and who is to be told of their end."""

    callback_url: HttpUrl | None = Field(
        default=None,
        description="Told once this bulk run is late, and once it has finished, as a webhook is; signed with "
        "the secret of your webhook without a url.",
    )

    def request(self, **changes: Any) -> BulkRequest:
        """What is to be made, with these changes; whom to tell is no part of it."""
        asked = self.model_dump(mode="json", exclude={"callback_url"}, exclude_defaults=True)
        return BulkRequest.model_validate(asked | changes)


class Outline(BaseModel):
    """What a bulk run would do."""

    items: int
    predicted_gpu_s: float
    problems: int = Field(description="Rows that are wrong.")
    told: list[str] = Field(description="The first of them, with their lines.")
    noted: int = Field(description="Rows of which something was noticed; they are made nevertheless.")
    notes: list[str] = Field(description="The first of that, with the lines.")
    over_budget: str | None = Field(description="Why it would be refused.")


class BulkRun(BaseModel):
    """A bulk run as it stands. state: planning, refused, running, ended."""

    id: str
    state: Literal["planning", "refused", "running", "ended"]
    reason: str | None = Field(default=None, description="Why it was refused.")
    caller: str
    items: int = 0
    states: dict[str, int] = Field(default_factory=dict, description="waiting, published, failed, cancelled.")
    noted: int = Field(default=0, description="Items whose videos have notes.")
    problems: int = Field(default=0, description="Rows left out.")
    predicted_gpu_s: float = 0.0
    predicted_gpu_s_left: float = 0.0
    deadline: datetime | None = None
    expected_end: datetime | None = Field(
        default=None, description="While it runs, at the pace of the items that ended last."
    )
    late: bool = Field(default=False, description="It ended beyond the deadline, or is expected to.")
    created_at: datetime
    ended_at: datetime | None = None
    links: dict[str, str]


class Item(BaseModel):
    """One request of a bulk run."""

    number: int
    line: int | None
    key: str
    state: str
    render_id: str | None
    error_code: str | None
    error: str | None
    notes: list[str] = Field(description="What was noticed about its video so far.")


class ItemPage(BaseModel):
    """Items in their order; `cursor` asks for the next page."""

    items: list[Item]
    cursor: int | None


@router.post("/validations", responses=PACED)
def validate(asked: BulkOrder, who: BulkAuthor, stores: Stores) -> Outline:
    """Check every row of a file, or choose among published videos, and predict; nothing is kept.

    Two at a time in each api-server process.
    """
    if not _checks.acquire(blocking=False):
        raise HTTPException(
            429,
            f"{AT_ONCE} files are being checked already; ask again",
            headers={"Retry-After": str(AGAIN_S)},
        )
    try:
        found = planning.plan(stores, asked.request(dry_run=True), bulk_id="validation", caller=who.name)
    finally:
        _checks.release()
    return Outline(**{name: value for name, value in asdict(found).items() if name in Outline.model_fields})


@router.post("/bulk-runs", status_code=202, responses=ORDERING)
def create(
    order: BulkOrder,
    who: BulkAuthor,
    stores: Stores,
    *,
    request: Request,
    response: Response,
    key: Key = None,
) -> BulkRun:
    """Begin a bulk run; the same Idempotency-Key, or name, finds it, and may give it another deadline.

    Dry runs are /validations.
    """
    if order.dry_run:
        raise Refusal(
            400, "bad_request", "dry_run: POST /validations checks and predicts, and starts nothing"
        )
    bulk_id = order.name or names.id_of_key(who.name, needed_key(key))
    asked = order.request(name=bulk_id)
    conf = asked.model_dump(mode="json", exclude_defaults=True)
    if starting.look(BULK_DAG, bulk_id) is None:
        planning.check_deadline(stores, asked, bulk_id)
        _call_back(stores, order, bulk_id, who.name)
    refusal = starting.begin(BULK_DAG, bulk_id, conf, who.name)
    if refusal:
        with transaction(stores.pg_dsn) as db:  # of a run that will never be
            webhooks.call_back_of_bulk(db, bulk_id, who.name, None)
        raise Refusal(422, "request_invalid", refusal)
    run = starting.look(BULK_DAG, bulk_id)
    if run is None or _but_deadline(run.conf) != _but_deadline(conf) or run.caller != who.name:
        raise KeyReused(f"{bulk_id!r} is another bulk run; choose a new key, or ask for the same")
    if "deadline" in conf:
        _move(stores, asked, bulk_id, run)
    shown = _show(stores, request, bulk_id)
    response.headers["Location"] = shown.links["self"]
    return shown


def _call_back(stores: Settings, order: BulkOrder, bulk_id: str, caller: str) -> None:
    """Keep whom a run is to tell before it begins: one that is killed in between is told that again.

    Raises RequestInvalid for a run that has ended, of which nothing will be told.
    """
    callback = str(order.callback_url) if order.callback_url else None
    with transaction(stores.pg_dsn) as db:
        known = bulk.find(db, bulk_id)
        if callback and known and known.ended_at:
            raise RequestInvalid(f"callback_url: {bulk_id!r} has ended; its report is there, leave it out")
        webhooks.call_back_of_bulk(db, bulk_id, caller, callback)


def _but_deadline(conf: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in conf.items() if name != "deadline"}


def _move(stores: Settings, asked: BulkRequest, bulk_id: str, run: starting.Run) -> None:
    """Give a run that was found the deadline asked for. Raises TransientError while it is being planned."""
    begun_by = BulkRequest.model_validate(run.conf).deadline
    if begun_by != asked.deadline:
        planning.check_deadline(stores, asked, bulk_id)
    planned = planning.move_deadline(stores, asked, bulk_id)
    if not planned and run.state != "failed" and begun_by != asked.deadline:
        raise TransientError(f"{bulk_id!r} is being planned; ask for another deadline once it is running")


@router.get("/bulk-runs/{bulk_id}", responses=MISSING)
def read(bulk_id: str, _who: Reader, stores: Stores, request: Request) -> BulkRun:
    """How far a bulk run is."""
    return _show(stores, request, bulk_id)


def _show(stores: Settings, request: Request, bulk_id: str) -> BulkRun:
    own = f"{views.base(request)}/bulk-runs/{bulk_id}"
    links = {"self": own, "items": f"{own}/items"}
    try:
        return _planned(reports.status(stores, bulk_id), _caller(stores, bulk_id), links)
    except ReferenceRefused as error:
        run = starting.look(BULK_DAG, bulk_id)
        if run is None:
            raise Refusal(404, "not_found", f"there is no bulk run {bulk_id!r}") from error
    state: Literal["refused", "planning"] = "refused" if run.state == "failed" else "planning"
    return BulkRun(
        id=bulk_id, state=state, reason=run.note, caller=run.caller, created_at=run.queued_at, links=links
    )


def _planned(known: Summary, caller: str, links: dict[str, str]) -> BulkRun:
    shared = {name: value for name, value in asdict(known).items() if name in BulkRun.model_fields}
    if known.ended_at is not None:
        links |= {name: f"{links['self']}/report.{name}" for name in ("csv", "json")}
    state: Literal["ended", "running"] = "ended" if known.ended_at else "running"
    return BulkRun(**shared, id=known.bulk_id, state=state, caller=caller, links=links)


def _run_id(stores: Settings, bulk_id: str) -> str:
    """The DAG run that works on a bulk run: another one than it is called after where Airflow began it."""
    with transaction(stores.pg_dsn) as db:
        known = bulk.find(db, bulk_id)
    return (known.run_id if known else None) or bulk_id


def _caller(stores: Settings, bulk_id: str) -> str:
    with transaction(stores.pg_dsn) as db:
        return bulk.existing(db, bulk_id).caller


@router.get("/bulk-runs/{bulk_id}/items", responses=MISSING)
def items(
    bulk_id: str,
    _who: Reader,
    stores: Stores,
    *,
    state: Annotated[str | None, Query(description="waiting, published, failed or cancelled.")] = None,
    cursor: Annotated[int, Query(ge=-1)] = -1,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> ItemPage:
    """The items of a bulk run, in the order of the file."""
    with transaction(stores.pg_dsn) as db:
        rows = bulk.items(db, bulk_id, after=cursor, limit=limit + 1, state=state)
        noted = notes.of_renders(db, [row.render_id for row in rows[:limit]])
    shown = [_item(row, noted.get(row.render_id or "", [])) for row in rows[:limit]]
    return ItemPage(items=shown, cursor=shown[-1].number if len(rows) > limit else None)


def _item(row: BulkItem, notes: list[str]) -> Item:
    kept = {name: getattr(row, name) for name in Item.model_fields if name != "notes"}
    return Item(**kept, notes=notes)


@router.get("/bulk-runs/{bulk_id}/report.{suffix}", status_code=307, responses=MISSING | ENDED)
def report(bulk_id: str, suffix: Literal["csv", "json"], _who: Reader, stores: Stores) -> RedirectResponse:
    """Lead to the report of a bulk run whose items have all ended."""
    try:
        known = reports.status(stores, bulk_id)
    except ReferenceRefused as error:
        raise Refusal(404, "not_found", f"there is no bulk run {bulk_id!r}") from error
    uri = known.table if suffix == "csv" else known.report
    if uri is None:
        raise Refusal(
            409,
            "not_ended",
            f"{known.states.get(ItemState.WAITING, 0)} items of {bulk_id} have not ended yet",
        )
    return RedirectResponse(files.address(stores, uri, save=True))


@router.post("/bulk-runs/{bulk_id}/cancel", responses=MISSING)
def cancel(bulk_id: str, who: BulkAuthor, stores: Stores, request: Request) -> BulkRun:
    """End what a bulk run has not made yet; what it published stays."""
    shown = _show(stores, request, bulk_id)
    who.require_own(shown.caller, f"bulk run {bulk_id}")
    starting.stop(_run_id(stores, bulk_id), BULK_DAG)
    # Looked at anew: its plan may have been written while its run was ended.
    address = views.outside(request).removesuffix("/avatarlab")
    if _show(stores, request, bulk_id).state in ("running", "ended"):
        work.cancel(stores, bulk_id, address=address)
    else:
        why, outcome = f"{who.name} cancelled it before it was planned", Outcome.CANCELLED
        reports.tell_unplanned(stores, bulk_id, shown.caller, why, outcome=outcome, address=address)
    return _show(stores, request, bulk_id)
