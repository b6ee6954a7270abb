"""The lineage events beside the classes of OpenLineage's own client, which say what its standard says."""

from __future__ import annotations

import json
import uuid
from types import SimpleNamespace

from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.facet_v2 import RunFacet, dataset_version_dataset, error_message_run
from openlineage.client.serde import Serde

from avatarlab_ops.lineage import openlineage


def test_an_event_is_read_back_by_the_clients_classes_without_a_loss():
    told = SimpleNamespace(
        id="r1", run_id=None, code_version="1", error="no face", withdrawn_at=1, withdrawn_reason="asked"
    )
    event = openlineage.run_event(
        "OTHER",
        job="avatar_render",
        run="r1",
        facets=openlineage._run_facets(told),
        inputs=[("s3://inputs/me.png", "a" * 64)],
        outputs=[("s3://outputs/renders/r1/video.mp4", "b" * 64)],
    )
    assert json.loads(json.dumps(event)) == event
    assert uuid.UUID(event["run"]["runId"]).version == 5
    read = RunEvent(
        eventType=RunState(event["eventType"]), eventTime=event["eventTime"], producer=event["producer"],
        run=Run(**event["run"]), job=Job(**event["job"]), inputs=[InputDataset(**event["inputs"][0])],
        outputs=[OutputDataset(**event["outputs"][0])],
    )  # fmt: skip
    assert Serde.to_dict(read) == event
    facets = event["run"]["facets"]
    assert (facets["avatarlab_withdrawal"]["reason"], facets["errorMessage"]["message"]) == (
        "asked",
        "no face",
    )
    version = event["inputs"][0]["facets"]["version"]
    assert (event["inputs"][0]["namespace"], event["inputs"][0]["name"]) == ("s3://inputs", "me.png")
    for facet, kind in (
        (version, dataset_version_dataset.DatasetVersionDatasetFacet),
        (facets["errorMessage"], error_message_run.ErrorMessageRunFacet),
        (facets["avatarlab_render"], RunFacet),
    ):
        assert (facet["_producer"], facet["_schemaURL"]) == (openlineage.PRODUCER, kind._get_schema())
