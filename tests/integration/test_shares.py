"""Links for people without a login: one video, or what was made of the person shown, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import structlog
from airflow.api_fastapi.common.http_access_log import HttpAccessLogMiddleware
from avatarlab_web import shared
from avatarlab_web.app import app
from avatarlab_web.pace import Pace
from avatarlab_web.stores import stores as where_stores_are
from avatarlab_web.studio import page
from fastapi import FastAPI
from starlette.testclient import TestClient

from avatarlab_ops import pipeline
from avatarlab_ops.errors import InputError, TransientError
from avatarlab_ops.renders import withdrawal
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.catalog import consents, records, transaction
from avatarlab_ops.trust import shares

from .api_server import Server, serving


@pytest.fixture
def api(stores: Settings) -> Iterator[Server]:
    with serving(stores) as server:
        yield server


@pytest.fixture
def stranger(stores: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """Somebody without a login, below Airflow's own log of calls."""
    app.dependency_overrides = {where_stores_are: lambda: stores}
    monkeypatch.setattr(page, "settings", lambda: stores)
    airflow = FastAPI()
    airflow.mount("/avatarlab", app)
    airflow.add_middleware(HttpAccessLogMiddleware)
    yield TestClient(airflow, follow_redirects=False, raise_server_exceptions=False)
    app.dependency_overrides = {}


def video(stores: Settings, portrait: str, script: str) -> str:
    small = {"resolution": "360p", "fps": 24}
    asked = {"script": script, "avatar": {"uri": portrait}, "output": small}
    return pipeline.render(stores, asked, caller="anna").render_id


@pytest.fixture(scope="module")
def first(stores: Settings, portrait: str) -> str:
    return video(stores, portrait, "Shared.")


@pytest.fixture(scope="module")
def second(stores: Settings, portrait: str) -> str:
    return video(stores, portrait, "Secret.")


def consent_of(stores: Settings, render_id: str) -> str:
    with transaction(stores.pg_dsn) as db:
        return next(one.id for one in consents.listed(db) if one.kind == "likeness"
                    and consents.relies(db, render_id, one.id))  # fmt: skip


def link_to(api: Server, what: str, **body: Any) -> str:
    made = api.client.post(f"/{what}/shares", json=body)
    assert made.status_code == 201, made.text
    return "/avatarlab" + urlsplit(str(made.json()["url"])).path.removeprefix("/avatarlab")


def test_whoever_has_the_link_sees_one_video_and_nothing_else(
    api: Server, stranger: TestClient, first: str, second: str
) -> None:
    link = link_to(api, f"renders/{first}")
    shown = stranger.get(link)
    assert shown.status_code == 200
    assert "Shared." in shown.text
    assert "made with AI" in shown.text
    assert "<script" not in shown.text
    policy = shown.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert (shown.headers["cache-control"], shown.headers["referrer-policy"]) == ("no-store", "no-referrer")
    loaded = re.findall(r'(?:src|poster|href)="([^"]+)"', shown.text)
    assert len(loaded) == 4  # sheet, poster, video, captions
    for address in loaded:
        assert stranger.get(address).status_code in (200, 307), address
    assert stranger.get(f"{link}/{second}/video").status_code == 404
    assert stranger.post(f"{link}/withdraw", data={"sure": "yes"}).status_code == 404
    assert stranger.get(f"{link}/{first}/manifest").status_code != 200


