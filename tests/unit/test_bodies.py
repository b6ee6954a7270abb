"""Whatever body FastAPI reads as JSON was looked at before, however its type is written."""

from __future__ import annotations

import json
from typing import Annotated, Any

import pytest
from avatarlab_web.api.bodies import StrictBodies
from fastapi import Body, FastAPI
from fastapi.testclient import TestClient

TWICE = '{"key": 1, "key": 2}'
READ = [  # what this FastAPI reads as JSON
    "application/json", "application/JSON", "Application/Json; charset=utf-8", " APPLICATION/json ;q=1",
    "application/vnd.of.somebody+json", "application/merge-patch+JSON",
]  # fmt: skip
TYPES = [
    *READ,
    None,
    "",
    "json",
    "text/json",
    "text/plain",
    "application/jsonx",
    "application/x-www-form-urlencoded",
]


def door(seen: list[Any] | None = None) -> TestClient:
    app = FastAPI()

    @app.post("/")
    def read(body: Annotated[Any, Body()]) -> None:
        if seen is not None:
            seen.append(body)

    if seen is None:
        app.add_middleware(StrictBodies)
    return TestClient(app)


def typed(kind: str | None) -> list[tuple[str, str]]:
    return [] if kind is None else [("Content-Type", kind)]


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig", "utf-16", "utf-32-be"])
def test_a_body_that_is_read_as_json_gives_no_key_twice(kind: str | None, coding: str) -> None:
    seen: list[Any] = []
    content = TWICE.encode(coding)
    assert door(seen).post("/", content=content, headers=typed(kind)).status_code == 200
    read = isinstance(seen[0], dict)
    assert read == (kind in READ)
    answer = door().post("/", content=content, headers=typed(kind))
    if read:
        assert (answer.status_code, "'key' twice" in answer.text) == (422, True), answer.text


@pytest.mark.parametrize("kinds", [("application/JSON", "text/plain"), ("text/plain", "application/json")])
def test_of_two_types_the_first_counts_for_both(kinds: tuple[str, str]) -> None:
    seen: list[Any] = []
    headers = [header for kind in kinds for header in typed(kind)]
    door(seen).post("/", content=TWICE, headers=headers)
    answer = door().post("/", content=TWICE, headers=headers)
    assert (answer.status_code == 422) == isinstance(seen[0], dict)


def test_what_gives_each_key_once_passes() -> None:
    assert (
        door().post("/", content=json.dumps({"key": 1}), headers=typed("Application/Json")).status_code == 200
    )
