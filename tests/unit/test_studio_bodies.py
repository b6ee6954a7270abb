"""What strangers may send to the Studio, over real connections: of a told length, or in chunks."""

from __future__ import annotations

import os
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

# Airflow writes its configuration where it is first imported.
os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="airflow-"))

from avatarlab_web.app import app
from avatarlab_web.stores import stores as where_stores_are
from avatarlab_web.studio import page

from avatarlab_ops.settings import Settings

FORM = "application/x-www-form-urlencoded"
MANY_FILES = "multipart/form-data; boundary=b"
JSON = "application/json"
CHUNK = 65_536


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Of a server that knows of no store and nobody's login."""
    nowhere = Settings("", "", "http://127.0.0.1:1", "a", "", home=Path(tempfile.gettempdir()))
    app.dependency_overrides = {where_stores_are: lambda: nowhere}
    page.settings, before = (lambda: nowhere), page.settings
    server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join()
    page.settings = before
    app.dependency_overrides = {}


def status(port: int, path: str, kind: str, sent: int, *, chunked: bool, told: int = 1 << 31) -> int:
    """Of the answer to a body of which `sent` bytes come and no end."""
    length = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {told}"
    head = f"POST {path} HTTP/1.1\r\nHost: here\r\nContent-Type: {kind}\r\n{length}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(head.encode())
        for begins in range(0, sent, CHUNK):
            part = b"1" * min(CHUNK, sent - begins)
            connection.sendall(b"%x\r\n%s\r\n" % (len(part), part) if chunked else part)
        return int(connection.recv(12).split()[1])


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(
    ("path", "kind", "most"),
    [
        ("/shared/x/withdraw", FORM, 4_000),
        ("/shared/x/withdraw", MANY_FILES, 4_000),
        ("/bulk/files", JSON, 16_000_000),
    ],
)
def test_no_stranger_sends_more_than_a_page_needs(
    port: int, path: str, kind: str, most: int, *, chunked: bool
) -> None:
    assert status(port, path, kind, most + 1, chunked=chunked) == 413


@pytest.mark.parametrize(
    ("path", "kind", "size", "refused"),
    [("/shared/x/withdraw", FORM, 4_000, 404), ("/bulk/files", "text/plain", 15_000_000, 401)],
)
def test_what_a_page_needs_is_read(port: int, path: str, kind: str, size: int, refused: int) -> None:
    assert status(port, path, kind, size, chunked=False, told=size) == refused


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("path", ["/avatars", "/verify"])
def test_who_sends_a_file_is_asked_before_it_is_read(port: int, path: str, *, chunked: bool) -> None:
    assert status(port, path, MANY_FILES, 0, chunked=chunked) == 401
