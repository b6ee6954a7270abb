"""What the Studio says where nothing can be shown: a page to who goes to one, a sentence to its scripts."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

# Airflow writes its configuration where it is first imported.
os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="airflow-"))

from airflow.api_fastapi.core_api import security
from avatarlab_web import stores as stores_module
from avatarlab_web.api.access import Caller
from avatarlab_web.app import app
from avatarlab_web.shared import opened
from avatarlab_web.studio import page
from avatarlab_web.studio.access import viewer
from jwt import InvalidSignatureError

from avatarlab_ops.settings import Settings

AWAY = Settings(
    "postgresql://x@127.0.0.1:1/x", "mongodb://127.0.0.1:1", "http://127.0.0.1:1", "a", "", Path("none")
)
FETCHED = {"sec-fetch-site": "same-origin", "sec-fetch-mode": "cors"}
PROBLEM = "application/problem+json"


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """A process that has reached no store yet, and anna's browser."""
    for module in (stores_module, page):
        monkeypatch.setattr(module, "settings", lambda: AWAY, raising=False)
    app.dependency_overrides = {viewer: lambda: Caller("anna", lambda _: True)}
    yield TestClient(app, raise_server_exceptions=False, follow_redirects=False)
    app.dependency_overrides = {}


def test_that_a_store_is_away_is_a_page_in_a_fresh_process_too(fresh: TestClient) -> None:
    answer = fresh.get("/videos")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.headers["content-type"].startswith("text/html")
    assert page.text("error.back") in answer.text


def test_a_stranger_is_told_so_in_a_fresh_process_too(fresh: TestClient) -> None:
    answer = fresh.get("/shared/x")
    assert (answer.status_code, "cannot be shown now" in answer.text) == (503, True)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/queue/live", 503),
        ("GET", "/renders/x/poster", 503),
        ("GET", "/voices/hibari/nobody/sample", 404),
        ("GET", "/none", 404),
    ],
)
def test_a_script_is_told_why_as_by_the_api(fresh: TestClient, method: str, path: str, status: int) -> None:
    told = fresh.request(method, path, headers=FETCHED)
    assert (told.status_code, told.headers["content-type"]) == (status, PROBLEM), told.text
    assert {"code", "detail", "retryable"} <= told.json().keys()


@pytest.mark.parametrize(
    ("path", "status"),
    [("/none", 404), ("/voices/hibari/nobody/sample", 404), ("/videos", 503)],
)
def test_who_goes_to_a_page_is_told_on_a_page(fresh: TestClient, path: str, status: int) -> None:
    told = fresh.get(path)
    assert (told.status_code, page.text("error.back") in told.text) == (status, True), told.text


def test_what_is_malformed_is_told_either_way(fresh: TestClient) -> None:
    app.dependency_overrides[stores_module.stores] = lambda: AWAY
    asked = fresh.post("/bulk/files", json={}, headers=FETCHED)
    assert (asked.status_code, asked.headers["content-type"]) == (422, PROBLEM)
    gone_to = fresh.get("/people/x", params={"cursor": "c" * 201})
    assert (gone_to.status_code, page.text("error.back") in gone_to.text) == (422, True)


def test_what_a_stranger_asks_wrongly_is_told_in_a_strangers_words(fresh: TestClient) -> None:
    app.dependency_overrides |= {stores_module.stores: lambda: AWAY, opened: lambda: None}
    for asked in ({"sure": "no"}, {"sure": "y" * 4_001}):
        told = fresh.post("/shared/x/withdraw", data=asked, headers={"sec-fetch-mode": "navigate"})
        assert (told.is_client_error, "<nav" in told.text) == (True, False)
        assert page.text("shared.wrong") in told.text


class OtherKey:
    """Airflow's manager of logins, to whom none is genuine."""

    async def get_user_from_token(self, _token: str) -> None:
        raise InvalidSignatureError("Signature verification failed")


def test_a_login_that_another_key_signed_is_no_login(
    fresh: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    app.dependency_overrides = {}
    monkeypatch.setattr(security, "get_auth_manager", OtherKey)
    fresh.cookies["_token"] = "of.another.key"
    answer = fresh.get("/videos")
    assert answer.status_code == 303, answer.text
    assert answer.headers["location"].startswith("/auth/login/?next=")
    fetched = fresh.get("/queue/live", headers=FETCHED)
    assert fetched.status_code == 401, "a page's script tells by it that the login is over"
