"""The Studio over real stores, as a page of its own server asks it; Airflow's login is stood in for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from avatarlab_web.api.access import Caller
from avatarlab_web.app import app
from avatarlab_web.stores import stores as where_stores_are
from avatarlab_web.studio import page
from avatarlab_web.studio.access import viewer
from starlette.testclient import TestClient

from avatarlab_ops.settings import Settings

OWN = {"sec-fetch-site": "same-origin"}


@contextmanager
def opened(stores: Settings, roles: set[str]) -> Iterator[TestClient]:
    """A client that is anna with these roles, which the test may change while it is open."""
    app.dependency_overrides = {
        viewer: lambda: Caller("anna", lambda role: role in roles),
        where_stores_are: lambda: stores,
    }
    page.settings, before = (lambda: stores), page.settings
    yield TestClient(app, headers=OWN)
    page.settings = before
    app.dependency_overrides = {}
