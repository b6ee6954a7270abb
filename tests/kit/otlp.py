"""A collector: takes spans by OTLP over HTTP, as OpenTelemetry's own would, and keeps them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from kit.eventually import eventually
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from avatarlab_ops.tracing import sender


@dataclass
class Collector:
    """What has come in so far."""

    address: str
    spans: list[Span] = field(default_factory=list)
    services: set[str] = field(default_factory=set)
    raw: list[bytes] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """By which a process sends its spans here."""
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": self.address}

    @contextmanager
    def listening(self) -> Iterator[None]:
        """What this process does in the block is told to this collector, and to no other afterwards."""
        sender._providers.clear()
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.environment.items():
                patch.setenv(name, value)
            yield
        for provider in sender._providers.values():
            provider.shutdown()
        sender._providers.clear()

    def named(self, *names: str) -> list[Span]:
        """The spans of these names, once there is one of each."""
        eventually(lambda: {span.name for span in self.spans} >= set(names), end_s=10)
        return [span for span in self.spans if span.name in names]

    def take(self, body: bytes) -> None:
        """One request of an exporter."""
        self.raw.append(body)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            named = [
                one.value.string_value for one in resource.resource.attributes if one.key == "service.name"
            ]
            self.services.update(named)
            for scope in resource.scope_spans:
                self.spans.extend(scope.spans)


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector on a port of its own."""

    class Taking(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            collector.take(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Taking) as server:
        server.daemon_threads = True
        collector = Collector(f"http://127.0.0.1:{server.server_address[1]}")
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield collector
        server.shutdown()
