"""The HTTP API in the running Airflow: three calls to a video, and nobody enters who may not."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from kit.eventually import eventually
from kit.running_site import Site, request

from avatarlab_ops.embedded.supervisor import read_state
from avatarlab_ops.errors import InputError
from avatarlab_ops.renders import orders
from avatarlab_ops.request import AvatarRequest
from avatarlab_ops.stores.objects import objects

FINAL = ("published", "failed", "cancelled")


def token(site: Site, name: str) -> str:
    password = json.loads((site.home / "airflow" / "passwords.json").read_text())[name]
    login = httpx.post(f"{site.address}/auth/token", json={"username": name, "password": password})
    return str(login.json()["access_token"])


@pytest.fixture(scope="module")
def api(site: Site) -> Iterator[httpx.Client]:
    """The API as anna, an ordinary user, calls it."""
    headers = {"Authorization": f"Bearer {token(site, 'anna')}"}
    with httpx.Client(base_url=f"{site.address}/avatarlab/api/v1", headers=headers, timeout=60) as client:
        yield client


def test_three_calls_lead_to_a_video(api: httpx.Client, site: Site) -> None:
    key = {"Idempotency-Key": "three-calls"}
    ordered = api.post("/renders", json=request(), headers=key)
    assert ordered.status_code == 202, ordered.text
    address = f"{site.address}{ordered.headers['location']}"

    def final() -> dict[str, object] | None:
        told = dict(api.get(address).json())
        return told if told["state"] in FINAL else None

    told = eventually(final, end_s=300)
    assert told["state"] == "published", told
    video = api.get(f"{site.address}{told['links']['video']}", follow_redirects=False)  # type: ignore[index]
    assert httpx.get(video.headers["location"]).content[4:8] == b"ftyp"
    again = api.post("/renders", json=request(), headers=key)
    assert again.json()["id"] == told["id"]
    assert site.client.run(str(told["run_id"]))["triggering_user_name"] == "anna"


def test_a_stream_tells_a_render_until_its_end_and_goes_on_where_it_was(
    api: httpx.Client, site: Site
) -> None:
    asked = request(script="A stream tells this.")
    ordered = api.post("/renders", json=asked, headers={"Idempotency-Key": "streamed"}).json()
    with api.stream("GET", f"{site.address}{ordered['links']['events']}", timeout=300) as stream:
        told = list(events(stream))
    states = [data["state"] for _, data in told]
    assert states[-1] == "published"
    assert states == sorted(states, key=("accepted", "running", "published").index)
    assert any(stage["state"] == "running" for _, data in told for stage in data["stages"])
    before_the_end = {"Last-Event-ID": told[0][0]}
    with api.stream("GET", "/events", headers=before_the_end, timeout=60) as stream:
        found = next(data for _, data in events(stream) if data["id"] == ordered["id"])
    assert found["state"] == "published"


def events(stream: httpx.Response) -> Iterator[tuple[str, dict[str, Any]]]:
    last = ""
    for line in stream.iter_lines():
        name, _, value = line.partition(": ")
        if name == "id":
            last = value
        if name == "data":
            yield last, json.loads(value)


def test_an_order_whose_writer_died_before_the_run_began_is_carried_out_once(
    api: httpx.Client, site: Site
) -> None:
    asked = AvatarRequest.parse(request(idempotency_key="left-behind"))
    left = orders.place(site.settings, asked, caller="anna")  # and nobody is told to begin the run
    address = f"/renders/{left.render_id}"
    told = eventually(lambda: one if (one := api.get(address).json())["state"] in FINAL else None)
    assert told["state"] == "published", told
    assert site.client.run(told["run_id"])["state"] in ("running", "success")
    again = api.post("/renders", json=request(), headers={"Idempotency-Key": "left-behind"})
    assert again.json()["id"] == left.render_id


def test_a_bulk_run_is_begun_once_and_reported(api: httpx.Client, site: Site) -> None:
    rows = "\n".join(json.dumps(request(seed=number)) for number in (1, 2)).encode()
    objects(site.settings).put_if_absent("inputs", "e2e/api.jsonl", rows)
    asked = {"file": "s3://inputs/e2e/api.jsonl"}
    headers = {"Idempotency-Key": "bulk-1"}
    begun = api.post("/bulk-runs", json=asked, headers=headers)
    assert begun.status_code == 202, begun.text
    address = f"{site.address}{begun.headers['location']}"
    assert api.post("/bulk-runs", json=asked, headers=headers).json()["id"] == begun.json()["id"]
    other = api.post("/bulk-runs", json=asked | {"partial": True}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")

    def ended() -> dict[str, Any] | None:
        told = dict(api.get(address).json())
        return told if told["state"] in ("ended", "refused") else None

    told = eventually(ended)
    assert told["states"] == {"published": 2}, told
    page = api.get(f"{address}/items", params={"limit": 1}).json()
    rest = api.get(f"{address}/items", params={"cursor": page["cursor"]}).json()
    assert [item["state"] for item in page["items"] + rest["items"]] == ["published"] * 2
    table = api.get(f"{site.address}{told['links']['csv']}", follow_redirects=False)
    assert httpx.get(table.headers["location"]).text.count("published") == 2
    assert api.get("/bulk-runs/nosuch").status_code == 404


def test_cancel_ends_the_render_and_its_run(api: httpx.Client, site: Site) -> None:
    long = request(script="This is one of many sentences. " * 200)
    long |= {"priority": "interactive"}
    ordered = api.post("/renders", json=long, headers={"Idempotency-Key": "to-cancel"}).json()
    # The order is carried out after the answer.
    run = eventually(lambda: site.client.run(ordered["run_id"]), InputError)
    tasks = site.client.get(f"/api/v2/dags/avatar_render/dagRuns/{ordered['run_id']}/taskInstances")
    weights = [task["priority_weight"] for task in tasks["task_instances"]]
    assert min(weights) > 1000, "before every other render's in the pools' queues"
    told = api.post(f"/renders/{ordered['id']}/cancel").json()
    assert (told["state"], told["reason"]["text"]) == ("cancelled", "cancelled by anna")
    assert site.finish(run["dag_run_id"]) == "failed"
    found = api.get("/renders", params={"limit": 200}).json()["renders"]
    assert [one["state"] for one in found if one["run_id"] == ordered["run_id"]] == ["cancelled"]


def test_nobody_enters_without_a_login_and_no_page_of_another_origin_changes_anything(
    api: httpx.Client, site: Site
) -> None:
    described = api.get("/openapi.json").json()
    assert described["openapi"].startswith("3.1")
    cookie = {"Cookie": f"_token={token(site, 'anna')}", "Origin": "https://evil.example"}
    paths = [*described["paths"].items(), ("/openapi.json", {"get": {}})]
    with httpx.Client(base_url=api.base_url, timeout=60) as bare:
        refuse_all(bare, paths, cookie)


def refuse_all(bare: httpx.Client, paths: list[tuple[str, Any]], cookie: dict[str, str]) -> None:
    for template, methods in paths:
        path = template.replace("{", "").replace("}", "")
        for method in methods:
            where = f"{method} {template}"
            nobody = bare.request(method, path)
            assert (nobody.status_code, nobody.json()["code"]) == (401, "unauthenticated"), where
            forged = bare.request(method, path, headers={"Authorization": "Bearer forged"})
            assert (forged.status_code, forged.json()["code"]) == (403, "forbidden"), where
            if method != "get":
                foreign = bare.request(method, path, headers=cookie)
                assert (foreign.status_code, foreign.json()["code"]) == (403, "foreign_origin"), where


def test_a_viewer_reads_and_changes_nothing(api: httpx.Client, site: Site) -> None:
    headers = {"Authorization": f"Bearer {token(site, 'vera')}"}
    with httpx.Client(base_url=api.base_url, headers=headers, timeout=60) as viewer:
        assert viewer.get("/renders").status_code == 200
        for template, methods in api.get("/openapi.json").json()["paths"].items():
            path = template.replace("{", "").replace("}", "")
            for method in methods.keys() - {"get"}:
                refused = viewer.request(method, path)
                told = (refused.status_code, refused.json()["code"])
                assert told == (403, "forbidden"), f"{method} {path}"


def test_a_server_that_is_told_to_stop_ends_its_streams_first(api: httpx.Client, site: Site) -> None:
    before = read_state(site.home)["sessions"]["api-server"]
    api.post("/renders", json=request(), headers={"Idempotency-Key": "three-calls"})
    begun: float | None = None
    with api.stream("GET", "/events", timeout=60) as stream:
        for _ in stream.iter_lines():
            if begun is None:
                os.kill(before, signal.SIGTERM)
                begun = time.monotonic()
    assert begun is not None
    # Airflow itself would wait for two minutes; a busy machine may take one.
    assert time.monotonic() - begun < 100
    print(f"the stream ended {time.monotonic() - begun:.1f} s after SIGTERM")

    def back() -> bool:
        state = read_state(site.home)
        again = state["sessions"].get("api-server", before) != before
        return again and state["phase"] == "healthy"

    eventually(back)
