"""OpenLineage events of renders (https://openlineage.io/spec/2-0-2/OpenLineage.json).

A render is one run: START when it is accepted, RUNNING when its inputs are known by their digests, then
COMPLETE, FAIL or ABORT; OTHER when a published video is withdrawn. Every event is kept in MongoDB and, where
a transport is configured, also sent through it.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from avatarlab_ops.settings import Settings
from avatarlab_ops.states import Event
from avatarlab_ops.stores import openlineage, outbox
from avatarlab_ops.stores.catalog import records
from avatarlab_ops.stores.catalog.tables import Render

Json = dict[str, Any]
NAMESPACE = "avatarlab"
PRODUCER = "https://pypi.org/project/avatarlab/"
TYPES = {
    Event.ACCEPTED: "START",
    Event.RUNNING: "RUNNING",
    Event.PUBLISHED: "COMPLETE",
    Event.FAILED: "FAIL",
    Event.CANCELLED: "ABORT",
    Event.WITHDRAWN: "OTHER",
}
SPEC = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs"
FACETS = "https://openlineage.io/spec/facets"


def hear(
    db: Session, settings: Settings, render: Render, event: Event, files: Mapping[str, Mapping[str, Any]]
) -> None:
    """Put an event of a render into the outbox; the same event twice is one."""
    message = run_event(db, render, TYPES[event], files)
    if event is Event.WITHDRAWN:
        message["withdrawn"] = {"reason": render.withdrawn_reason}
    name = "WITHDRAWN" if event is Event.WITHDRAWN else TYPES[event]
    send(db, settings, f"{render.id}:{name}", message, render.id)


def send(db: Session, settings: Settings, key: str, message: Json, render_id: str | None) -> None:
    """Put a finished event into the outbox under its key, for each of its receivers."""
    topics = ("lineage_events", openlineage.TOPIC) if settings.openlineage else ("lineage_events",)
    for topic in topics:
        outbox.post(db, topic, key, message, render_id)


def run_event(db: Session, render: Render, event: str, files: Mapping[str, Mapping[str, Any]]) -> Json:
    """One event of a render's run, with its inputs and what it published by address and digest."""
    return {
        "eventType": event,
        "eventTime": records.now().isoformat(),
        "producer": PRODUCER,
        "schemaURL": f"{SPEC}/RunEvent",
        "run": {
            "runId": str(uuid.uuid5(uuid.NAMESPACE_URL, f"avatarlab:{render.id}")),
            "facets": _run_facets(render),
        },
        "job": {"namespace": NAMESPACE, "name": "avatar_render", "facets": {}},
        "inputs": [dataset(row.uri, row.sha256) for row in records.inputs_of(db, render.id)],
        "outputs": [dataset(file["uri"], file["sha256"]) for file in files.values()],
    }


def _run_facets(render: Render) -> Json:
    """Which render and DAG run it is, and why it failed if it did."""
    known = {"renderId": render.id, "dagRunId": render.run_id, "codeVersion": render.code_version}
    facets = {"avatarlab_render": facet(f"{SPEC}/RunFacet") | known}
    if render.error is not None:
        schema = f"{FACETS}/1-0-1/ErrorMessageRunFacet.json#/$defs/ErrorMessageRunFacet"
        reason = {"message": render.error, "programmingLanguage": "python"}
        facets["errorMessage"] = facet(schema) | reason
    return facets


def dataset(uri: str, sha256: str) -> Json:
    """An object of the store as an OpenLineage dataset whose version is its digest."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    schema = f"{FACETS}/1-0-1/DatasetVersionDatasetFacet.json#/$defs/DatasetVersionDatasetFacet"
    version = facet(schema) | {"datasetVersion": sha256}
    return {"namespace": f"s3://{bucket}", "name": key, "facets": {"version": version}}


def facet(schema: str) -> Json:
    """What every facet begins with."""
    return {"_producer": PRODUCER, "_schemaURL": schema}
