"""OpenLineage events to the transport that Airflow's own provider is configured with.

`Settings.openlineage` is that configuration, the JSON of Airflow's option [openlineage] transport, e.g.
`{"type": "http", "url": "http://marquez:5000"}`. See https://openlineage.io/docs/client/python.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from avatarlab_ops.canonical import Json
from avatarlab_ops.errors import InputError, TransientError
from avatarlab_ops.settings import Settings

if TYPE_CHECKING:
    from openlineage.client import OpenLineageClient

TOPIC = "openlineage"  # of the outbox
MALFORMED = (400, 413, 422)  # answers of a server that will refuse the same event again

_clients: dict[tuple[int, str], OpenLineageClient] = {}


def emit(settings: Settings, event: Json) -> None:
    """Send one run event.

    Raises InputError when the transport is misconfigured or its server calls the event malformed, else
    TransientError when it was not taken.
    """
    from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState

    client = _client(settings)
    message = RunEvent(
        eventType=RunState(event["eventType"]),
        eventTime=event["eventTime"],
        run=Run(**event["run"]),
        job=Job(**event["job"]),
        producer=event["producer"],
        inputs=[InputDataset(**dataset) for dataset in event["inputs"]],
        outputs=[OutputDataset(**dataset) for dataset in event["outputs"]],
    )
    try:
        client.emit(message)
    except Exception as error:  # whatever the transport's own library raises
        told = f"the OpenLineage transport did not take the event: {error}"
        status = getattr(getattr(error, "response", None), "status_code", None)
        raise (InputError if status in MALFORMED else TransientError)(told) from error


def _client(settings: Settings) -> OpenLineageClient:
    """One client per process and configuration; a forked child makes its own."""
    from openlineage.client import OpenLineageClient

    if settings.openlineage is None:
        raise InputError(
            "an OpenLineage event waits, but no transport is configured: set [openlineage] transport"
        )
    key = (os.getpid(), settings.openlineage)
    if key not in _clients:
        try:
            _clients[key] = OpenLineageClient(config={"transport": json.loads(settings.openlineage)})
        except (ValueError, TypeError, KeyError, RuntimeError) as error:
            raise InputError(f"[openlineage] transport is not usable: {error}") from error
    return _clients[key]
