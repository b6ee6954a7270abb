"""Bulk runs: regenerate, bulk list, status, report, cancel, to-xliff, from-xliff."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from avatarlab_ops.cli.common import FILE, airflow, check_out, echo, fetch, home, known_stores, upload_file
from avatarlab_ops.cli.translators import from_xliff, to_xliff
from avatarlab_ops.errors import AvatarlabError, InputError
from avatarlab_ops.places import BULK_DAG, OUTLINE, PLAN_TASK, REFUSAL
from avatarlab_ops.printable import printable
from avatarlab_ops.states import ItemState

if TYPE_CHECKING:
    from avatarlab_ops.cli.client import AirflowClient

POLL_S = 0.5
LISTED = 50  # runs that `bulk list` shows
REASONS = click.Choice(["engine", "weights", "code", "input", "template"])
EXISTING = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(short_help="Make a video of each row, or published ones again")
@click.argument("file", type=EXISTING, required=False)
@click.option("--template", type=EXISTING, help="Request with {{name}} placeholders that FILE's rows fill.")
@click.option("--label", "labels", multiple=True, metavar="NAME=VALUE", help="Videos with this label.")
@click.option("--language", help="Videos in this language.")
@click.option("--avatar", help="Videos of this avatar (s3://inputs/...).")
@click.option("--from", "published_from", metavar="TIME", help="Videos published at this time or later.")
@click.option("--before", "published_before", metavar="TIME", help="Videos published before this time.")
@click.option(
    "--rated-below",
    "rated_below",
    multiple=True,
    metavar="ASPECT=MEAN",
    help="Videos rated below this: video, voice, lips, matte or timing.",
)
@click.option(
    "--stale", multiple=True, type=REASONS, help="Videos of which this has changed since they were made."
)
@click.option(
    "--deadline", metavar="TIME", help="When all shall be done, with a time zone: 2027-01-29T18:00:00+01:00."
)
@click.option("--name", help="The same name continues the same bulk run.")
@click.option("--dry-run", is_flag=True, help="Count and predict, and start nothing.")
@click.option("--partial", is_flag=True, help="Go on without rows that are wrong.")
def regenerate(
    *,
    file: Path | None,
    template: Path | None,
    labels: tuple[str, ...],
    rated_below: tuple[str, ...],
    **chosen: Any,
) -> None:
    """Make a video of each row of FILE (.csv, .jsonl), or anew of each published video that is chosen.

    Prints the id of the bulk run once every row was checked; the same FILE again continues it, by another
    --deadline if one is given.
    """
    from avatarlab_ops.bulk import planning
    from avatarlab_ops.bulk.contract import BulkRequest

    asked = {name: list(value) if name == "stale" else value for name, value in chosen.items() if value}
    asked |= {"labels": _pairs("--label", labels), "rated_below": _pairs("--rated-below", rated_below)}
    asked |= _uploaded(file, template)
    request = BulkRequest.parse(asked)
    conf = request.model_dump(mode="json", exclude_defaults=True)
    name = conf.get("name") or _name(conf)
    conf["name"] = name
    if not asked.get("dry_run"):
        planning.check_deadline(known_stores(), request, name)
    with airflow() as client:
        run_id = client.regenerate(conf, f"{name}.dry.{time.time_ns()}" if conf.get("dry_run") else name)
        outline = _planned(client, run_id)
    if not outline["dry_run"]:
        planning.move_deadline(known_stores(), request, outline["bulk_id"])  # of a run that was found
        outline |= _left(outline["bulk_id"])
    _tell(outline, partial=bool(conf.get("partial")))


def _left(bulk_id: str) -> dict[str, Any]:
    """What is still to do now: the outline of a run that was found, not begun, is an old one."""
    from avatarlab_ops.bulk import report as reports

    now = reports.status(known_stores(), bulk_id)
    return {"waiting": now.states.get(ItemState.WAITING, 0), "predicted_gpu_s": now.predicted_gpu_s_left}


def _pairs(option: str, texts: tuple[str, ...]) -> dict[str, str]:
    for text in texts:
        if "=" not in text:
            raise InputError(f"{option}: {text!r} is not of the form NAME=VALUE")
    return dict(text.split("=", 1) for text in texts)


def _uploaded(file: Path | None, template: Path | None) -> dict[str, str]:
    """References of the files, once they lie in the bucket of inputs."""
    from avatarlab_ops.bulk.rows import check_size

    given = {name: path for name, path in (("file", file), ("template", template)) if path}
    for path in given.values():
        check_size(path.stat().st_size, str(path))
    return {name: upload_file(known_stores(), path, None) for name, path in given.items()}


def _name(conf: dict[str, Any]) -> str:
    """A file's bulk run is known by what was asked; a choice of videos is another one each time."""
    if "file" not in conf:
        return f"bulk-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}"
    body = {name: value for name, value in conf.items() if name not in ("dry_run", "deadline")}
    return f"bulk-{hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:24]}"


def _planned(client: AirflowClient, run_id: str) -> dict[str, Any]:
    """What the task `plan` found. Raises its refusal."""
    from avatarlab_ops.cli.watch import RenderFailedError

    while True:
        if outline := client.xcom(run_id, PLAN_TASK, OUTLINE, dag=BULK_DAG):
            return dict(outline)
        if client.run(run_id, BULK_DAG)["state"] == "failed":
            told = client.xcom(run_id, PLAN_TASK, REFUSAL, dag=BULK_DAG) or {}
            reason = told.get("reason", f"run {run_id} failed; its log in Airflow says why")
            raise RenderFailedError(told.get("code", AvatarlabError.code), reason)
        time.sleep(POLL_S)


