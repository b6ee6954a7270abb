"""A login of Airflow ends while somebody waits: it is renewed, and a token that was given is named."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from avatarlab_ops.cli.client import AirflowClient
from avatarlab_ops.errors import InputError


class Airflow(ThreadingHTTPServer):
    """Lets in whoever holds the newest token."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.logins = 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    server: Airflow

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/auth/token":
            self.server.logins += 1
            self.answer(201, {"access_token": f"token-{self.server.logins}"})
        else:
            self.guarded()

    def do_GET(self) -> None:
        self.guarded()

    def guarded(self) -> None:
        if self.headers["Authorization"] == f"Bearer token-{self.server.logins}":
            self.answer(200, {"state": "running"})
        else:
            self.answer(401, {"detail": "Token Expired"})

    def answer(self, status: int, body: dict[str, str]) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: object) -> None:
        """Tests are silent."""


@pytest.fixture
def airflow() -> Iterator[Airflow]:
    with Airflow() as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        serving.start()
        yield server
        server.shutdown()
        serving.join()


def test_a_login_that_ends_is_renewed(airflow: Airflow) -> None:
    with AirflowClient(airflow.address, "admin", "secret") as client:
        assert client.run("a")["state"] == "running"
        airflow.logins += 1  # a login elsewhere: this one is over
        assert client.run("a")["state"] == "running"
        airflow.logins += 1
        assert client.decide("a", "approve")["state"] == "running"
    assert airflow.logins == 5, "one login at first, and one after each end"


def test_a_token_that_is_refused_is_named(airflow: Airflow) -> None:
    with (
        AirflowClient(airflow.address, "", "", token="of yesterday") as client,
        pytest.raises(InputError, match="renew AVATARLAB_AIRFLOW_TOKEN"),
    ):
        client.run("a")
