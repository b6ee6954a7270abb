"""Many videos from a table: composed, checked line by line, begun, watched."""

from __future__ import annotations

import hashlib
import json
from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from avatarlab_ops.bulk import forecast, report
from avatarlab_ops.canonical import Json
from avatarlab_ops.errors import ReferenceRefused
from avatarlab_ops.places import BULK_DAG
from avatarlab_ops.settings import Settings
from avatarlab_ops.states import ItemState
from avatarlab_ops.stores.catalog import bulk as records
from avatarlab_ops.stores.catalog import notes, tables, transaction
from avatarlab_ops.stores.objects import objects
from avatarlab_ops.trust import inputs
from avatarlab_web import starting
from avatarlab_web.api.access import Caller
from avatarlab_web.stores import Stores
from avatarlab_web.studio.access import Author, Viewer
from avatarlab_web.studio.page import seconds, show, text

PASTED_CHARACTERS = 2_000_000
SHOWN = 200  # items
EXAMPLE = {
    "script": "Hello {{name}}, your order {{order}} is on its way.",
    "avatar": {"uri": "s3://inputs/demo/astronaut.png"},
    "output": {"aspect": "9:16", "resolution": "480p"},
    "labels": {"campaign": "orders"},
}
ROWS = "name,order\nAnna,1042\nBen,1043\n"
router = APIRouter()


class Pasted(BaseModel):
    """A table or a template as somebody pasted it."""

    text: str = Field(min_length=1, max_length=PASTED_CHARACTERS)
    kind: Literal["csv", "jsonl", "json"]


@router.get("/bulk")
def bulk(request: Request, who: Viewer, stores: Stores) -> Response:
    """The form, and the newest bulk runs."""
    with transaction(stores.pg_dsn) as db:
        runs = [
            (one.id, one.caller, one.created_at, one.ended_at, one.deadline, forecast.runs_late(db, one))
            for one in records.newest(db, 20)
        ]
    return show(
        request, "bulk.html", here="bulk", runs=runs, bulk_author=who.may("bulk author"),
        example=json.dumps(EXAMPLE, indent=2), rows=ROWS, me=who.name,
    )  # fmt: skip


@router.post("/bulk/files")
def keep(pasted: Pasted, who: Author, stores: Stores) -> Response:
    """Keep what was pasted where a bulk run reads it."""
    return _kept(stores, who, f"pasted.{pasted.kind}", pasted.text.encode())


def _kept(stores: Settings, who: Caller, name: str, content: bytes) -> Response:
    who.require("bulk author")
    key = inputs.upload_key(who.name, hashlib.sha256(content).hexdigest(), name)
    uri = objects(stores).put_if_absent(stores.bucket_inputs, key, content).uri
    with transaction(stores.pg_dsn) as db:
        inputs.own(db, uri, who.name, shared=False)
    return JSONResponse({"uri": uri}, 201)


@router.get("/bulk/{bulk_id}")
def one(request: Request, who: Viewer, stores: Stores, bulk_id: str) -> Response:
    """One bulk run: counts, items, report."""
    found = _seen(stores, bulk_id, who)
    if found is None:
        reason = text("bulk.none", id=bulk_id)
        return show(request, "nothing.html", here="bulk", reason=reason, status_code=404)
    return show(request, "bulk_run.html", here="bulk", **found)


@router.get("/bulk/{bulk_id}/live")
def live(request: Request, who: Viewer, stores: Stores, bulk_id: str) -> Response:
    """The part that moves."""
    found = _seen(stores, bulk_id, who)
    return show(request, "_bulk_run.html", **found) if found else Response(status_code=404)


def _seen(settings: Settings, bulk_id: str, who: Caller) -> Json | None:
    """What is known of a bulk run: planned in the catalog, else what its DAG run says."""
    shared: Json = {
        "id": bulk_id, "may_cancel": False, "items": [], "counts": {}, "all": 0, "more": 0, "reason": "",
        "deadline": None, "expected_end": None, "late": False,
    }  # fmt: skip
    try:
        known = report.status(settings, bulk_id)
    except ReferenceRefused:
        run = starting.look(BULK_DAG, bulk_id)
        if run is None:
            return None
        over = run.state == "failed"
        return shared | {
            "over": over, "refused": over, "reason": run.note or "", "said": text("bulk.planning"),
            "may_cancel": not over and _may_cancel(who, run.caller),
        }  # fmt: skip
    with transaction(settings.pg_dsn) as db:
        caller = records.existing(db, bulk_id).caller
        rows = _shown(db, bulk_id)
        noted = notes.of_renders(db, [row.render_id for row in rows])
        items = [
            {"key": row.key, "line": row.line, "state": row.state, "render": row.render_id,
             "error": row.error or "", "notes": noted.get(row.render_id or "")} for row in rows
        ]  # fmt: skip
    over = known.ended_at is not None
    done = known.items - known.states.get(ItemState.WAITING, 0)
    left = text("bulk.left", left=seconds(round(known.predicted_gpu_s_left)))
    return shared | {
        "over": over, "refused": False, "items": items, "counts": known.states, "all": known.items,
        "more": known.items - len(items), "done": done,
        "said": text("bulk.over") if over else left, "problems": known.problems,
        "noted": known.noted, "late": known.late,
        "deadline": known.deadline, "expected_end": known.expected_end,
        "may_cancel": not over and _may_cancel(who, caller),
    }  # fmt: skip


def _shown(db: Session, bulk_id: str) -> list[tables.BulkItem]:
    """The first SHOWN items, and before them those that failed, wherever in the table they stand."""
    failed = records.items(db, bulk_id, after=-1, limit=SHOWN, state=ItemState.FAILED)
    first = records.items(db, bulk_id, after=-1, limit=SHOWN)
    return [*failed, *(one for one in first if one.state != ItemState.FAILED)][:SHOWN]


def _may_cancel(who: Caller, owner: str) -> bool:
    return who.may("bulk author") and (owner == who.name or who.may("operator"))
