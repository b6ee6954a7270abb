"""OpenLineage events of renders (https://openlineage.io/spec/2-0-2/OpenLineage.json)."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from sqlalchemy.orm import Session

from avatarlab_ops.stores.catalog import records
from avatarlab_ops.stores.catalog.models import Render

Json = dict[str, Any]
NAMESPACE = "avatarlab"
PRODUCER = "https://pypi.org/project/avatarlab/"
EVENTS = {"published": "COMPLETE", "failed": "FAIL", "cancelled": "ABORT"}
SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"


def run_event(db: Session, render: Render, event: str, outputs: Iterable[str] = ()) -> Json:
    """One event of a render's run. `event`: COMPLETE, FAIL or ABORT; `outputs` are s3:// addresses."""
    return {
        "eventType": event,
        "eventTime": records.now().isoformat(),
        "producer": PRODUCER,
        "schemaURL": SCHEMA,
        "run": {"runId": str(uuid.uuid5(uuid.NAMESPACE_URL, f"avatarlab:{render.id}")), "facets": {}},
        "job": {"namespace": NAMESPACE, "name": "avatar_render", "facets": {}},
        "inputs": [_dataset(row.uri) for row in records.inputs_of(db, render.id)],
        "outputs": [_dataset(uri) for uri in outputs],
        "renderId": render.id,
        "codeVersion": render.code_version,
    }


def _dataset(uri: str) -> Json:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return {"namespace": f"s3://{bucket}", "name": key}