def _tell(outline: dict[str, Any], *, partial: bool) -> None:
    for line in outline["told"]:
        echo(f"left out: {line}", err=True)
    if (more := outline["problems"] - len(outline["told"])) > 0:
        echo(f"left out: and {more} more", err=True)
    notes, noted = outline.get("notes", ()), outline.get("noted", 0)  # earlier code planned without
    for line in notes:
        echo(f"note: {line}", err=True)
    if noted > len(notes):
        echo(f"note: and {noted - len(notes)} more rows with notes", err=True)
    if outline["over_budget"]:
        echo(f"would be refused: {outline['over_budget']}", err=True)
    what = "would be made" if outline["dry_run"] else "to make"
    echo(
        f"{outline['waiting']} of {outline['items']} videos {what}, about "
        f"{outline['predicted_gpu_s']:.1f} GPU-seconds",
        err=True,
    )
    if not outline["dry_run"]:
        echo(outline["bulk_id"])
    elif outline["problems"] and not partial:
        raise InputError("nothing would be started: correct these lines, or go on without them by --partial")


@click.group(short_help="Bulk runs: list, follow, cancel, translate")
def bulk() -> None:
    """Bulk runs: list, follow, report, cancel; send a table's texts to translators."""


@bulk.command("list", short_help="List the newest bulk runs")
def list_() -> None:
    """Show the newest bulk runs: id, when, who asked, state, videos, deadline, and why one failed."""
    from avatarlab_ops.bulk import forecast
    from avatarlab_ops.bulk.names import bulk_id_of
    from avatarlab_ops.bulk.planning import SHOWN_CHARACTERS
    from avatarlab_ops.stores.catalog import bulk as catalog
    from avatarlab_ops.stores.catalog import transaction

    with airflow() as client:
        runs = client.runs(BULK_DAG, LISTED)
    ids = [bulk_id_of((run["conf"] or {}).get("name"), run["dag_run_id"]) for run in runs]
    with transaction(known_stores().pg_dsn) as db:
        counts = catalog.counts_of(db, ids)
        due = {
            one.id: _due(one.deadline, late=forecast.runs_late(db, one))
            for one in catalog.with_deadline(db, ids)
        }
    width = max(map(len, ids), default=0)
    for bulk_id, run in zip(ids, runs, strict=True):
        echo(f"{bulk_id:{width}}  {_line(run, counts.get(bulk_id))}{due.get(bulk_id, '')}")
        if run["state"] == "failed" and run["note"]:
            echo(f"    {printable(' '.join(run['note'].split()), SHOWN_CHARACTERS)}")


def _due(deadline: datetime | None, *, late: bool) -> str:
    return f"  by {deadline.astimezone(UTC):%Y-%m-%d %H:%M}Z{', late' if late else ''}" if deadline else ""


def _line(run: dict[str, Any], counts: dict[str, int] | None) -> str:
    """One run of Airflow's, with what the catalog counts; None: nothing was planned."""
    when = f"{datetime.fromisoformat(run['run_after']).astimezone(UTC):%Y-%m-%d %H:%M}Z"
    who = "clock" if run["run_type"] == "scheduled" else run["triggering_user_name"] or "airflow"
    if (run["conf"] or {}).get("dry_run"):
        videos = "dry run"
    elif counts is None:
        videos = "nothing planned"
    else:
        videos = ", ".join(f"{number} {state}" for state, number in sorted(counts.items())) or "nothing to do"
    return f"{when}  {who:8}  {run['state']:7}  {videos}"


@bulk.command(short_help="Print how far a bulk run is, as JSON")
@click.argument("run")
def status(run: str) -> None:
    """Print how far the bulk run RUN is, as JSON."""
    from avatarlab_ops.bulk import report as reports

    echo(json.dumps(asdict(reports.status(known_stores(), run)), indent=2, default=str))


@bulk.command(short_help="Print or fetch a bulk run's report")
@click.argument("run")
@click.option("--out", type=FILE, help="Where to put it; .csv gives the table, anything else JSON.")
def report(run: str, out: Path | None) -> None:
    """Print or fetch the report of RUN, once every item has ended."""
    from avatarlab_ops.bulk import report as reports
    from avatarlab_ops.fields import split_reference
    from avatarlab_ops.stores.objects import objects

    check_out(out)
    settings = known_stores()
    found = reports.status(settings, run)
    if found.report is None or found.table is None:
        raise InputError(
            f"{found.states.get('waiting', 0)} of {found.items} items of {run} have not ended yet"
        )
    uri = found.table if out and out.suffix == ".csv" else found.report
    if out:
        fetch(settings, uri, out)
        echo(str(out))
    else:
        echo(objects(settings).read(*split_reference(uri)).decode())


@bulk.command(short_help="End what a bulk run has not made yet")
@click.argument("run")
def cancel(run: str) -> None:
    """End what RUN has not made yet; what it published stays."""
    from avatarlab_ops.bulk import work
    from avatarlab_ops.cli.client import address_of

    states = work.cancel(known_stores(), run, address=address_of(home())).states
    echo(", ".join(f"{count} {state}" for state, count in sorted(states.items())))


bulk.add_command(to_xliff)
bulk.add_command(from_xliff)
COMMANDS = (regenerate, bulk)