def test_a_shared_video_can_be_watched_to_its_end_while_its_link_holds(
    api: Server, stranger: TestClient, first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = f"{link_to(api, f'renders/{first}', days=1)}/{first}/video"

    def holds_s() -> int:
        signed = parse_qs(urlsplit(stranger.get(film).headers["location"]).query)
        return int(signed["X-Amz-Expires"][0])

    assert holds_s() == 4 * 3600
    late = records.now() + timedelta(hours=23)
    monkeypatch.setattr(records, "now", lambda: late)
    assert 3500 < holds_s() <= 3600, "no longer than the link"


def test_what_is_wrong_with_a_link_a_stranger_is_not_told(
    api: Server, stranger: TestClient, first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = link_to(api, f"renders/{first}", days=1)
    share, expires, mac = link.rpartition("/")[2].split(".")
    later, other = str(int(expires) + 9), f"{int(share, 16) ^ 1:016x}"
    altered = [
        f"{share}.{later}.{mac}",
        f"{other}.{expires}.{mac}",
        f"{share}.{expires}.{mac[::-1]}",
        "x",
        first,
    ]
    answers = {stranger.get(f"/avatarlab/shared/{one}").text for one in altered}
    ended = api.client.get(f"/renders/{first}/shares").json()[0]["id"]
    with monkeypatch.context() as tomorrow:
        at = records.now() + timedelta(days=1, seconds=1)
        tomorrow.setattr(records, "now", lambda: at)
        expired = stranger.get(link)
    assert stranger.get(link).status_code == 200
    assert api.client.delete(f"/shares/{ended}").status_code == 204
    revoked = stranger.get(link)
    assert answers == {expired.text} == {revoked.text}
    assert (expired.status_code, revoked.status_code) == (404, 404)
    assert api.client.delete(f"/shares/{ended}").status_code == 204  # again


def test_nothing_is_shared_where_there_is_no_key(stores: Settings, first: str) -> None:
    keyless = replace(stores, s3_secret_key="")
    with transaction(stores.pg_dsn) as db, pytest.raises(InputError, match="secret key"):
        shares.make(db, keyless, "video", first, days=1, by="anna")
    with transaction(stores.pg_dsn) as db:
        kept, _ = shares.make(db, stores, "video", first, days=1, by="anna")
    forged = shares._signed(keyless, f"{kept.id}.{int(kept.expires_at.timestamp())}")
    assert shares.read(keyless, forged) is None


def test_links_are_made_and_ended_by_whose_video_it_is(api: Server, first: str) -> None:
    api.name = "berta"
    refused = api.client.post(f"/renders/{first}/shares", json={"days": 1})
    assert (refused.status_code, refused.json()["code"]) == (403, "not_yours")
    api.name = "anna"
    assert api.client.post(f"/renders/{first}/shares", json={"days": 91}).status_code == 422
    made = api.client.post(f"/renders/{first}/shares", json={"days": 90}).json()
    api.name = "berta"
    assert api.client.delete(f"/shares/{made['id']}").json()["code"] == "not_yours"
    assert made["url"] not in api.client.get(f"/renders/{first}/shares").text
    assert api.client.delete("/shares/none").status_code == 404


def test_no_log_holds_a_link(api: Server, stranger: TestClient, first: str) -> None:
    link = link_to(api, f"renders/{first}")
    with structlog.testing.capture_logs() as told:
        assert stranger.get(link).status_code == 200
        stranger.get(f"{link[:-1]}/{first}/poster")
        assert stranger.head(link).status_code == 200
        for beside in (f"{link}/", f"{link}/withdraw", f"{link}/x"):  # nothing that is served
            stranger.get(beside, follow_redirects=False)
    assert [one["path"] for one in told] == [shared.MASKED] * 6
    assert link.rpartition(".")[2] not in str(told)


def test_a_link_is_used_so_often_a_minute(
    api: Server, stranger: TestClient, first: str, second: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, "pace", Pace(1, 60.0))
    link = link_to(api, f"renders/{first}")
    assert stranger.get(link).status_code == 200
    refused = stranger.get(link)
    assert (refused.status_code, int(refused.headers["retry-after"]) > 0) == (429, True)
    assert stranger.get(link_to(api, f"renders/{second}")).status_code == 200


def test_a_wrong_cursor_and_a_silent_store_are_a_sentence_and_no_stack_trace(
    api: Server, stores: Settings, stranger: TestClient, first: str
) -> None:
    api.roles.add("operator")
    link = link_to(api, f"consents/{consent_of(stores, first)}")
    wrong = stranger.get(link, params={"cursor": "bm90aGluZw=="})
    assert (wrong.status_code, "leads to no page" in wrong.text) == (400, True)
    app.dependency_overrides = {
        where_stores_are: lambda: replace(stores, pg_dsn="postgresql://x@127.0.0.1:1/x")
    }
    away = stranger.get(link)
    assert (away.status_code, away.headers["Retry-After"]) == (503, "5")
    assert "cannot be shown now; try again in 5 s" in away.text
    assert "PostgreSQL" not in away.text


def test_a_withdrawn_video_is_shared_no_longer(
    api: Server, stranger: TestClient, stores: Settings, portrait: str
) -> None:
    render_id = video(stores, portrait, "Taken back.")
    link = link_to(api, f"renders/{render_id}")
    withdrawal.withdraw(stores, render_id, "a test")
    assert stranger.get(link).status_code == 404
    assert stranger.get(f"{link}/{render_id}/video").status_code == 404
    refused = api.client.post(f"/renders/{render_id}/shares")
    assert (refused.status_code, refused.json()["code"]) == (409, "not_published")


def test_the_person_shown_sees_what_was_made_of_them_and_withdraws(
    api: Server,
    stranger: TestClient,
    stores: Settings,
    first: str,
    second: str,
    *,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    consent_id = consent_of(stores, first)
    api.roles.add("operator")  # nobody recorded the demo's licence
    link = link_to(api, f"consents/{consent_id}")
    shown = stranger.get(link)
    assert "Shared." in shown.text
    assert "Secret." in shown.text
    assert stranger.get(f"{link}/{second}/video").status_code == 307
    assert stranger.get(f"{link}/no%00such/video").status_code == 404
    assert stranger.post(f"{link}/withdraw").status_code == 422  # they are asked whether they are sure
    assert api.client.get(f"/consents/{consent_id}").json()["state"] == "valid"
    assert stranger.post(f"{link}/withdraw", data={"sure": "yes"}).status_code == 303  # not the videos
    assert "Take my videos back" in stranger.get(link).text
    with monkeypatch.context() as broken:
        taken = withdrawal._take_down

        def away_for_one(settings: Settings, render_id: str, reason: str) -> bool:
            if render_id == first:  # the oldest, so its turn is before that of the other
                raise TransientError("the object store did not answer")
            return taken(settings, render_id, reason)

        broken.setattr(withdrawal, "_take_down", away_for_one)
        told = api.client.post(f"/consents/{consent_id}/revoke", params={"withdraw": True}).json()
    assert told["videos"] == [first]
    assert second in told["withdrawn"]
    assert "Take my videos back" in stranger.get(link).text
    done = stranger.post(f"{link}/withdraw", data={"sure": "yes", "videos": "true"})
    assert (done.status_code, done.headers["location"]) == (303, link)
    after = stranger.get(link)
    assert "Take my videos back" not in after.text
    assert "This consent was revoked" in after.text
    assert "<video" not in after.text
    assert stranger.get(f"{link}/{second}/video").status_code == 404
    assert api.client.get(f"/renders/{second}").json()["withdrawn_at"]
    assert stranger.post(f"{link}/withdraw", data={"sure": "yes"}).status_code == 303  # again: as it was
