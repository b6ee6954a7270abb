"""Renders through the HTTP API, over real stores."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from avatarlab_ops import pipeline
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.catalog import tables as m
from avatarlab_ops.stores.catalog import transaction

from .api_server import Server, serving


@pytest.fixture
def api(stores: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(stores) as server:
        yield server


def asked(portrait: str, **changes: Any) -> dict[str, Any]:
    small = {"resolution": "360p", "fps": 24}
    return {"script": "Hello there.", "avatar": {"uri": portrait}, "output": small} | changes


def orders(settings: Settings) -> list[m.Outbox]:
    with transaction(settings.pg_dsn) as db:
        return list(db.scalars(sa.select(m.Outbox).where(m.Outbox.topic == "runs")))


def test_a_render_is_accepted_with_the_order_to_begin_it(
    api: Server, stores: Settings, portrait: str
) -> None:
    answer = api.order(asked(portrait), "order-1")
    assert answer.status_code == 202, answer.text
    told = answer.json()
    assert (told["state"], told["caller"]) == ("accepted", "anna")
    assert answer.headers["location"] == told["links"]["self"] == f"/renders/{told['id']}"
    assert api.client.get(told["links"]["self"]).json()["id"] == told["id"]
    (order,) = [one for one in orders(stores) if one.render_id == told["id"]]
    assert order.key == told["run_id"]
    assert pipeline.AvatarRequest.parse(order.payload["conf"]).script == "Hello there."
    # The run that the order begins finds this very render.
    run = {"run_id": told["run_id"], "caller": "anna"}
    assert pipeline.submit(stores, order.payload["conf"], **run) == told["id"]


def test_a_key_gives_the_same_render_and_refuses_another_request(api: Server, portrait: str) -> None:
    first = api.order(asked(portrait), "order-2")
    again = api.order(asked(portrait), '"order-2"')
    assert again.json()["id"] == first.json()["id"]
    assert again.headers["idempotency-replayed"] == "true"
    other = api.order(asked(portrait, seed=1), "order-2")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    missing = api.order(asked(portrait), None)
    assert (missing.status_code, missing.json()["code"]) == (400, "idempotency_key_missing")
    api.name = "berta"
    assert api.order(asked(portrait), "order-2").json()["id"] != first.json()["id"]


def test_orders_under_one_key_at_once_are_one_render(api: Server, stores: Settings, portrait: str) -> None:
    together = threading.Barrier(8)

    def order(_: int) -> str:
        together.wait()
        return str(api.order(asked(portrait), "at-once").json()["id"])

    with ThreadPoolExecutor(8) as pool:
        ids = set(pool.map(order, range(8)))
    assert len(ids) == 1
    assert len([one for one in orders(stores) if one.render_id in ids]) == 1


def test_what_is_wrong_is_told_field_by_field(api: Server, portrait: str) -> None:
    broken = api.order(asked(portrait, output={"fps": 7}, colour="red"), "broken")
    assert broken.status_code == 422
    assert broken.headers["content-type"] == "application/problem+json"
    told = broken.json()
    assert {fault["field"] for fault in told["errors"]} == {"output.fps", "colour"}
    assert told["retryable"] is False
    for changes, code in (
        ({"avatar": {"uri": portrait.replace("astronaut", "nobody")}}, "reference_refused"),
        ({"avatar": {"uri": "s3://outputs/x.png"}}, "reference_refused"),
        ({"script": " "}, "script_refused"),
        ({"engines": {"speech": "nosuch"}}, "engine_unavailable"),
    ):
        refused = api.order(asked(portrait) | changes, f"refused-{code}")
        assert (refused.status_code, refused.json()["code"]) == (422, code), refused.text


def test_a_spent_budget_is_429_with_the_time_when_it_fits(
    api: Server, stores: Settings, portrait: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from avatarlab_ops.renders.estimate import estimate

    body = asked(portrait, script="A budget of nothing.")
    estimate(stores, pipeline.AvatarRequest.parse(body), caller="anna")  # the portrait is known from now on
    monkeypatch.setenv("AVATARLAB_BUDGET_GPU_S_PER_DAY", "0")
    refused = api.order(body, "poor")
    assert (refused.status_code, refused.json()["code"]) == (429, "budget_exceeded")


def test_a_published_render_tells_everything_until_the_download(
    api: Server, stores: Settings, portrait: str
) -> None:
    made = pipeline.render(stores, asked(portrait, labels={"campaign": "api"}), caller="anna")
    told = api.client.get(f"/renders/{made.render_id}").json()
    assert told["state"] == "published"
    assert {stage["state"] for stage in told["stages"]} <= {"done", "cached", "not_needed"}
    [said] = [
        json.loads(line.removeprefix("data: "))
        for line in api.client.get(told["links"]["events"]).text.splitlines()
        if line.startswith("data: ")
    ]
    assert said["links"].items() <= told["links"].items()
    assert said | {"links": told["links"]} == {name: told[name] for name in said}, "the same as polling"
    joules = [stage["energy_j"] for stage in told["stages"] if stage["energy_j"] is not None]
    assert told["energy_j"] == (pytest.approx(sum(joules)) if joules else None)
    assert told["measures"]["duration_s"] == told["duration_s"] > 0
    for kind, start in (
        ("video", b"\0\0\0"),
        ("captions", b"WEBVTT"),
        ("poster", b"\xff\xd8"),
        ("manifest", b"{"),
    ):
        led = api.client.get(told["links"][kind], follow_redirects=False)
        assert led.status_code == 307, led.text
        assert httpx.get(led.headers["location"]).content.startswith(start), kind
    assert api.client.get(told["links"]["lineage"]).json()
    assert api.client.get(f"/renders/{made.render_id}/files/nosuch").status_code == 404

    api.name = "berta"
    foreign = api.client.delete(f"/renders/{made.render_id}/output")
    assert (foreign.status_code, foreign.json()["code"]) == (403, "not_yours")
    api.name = "anna"
    gone = api.client.delete(f"/renders/{made.render_id}/output", params={"reason": "a mistake"}).json()
    assert gone["withdrawn_reason"] == "a mistake"
    assert gone["links"]["video"] is None
    assert gone["links"]["manifest"]


def test_a_failed_render_says_why(api: Server, stores: Settings, portrait: str) -> None:
    from avatarlab_ops.errors import FaceRefused

    told = api.order(asked(portrait), "fails").json()
    pipeline.fail(stores, told["id"], FaceRefused("no face was found"), stage="admit")
    reason = api.client.get(f"/renders/{told['id']}").json()["reason"]
    assert reason == {
        "code": "face_refused",
        "stage": "admit",
        "retryable": False,
        "text": "no face was found",
    }


def test_the_list_is_filtered_and_paged_without_gap_or_repetition(api: Server, portrait: str) -> None:
    made = [
        api.order(asked(portrait, labels={"list": "yes"}, seed=number), f"list-{number}").json()["id"]
        for number in range(5)
    ]
    seen: list[str] = []
    query: dict[str, Any] = {"label": "list:yes", "limit": 2, "state": ["accepted", "running"]}
    while True:
        page = api.client.get("/renders", params=query).json()
        seen += [one["id"] for one in page["renders"]]
        if page["cursor"] is None:
            break
        query["cursor"] = page["cursor"]
    assert seen == made[::-1]
    assert api.client.get("/renders", params={"caller": "nobody"}).json()["renders"] == []
    everything = {
        "caller": "anna",
        "avatar": portrait,
        "label": ["list:yes", "also:yes"],
        "state": "accepted",
    }
    api.order(asked(portrait, labels={"list": "yes", "also": "yes"}), "list-both")
    (both,) = api.client.get("/renders", params=everything).json()["renders"]
    assert both["labels"] == {"list": "yes", "also": "yes"}
    assert api.client.get("/renders", params=everything | {"caller": "ben"}).json()["renders"] == []
    for cursor in ("x", base64.urlsafe_b64encode(b"0001-01-01T00:00:00+14:00 x").decode()):
        assert api.client.get("/renders", params={"cursor": cursor}).json()["code"] == "request_invalid"


def test_a_merge_patch_orders_the_same_with_changes(api: Server, portrait: str) -> None:
    first = api.order(asked(portrait, labels={"a": "1", "b": "2"}), "patch-1").json()
    changes = {"script": "Something else.", "labels": {"a": None, "c": "3"}}
    path = f"/renders/{first['id']}/regenerate"
    second = api.client.post(path, json=changes, headers={"Idempotency-Key": "patch-2"})
    assert second.status_code == 202, second.text
    told = second.json()
    assert told["id"] != first["id"]
    assert (told["script"], told["labels"]) == ("Something else.", {"b": "2", "c": "3"})
    assert told["request"]["output"] == first["request"]["output"]


def test_a_page_of_another_origin_changes_nothing(api: Server, portrait: str) -> None:
    del api.client.headers["Authorization"]
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "same-site"}, {}):
        refused = api.order(asked(portrait), "csrf", **headers)
        assert (refused.status_code, refused.json()["code"]) == (403, "foreign_origin"), headers
    assert api.order(asked(portrait), "csrf", Origin="http://testserver").status_code == 202
    assert api.order(asked(portrait), "csrf", **{"Sec-Fetch-Site": "same-origin"}).status_code == 202


def test_a_viewer_looks_and_changes_nothing(api: Server, portrait: str) -> None:
    mine = api.order(asked(portrait), "viewed").json()
    api.roles = {"reader"}
    assert api.client.get(mine["links"]["self"]).status_code == 200
    for answer in (
        api.order(asked(portrait), "viewer"),
        api.client.post(f"{mine['links']['self']}/cancel"),
        api.client.delete(f"{mine['links']['self']}/output"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


def test_a_body_over_a_megabyte_is_refused_before_it_is_read(api: Server, portrait: str) -> None:
    def endless() -> Iterator[bytes]:
        yield b'{"script": "'
        for _ in range(100):
            yield b"a" * 65_536

    for body in (b"x" * 1_100_000, endless()):
        refused = api.client.post("/renders", content=body, headers={"Content-Type": "application/json"})
        assert (refused.status_code, refused.json()["code"]) == (413, "too_large")


@pytest.mark.parametrize(
    ("body", "told"),
    [('{"script": "a", "script": "b"}', "'script' twice"), ("[" * 100_000, "too deeply"), ("{", "JSON")],
)
@pytest.mark.parametrize("kind", ["application/json", "application/JSON"])
def test_a_body_that_says_two_things_or_none_is_refused(api: Server, body: str, told: str, kind: str) -> None:
    headers = {"Content-Type": kind, "Idempotency-Key": "twofold"}
    refused = api.client.post("/renders", content=body, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (422, "request_invalid")
    assert told in refused.json()["detail"]


@pytest.mark.parametrize(
    "path", ["/renders/a%00b", "/renders?avatar=a%00b", "/renders?label=a:b%00", "/consents/%00", "/nosuch"]
)
def test_odd_addresses_are_told_and_break_nothing(api: Server, path: str) -> None:
    refused = api.client.get(path)
    assert refused.status_code in (404, 422), refused.text
    assert refused.headers["content-type"] == "application/problem+json"
