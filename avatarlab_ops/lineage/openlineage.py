"""OpenLineage events of renders and bulk runs (https://openlineage.io/spec/2-0-2/OpenLineage.json).

A render is one run: START when it is accepted, RUNNING when its inputs are known by their digests, then
COMPLETE, FAIL or ABORT; OTHER when a published video is withdrawn. A bulk run is one event at its end. These
are kept in MongoDB and, where a transport is configured, also sent through it. There each stage is a run
beneath its render's, with one COMPLETE once it is made or found; MongoDB has all of that in the manifest.
Events are made of the client's own classes, which are loaded where one is made; preload.py spares the tasks
that.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Session

from avatarlab_ops.canonical import Json
from avatarlab_ops.places import BULK_DAG, RENDER_DAG
from avatarlab_ops.settings import Settings
from avatarlab_ops.states import BulkEvent, Event, Outcome, StageState
from avatarlab_ops.stores import openlineage, outbox
from avatarlab_ops.stores.catalog import records
from avatarlab_ops.stores.catalog.tables import BulkRun, Render, StageRun

if TYPE_CHECKING:
    from openlineage.client.facet_v2 import RunFacet

NAMESPACE = "avatarlab"
PRODUCER = "https://pypi.org/project/avatarlab/"
JOB, BULK_JOB = RENDER_DAG, BULK_DAG
Files = Mapping[str, Mapping[str, Any]]  # name -> {uri, sha256, ...}
TYPES = {
    Event.ACCEPTED: "START",
    Event.RUNNING: "RUNNING",
    Event.PUBLISHED: "COMPLETE",
    Event.FAILED: "FAIL",
    Event.CANCELLED: "ABORT",
    Event.WITHDRAWN: "OTHER",
}
ENDS = {Outcome.COMPLETED: "COMPLETE", Outcome.FAILED: "FAIL", Outcome.CANCELLED: "ABORT"}


def hear(db: Session, settings: Settings, render: Render, event: Event, files: Files) -> None:
    """Put an event of a render into the outbox; the same event twice is one.

    To wait for a person is none, nor is being late.
    """
    if event not in TYPES:
        return
    message = run_event(
        TYPES[event],
        job=JOB,
        run=render.id,
        facets=_run_facets(render),
        inputs=[(row.uri, row.sha256) for row in records.inputs_of(db, render.id)],
        outputs=[(file["uri"], file["sha256"]) for file in files.values()],
    )
    name = "WITHDRAWN" if event is Event.WITHDRAWN else TYPES[event]
    _send(db, settings, f"{render.id}:{name}", message, render.id)


def hear_stage(db: Session, settings: Settings, render_id: str, stage: str) -> None:
    """Put the end of a stage into the outbox, with the objects that it read and the artifact that it made.

    Nothing without a transport. Inputs are told by the addresses under which the render was given them.
    """
    if not settings.openlineage:
        return
    run = records.stage_run(db, render_id, stage)
    made = records.find_artifact(db, run.artifact) if run.artifact else None
    place, given = f"s3://{settings.bucket_artifacts}", records.inputs_of(db, render_id)
    read = [(row.uri, row.sha256) for row in given]
    if made is not None:
        uris = {row.sha256: row.uri for row in given}
        sources = records.sources_of(db, made)
        read = [(f"{place}/{key}" if key else uris.get(sha256, ""), sha256) for sha256, key in sources]
    message = run_event(
        "COMPLETE",
        job=f"{JOB}.{stage}",
        run=f"{render_id}:{stage}",
        facets=_stage_facets(run),
        inputs=[(uri, sha256) for uri, sha256 in read if uri],
        outputs=[(f"{place}/{made.key}", made.sha256)] if made else [],
    )
    outbox.post(db, openlineage.TOPIC, f"{render_id}:{stage}:COMPLETE", message, render_id)


def hear_bulk(db: Session, settings: Settings, run: BulkRun, event: BulkEvent, told: Json) -> None:
    """Put the end of a bulk run into the outbox, with its report; being late is no event."""
    if event is not BulkEvent.FINISHED:
        return
    kind = ENDS[Outcome(told["outcome"])]
    facet = own_facet(bulkRun=run.id, states=told["states"], gpu_s=told["gpu_s"])
    message = run_event(
        kind,
        job=BULK_JOB,
        run=f"bulk:{run.id}",
        facets={"avatarlab_bulk": facet},
        inputs=[],
        outputs=[(file["uri"], file["sha256"]) for file in told["report"].values()],
    )
    _send(db, settings, f"bulk:{run.id}:{kind}", message, None)


def _send(db: Session, settings: Settings, key: str, message: Json, render_id: str | None) -> None:
    """Put a finished event into the outbox under its key, for each of its receivers."""
    topics = ("lineage_events", openlineage.TOPIC) if settings.openlineage else ("lineage_events",)
    for topic in topics:
        outbox.post(db, topic, key, message, render_id)


def run_event(
    kind: str,
    *,
    job: str,
    run: str,
    facets: Mapping[str, RunFacet],
    inputs: list[tuple[str, str]],
    outputs: list[tuple[str, str]],
) -> Json:
    """One event of a job's run as JSON; what it read and made is given as (address, sha256)."""
    from openlineage.client import event_v2 as made
    from openlineage.client.serde import Serde

    event = made.RunEvent(
        eventType=made.RunState(kind),
        eventTime=records.now().isoformat(),
        producer=PRODUCER,
        run=made.Run(_run_id(run), facets=dict(facets)),
        job=made.Job(NAMESPACE, job),
        inputs=[made.InputDataset(*_named(uri), facets=_version(sha256)) for uri, sha256 in inputs],
        outputs=[made.OutputDataset(*_named(uri), facets=_version(sha256)) for uri, sha256 in outputs],
    )
    return dict(Serde.to_dict(event))


