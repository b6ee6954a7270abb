"""The HTTP API in the running Airflow: three calls to a video, and nobody enters who may not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from kit.eventually import eventually
from running_site import Site, request

from avatarlab_ops.errors import InputError

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


def test_cancel_ends_the_render_and_its_run(api: httpx.Client, site: Site) -> None:
    long = request(script="This is one of many sentences. " * 200)
    ordered = api.post("/renders", json=long, headers={"Idempotency-Key": "to-cancel"}).json()
    # The order is carried out after the answer.
    run = eventually(lambda: site.client.run(ordered["run_id"]), InputError)
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
