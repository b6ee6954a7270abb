"""What became of a bulk run: counts while it runs; one report and one event once every item has ended."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from avatarlab_ops import events
from avatarlab_ops.bulk import forecast
from avatarlab_ops.canonical import Json, canonical_json
from avatarlab_ops.graph import GPU_STAGES
from avatarlab_ops.renders.status import is_late, told_energy
from avatarlab_ops.settings import Settings
from avatarlab_ops.states import BulkEvent, ItemState, Outcome
from avatarlab_ops.stores import outbox
from avatarlab_ops.stores.catalog import bulk, notes, records, tables, transaction
from avatarlab_ops.stores.objects import objects

COLUMNS = (
    "number", "line", "key", "state", "render_id", "source", "link", "video", "manifest",
    "duration_s", "compute_s", "gpu_s", "energy_j", "error_code", "error", "notes",
)  # fmt: skip

# A sign that begins a formula, at the begin of what some spreadsheet takes for a cell.
_CALCULATED = re.compile(r"""(\A|[;\t\r\n])(?=["]*[=+@-]|(?<![\s\S])[\t\r])""")


@dataclass(frozen=True)
class Summary:
    """A bulk run as it stands. `report` and `table` are s3:// addresses once all items have ended."""

    bulk_id: str
    items: int
    states: dict[str, int]  # waiting, published, failed, cancelled
    noted: int  # items whose videos have notes
    problems: int  # rows left out
    predicted_gpu_s: float
    predicted_gpu_s_left: float
    deadline: datetime | None
    expected_end: datetime | None  # while it runs, at the pace of the last items
    late: bool  # the deadline has passed before the end, or is expected to
    created_at: datetime
    ended_at: datetime | None
    report: str | None
    table: str | None


def status(settings: Settings, bulk_id: str) -> Summary:
    """How far a bulk run is. Raises ReferenceRefused when there is none."""
    with transaction(settings.pg_dsn) as db:
        return _summary(db, settings, bulk.existing(db, bulk_id))


def _summary(db: Any, settings: Settings, known: tables.BulkRun) -> Summary:
    states = bulk.counts(db, known.id)
    ends = forecast.expected_end(db, known)
    where = f"s3://{settings.bucket_outputs}/{_key(known.id, '')}" if known.ended_at else None
    return Summary(
        bulk_id=known.id,
        items=sum(states.values()),
        states=states,
        noted=notes.count(db, known.id),
        problems=known.problems["count"],
        predicted_gpu_s=round(bulk.predicted(db, known.id), 3),
        predicted_gpu_s_left=round(bulk.predicted(db, known.id, waiting=True), 3),
        deadline=known.deadline,
        expected_end=ends,
        late=is_late(known.deadline, known.ended_at, ends),
        created_at=known.created_at,
        ended_at=known.ended_at,
        report=f"{where}json" if where else None,
        table=f"{where}csv" if where else None,
    )


def finish(settings: Settings, bulk_id: str, *, address: str | None = None, failed: bool = False) -> Summary:
    """Write the report and close the run if every item has ended; else say what is left.

    `failed`: the run was given up as a whole; else what became of its items says how it ended.
    `address`: Airflow's own, under which a logged-in user opens the videos; None: the report has no links.
    """
    with transaction(settings.pg_dsn) as db:
        bulk.settle(db, bulk_id)
        known = bulk.existing(db, bulk_id)
        if known.ended_at is not None or bulk.counts(db, bulk_id).get(ItemState.WAITING):
            return _summary(db, settings, known)
        items = [_linked(item, address) for item in bulk.results(db, bulk_id, GPU_STAGES)]
        report = _report(known, items)
    # The items have ended, so that another attempt would write the same bytes.
    store, bucket = objects(settings), settings.bucket_outputs
    files: dict[str, Json] = {}
    for suffix, content in {"json": canonical_json(report), "csv": table(report["items"])}.items():
        kept = store.put_if_absent(bucket, _key(bulk_id, suffix), content)
        files[suffix] = {"uri": kept.uri, "sha256": kept.sha256}
    with transaction(settings.pg_dsn) as db:
        if bulk.end(db, bulk_id, report["states"]):
            told = _told(report, address, failed=failed) | {"report": files}
            events.tell_bulk(db, settings, bulk_id, BulkEvent.FINISHED, told)
    outbox.deliver(settings)
    return status(settings, bulk_id)


def tell_unplanned(
    settings: Settings,
    bulk_id: str,
    caller: str,
    reason: BaseException | str,
    *,
    outcome: Outcome = Outcome.FAILED,
    address: str | None = None,
) -> None:
    """Tell, once, that a bulk run ended before it was planned, and why; nothing where it is on record.

    `address`: as `finish` takes it.
    """
    own = _own(address, bulk_id)
    code = outcome.value if isinstance(reason, str) else records.code_of(reason)
    told = _figures(outcome, {}) | {
        "reason": {"code": code, "text": records.describe(reason)},
        "links": {"self": own} if own else None,
        "report": None,
    }
    with transaction(settings.pg_dsn) as db:
        if bulk.find(db, bulk_id) is None:
            events.tell_unplanned(db, bulk_id, caller, told)


def finish_over(
    settings: Settings, bulk_ids: Collection[str], *, address: str | None = None
) -> list[Summary]:
    """Close those of some runs that nobody works on any more and whose last item has ended since.

    What was killed for good before its report, or whose last renders a person or housekeeping ended.
    `address`: as `finish` takes it.
    """
    with transaction(settings.pg_dsn) as db:
        over = bulk.over(db, bulk_ids)
    return [finish(settings, bulk_id, address=address) for bulk_id in over]


def _linked(item: Json, address: str | None) -> Json:
    shown = address if item["state"] == ItemState.PUBLISHED else None
    return item | {"link": f"{shown}/avatarlab/renders/{item['render_id']}/video" if shown else None}


def _key(bulk_id: str, suffix: str) -> str:
    return f"bulk/{bulk_id}/report.{suffix}"


def _report(known: tables.BulkRun, items: list[Json]) -> Json:
    states: dict[str, int] = {}
    for item in items:
        states[item["state"]] = states.get(item["state"], 0) + 1
    return {
        "bulk_run": known.id,
        "caller": known.caller,
        "asked": known.spec,
        "deadline": known.deadline.isoformat() if known.deadline else None,
        "template_sha256": known.template_sha256,
        "created_at": known.created_at.isoformat(),
        "states": states,
        "compute_s": round(sum(item["compute_s"] for item in items), 3),
        "gpu_s": round(sum(item["gpu_s"] for item in items), 3),
        "energy_j": told_energy(item["energy_j"] for item in items),
        "noted": sum(bool(item["notes"]) for item in items),
        "problems": known.problems,
        "items": items,
    }


def table(items: list[Json]) -> bytes:
    """The items as CSV, safe to open in a spreadsheet; the variables of their rows as `row.NAME`."""
    own = dict.fromkeys(name for item in items for name in item["variables"] or ())
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(map(neutral, [*COLUMNS, *(f"row.{name}" for name in own)]))
    for item in items:
        told = item | {"notes": " | ".join(item["notes"] or ())}
        cells = [told[name] for name in COLUMNS] + [(item["variables"] or {}).get(name) for name in own]
        writer.writerow(map(neutral, cells))
    return text.getvalue().encode()


def neutral(value: Any) -> Any:
    """Text that a spreadsheet would calculate, behind an apostrophe; it is shown, not run.

    Also within a cell: where a semicolon separates lists, Excel splits there whatever stands in quotes.

    >>> neutral("=1+1"), neutral("a;=1+1"), neutral("4 - 3 = 1; one")
    ("'=1+1", "a;'=1+1", '4 - 3 = 1; one')
    """
    return _CALCULATED.sub(r"\1'", value) if isinstance(value, str) else value


def _outcome(states: dict[str, int], *, failed: bool = False) -> Outcome:
    """How the run ended, by the states of its items. `failed`: it was given up as a whole.

    >>> [str(_outcome(states)) for states in ({"published": 3, "failed": 1}, {"failed": 2}, {})]
    ['completed', 'failed', 'completed']
    >>> str(_outcome({"failed": 1, "cancelled": 3}))
    'cancelled'
    """
    if failed:
        return Outcome.FAILED
    if states.get(ItemState.CANCELLED):
        return Outcome.CANCELLED
    lost = states.get(ItemState.FAILED) and not states.get(ItemState.PUBLISHED)
    return Outcome.FAILED if lost else Outcome.COMPLETED


def _told(report: Json, address: str | None, *, failed: bool) -> Json:
    """What is told of the end: how, counts, what it took, and where the report is; seconds and joules."""
    own = _own(address, report["bulk_run"])
    links = {"self": own, "csv": f"{own}/report.csv", "json": f"{own}/report.json"}
    figures = _figures(_outcome(report["states"], failed=failed), report)
    return figures | {"reason": None, "links": links if own else None}


def _own(address: str | None, bulk_id: str) -> str | None:
    return f"{address}/avatarlab/api/v1/bulk-runs/{bulk_id}" if address else None


def _figures(outcome: Outcome, report: Json) -> Json:
    """How a run ended and what it took; without a report nothing was made."""
    nothing = {"states": {}, "noted": 0, "compute_s": 0.0, "gpu_s": 0.0, "energy_j": None}
    return {
        "outcome": outcome,
        "items": len(report.get("items", ())),
        "problems": report.get("problems", {"count": 0})["count"],
        **{name: report.get(name, none) for name, none in nothing.items()},
    }
