"""One render, ordered in one process and begun in another, is one trace (a whole one: test_pipeline.py)."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import subprocess
import sys

import pytest
from kit.otlp import collecting

from avatarlab_ops import pipeline
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


def test_order_run_stage_and_end_are_one_trace_over_processes(
    stores: Settings, portrait: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "AVATARLAB_RENDERS_AT_ONCE", "100"
    )  # nobody asks Airflow for its pools, it is not there
    body = {"script": "Hello.", "avatar": {"uri": portrait}, "captions": "none"}
    body["output"] = {"resolution": "360p", "fps": 24}
    mine = f"00-{'a' * 32}-{'b' * 16}-01"
    with collecting() as collector, serving(stores) as api, collector.listening():
        answer = api.order(body, "traced", traceparent=mine)
        assert answer.status_code == 202, answer.text
        render = answer.json()["id"]
        run(stores, render, "admit")
        pipeline.fail(stores, render, "nobody wants it any more")
        collector.named("POST /renders", "begin run", "admit", "render")
    spans = {span.name: span for span in collector.spans}
    trace = hashlib.sha256(render.encode()).hexdigest()[:32]
    assert {span.trace_id.hex() for span in spans.values()} == {trace}
    whole = spans["render"]
    assert not whole.parent_span_id
    assert whole.status.code == 2
    for name in ("POST /renders", "begin run", "admit"):
        assert spans[name].parent_span_id == whole.span_id, name
    assert [link.trace_id.hex() for link in spans["POST /renders"].links] == ["a" * 32]
    secrets = [stores.s3_secret_key, stores.pg_dsn, stores.mongo_uri]
    assert not any(secret.encode() in body for secret in secrets for body in collector.raw)


SILENT = """
import os, socket, threading
server = socket.create_server(("127.0.0.1", 0))
os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{server.getsockname()[1]}"
from avatarlab_ops import tracing
for number in range(4):
    tracing.tell(f"render-{number}", "render", 1, 2, whole=True)
print(sum(one.name == "spans" for one in threading.enumerate()), flush=True)
os._exit(0)
"""


def test_a_collector_that_hangs_is_waited_for_once_however_many_renders_end() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SILENT], capture_output=True, text=True, check=True, timeout=60, env=os.environ
    )
    assert done.stdout.strip() == "1", "each that waits is a thread for as long as the collector is silent"