def _run_id(run: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"avatarlab:{run}"))


def own_facet(**told: Any) -> RunFacet:
    """A facet of ours, which the standard does not know."""
    from openlineage.client.facet_v2 import RunFacet

    return RunFacet(producer=PRODUCER).with_additional_properties(**told)  # type: ignore[return-value]


def _run_facets(render: Render) -> dict[str, RunFacet]:
    """Which render and DAG run it is, why it failed if it did, and why it was withdrawn."""
    from openlineage.client.facet_v2 import error_message_run

    facets = {
        "avatarlab_render": own_facet(
            renderId=render.id, dagRunId=render.run_id, codeVersion=render.code_version
        )
    }
    if render.error is not None:
        facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(
            message=render.error, programmingLanguage="python", producer=PRODUCER
        )
    if render.withdrawn_at is not None:
        facets["avatarlab_withdrawal"] = own_facet(reason=render.withdrawn_reason)
    return facets


def _stage_facets(run: StageRun) -> dict[str, RunFacet]:
    """Which render's run it is part of, and what the stage took."""
    from openlineage.client.facet_v2 import parent_run

    parent = parent_run.ParentRunFacet(
        run=parent_run.Run(_run_id(run.render_id)), job=parent_run.Job(NAMESPACE, JOB), producer=PRODUCER
    )
    cached = run.state == StageState.CACHED
    spent = {"cached": cached, "computeS": run.compute_s, "energyJ": run.energy_j}
    facet = own_facet(renderId=run.render_id, stage=run.stage, artifact=run.artifact, **spent)
    return {"parent": parent, "avatarlab_stage": facet}


def _named(uri: str) -> tuple[str, str]:
    """Namespace and name of an object of the store (https://openlineage.io/docs/spec/naming)."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return f"s3://{bucket}", key


def _version(sha256: str) -> dict[str, Any]:
    """The digest as the dataset's version."""
    from openlineage.client.facet_v2 import dataset_version_dataset

    return {"version": dataset_version_dataset.DatasetVersionDatasetFacet(sha256, producer=PRODUCER)}
