"""The HTTP API over real stores, called as a logged-in user; Airflow's login is tried in tests/e2e."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from starlette.testclient import TestClient

from avatarlab_ops.settings import Settings

# Airflow writes its configuration where it is first imported.
os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="airflow-"))


@dataclass
class Server:
    """The API and who calls it. A login is stood in for: name and roles are the test's."""

    client: TestClient
    name: str = "anna"
    roles: set[str] = field(default_factory=lambda: {"reader", "author", "bulk author"})

    def get_name(self) -> str:
        """As Airflow's users tell it."""
        return self.name

    def order(self, asked: dict[str, Any], key: str | None, **headers: str) -> Any:
        named = {"Idempotency-Key": key} if key is not None else {}
        return self.client.post("/renders", json=asked, headers=named | headers)


@contextmanager
def serving(settings: Settings) -> Iterator[Server]:
    """The API on these stores."""
    from avatarlab_web.api.access import caller as who_calls
    from avatarlab_web.api.app import api
    from avatarlab_web.stores import stores as where_stores_are

    headers = {"Authorization": "Bearer stood-in-for"}
    server = Server(TestClient(api, raise_server_exceptions=False, headers=headers))
    api.dependency_overrides = {
        who_calls: lambda: replace(who_calls(server), may=lambda role: role in server.roles),
        where_stores_are: lambda: settings,
    }
    yield server
    api.dependency_overrides = {}
