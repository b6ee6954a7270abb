"""One render, ordered in one process and made in others, is one trace."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys

import pytest
from kit.otlp import collecting

from avatarlab_ops.graph import STAGES
from avatarlab_ops.settings import Settings

from .api_server import serving

RUN = """
import json, pathlib, sys
from avatarlab_ops import pipeline
from avatarlab_ops.settings import Settings
known = json.loads(sys.stdin.read())
settings = Settings(**known["settings"] | {"home": pathlib.Path(known["settings"]["home"])})
for stage in known["stages"]:
    pipeline.run_stage(settings, known["render"], stage)
"""


def run(settings: Settings, render: str, *stages: str) -> None:
    """Some stages in a process of their own, as a worker runs them."""
    given = {"settings": dataclasses.asdict(settings), "render": render, "stages": stages}
    said = json.dumps(given, default=str)
    subprocess.run([sys.executable, "-c", RUN], input=said, text=True, check=True, env=os.environ)


def test_a_render_is_one_trace_from_its_order_to_its_end(
    stores: Settings, portrait: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = {"script": "Hello there.", "avatar": {"uri": portrait}, "captions": "none"}
    body["output"] = {"resolution": "360p", "fps": 24}
    mine = f"00-{'a' * 32}-{'b' * 16}-01"
    with collecting() as collector, serving(stores) as api:
        for name, value in collector.environment.items():
            monkeypatch.setenv(name, value)
        answer = api.order(body, "traced", traceparent=mine)
        assert answer.status_code == 202, answer.text
        render = answer.json()["id"]
        run(stores, render, "admit", "speech")
        run(stores, render, *STAGES[STAGES.index("speech") + 1 :])
        parts = ("wait for lock", "wait for device", "load engine", "work", "keep artifact")
        collector.named("POST /renders", "begin run", *STAGES, *parts, "render")
    spans = {span.span_id: span for span in collector.spans}
    assert {span.trace_id.hex() for span in spans.values()} == {render}
    [whole] = [span for span in spans.values() if not span.parent_span_id]
    assert whole.name == "render"
    assert {span.name for span in spans.values() if span.parent_span_id == whole.span_id} >= set(STAGES)
    assert all(span.parent_span_id in spans for span in spans.values() if span is not whole)
    [order] = [span for span in spans.values() if span.name == "POST /renders"]
    assert [link.trace_id.hex() for link in order.links] == ["a" * 32]
    worked = {spans[span.parent_span_id].name for span in spans.values() if span.name == "work"}
    assert worked >= {"speech", "face", "lipsync", "composite", "publish"}
    secrets = [stores.s3_secret_key, stores.pg_dsn, stores.mongo_uri]
    assert not any(secret.encode() in body for secret in secrets for body in collector.raw)
