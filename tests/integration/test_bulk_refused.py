"""Bulk files that are refused, and why, before anything starts."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa

from avatarlab_ops import pipeline
from avatarlab_ops.bulk import planning, report
from avatarlab_ops.errors import ReferenceRefused, RequestInvalid
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.catalog import tables as m
from avatarlab_ops.stores.catalog import transaction
from avatarlab_ops.stores.objects import objects, split_or_refuse

from . import material
from .api_server import serving
from .bulk_runs import asked, items_of, rows

SMALL = {"output": {"resolution": "360p", "aspect": "1:1"}}


def test_a_wrong_row_starts_nothing_unless_asked(stores: Settings, portrait: str) -> None:
    uri = rows(stores, portrait, "wrong", ["Go."] * 3)
    text = objects(stores).read(*split_or_refuse(uri)).decode().splitlines()
    text[2] = "Hi.,s3://inputs-elsewhere/a.png,360p,1:1"
    text += ["🙂,x,360p,1:1", f"Hi.,s3://{stores.bucket_inputs}/nobody.png,360p,1:1"]
    uri = material.upload(stores, "bulk/wrong2.csv", "\n".join(text).encode())
    with pytest.raises(RequestInvalid) as refused:
        planning.plan(stores, asked(file=uri), bulk_id="wrong", caller="x")
    lines = str(refused.value).splitlines()
    assert [line.partition(":")[0] for line in lines] == ["nothing was started", "line 3", "line 5", "line 6"]
    assert "nobody.png does not exist" in lines[3]
    with pytest.raises(ReferenceRefused, match="no bulk run"):
        report.status(stores, "wrong")
    outline = planning.plan(stores, asked(file=uri, partial=True), bulk_id="wrong", caller="x")
    assert (outline.items, outline.problems) == (2, 3)


def test_one_wrong_row_in_a_thousand_starts_nothing_unless_asked(stores: Settings, portrait: str) -> None:
    scripts = ["Go."] * 1000
    scripts[616] = "=cmd|'/c calc'!A1"
    uri = rows(stores, portrait, "thousand", scripts)
    before = renders_known(stores)
    with pytest.raises(RequestInvalid) as refused:
        planning.plan(stores, asked(file=uri), bulk_id="thousand", caller="x")
    first, line = str(refused.value).splitlines()
    assert (first, line.partition(" is a formula")[0]) == (
        "nothing was started:", "line 618: script: \"=cmd|'/c calc'!A1\""
    )  # fmt: skip
    assert renders_known(stores) == before
    outline = planning.plan(stores, asked(file=uri, partial=True), bulk_id="thousand", caller="x")
    assert (outline.items, outline.problems, len(items_of(stores, "thousand"))) == (999, 1, 999)


def test_a_process_checks_two_files_at_a_time_and_sends_the_next_away(
    stores: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each check holds a connection to the catalog for as long as its file lasts; others need some, too."""
    begun, let_go = threading.Semaphore(0), threading.Event()

    def slowly(*_: object, bulk_id: str, **__: object) -> planning.Outline:
        begun.release()
        let_go.wait(20)
        return planning.Outline(bulk_id, True, 0, 0, 0.0, 0)

    monkeypatch.setattr(planning, "plan", slowly)
    with serving(stores) as api, ThreadPoolExecutor(2) as pool:
        body = {"file": f"s3://{stores.bucket_inputs}/rows.csv"}
        try:
            at_work = [pool.submit(api.client.post, "/validations", json=body) for _ in range(2)]
            assert all(begun.acquire(timeout=20) for _ in at_work)
            threading.Timer(3.0, let_go.set).start()
            third = api.client.post("/validations", json=body)
        finally:
            let_go.set()
        assert (third.status_code, third.json()["code"], third.json()["retryable"]) == (429, "too_many", True)
        assert int(third.headers["retry-after"]) > 0
        assert [one.result().status_code for one in at_work] == [200, 200]
        assert api.client.post("/validations", json=body).status_code == 200


def renders_known(stores: Settings) -> int:
    with transaction(stores.pg_dsn) as db:
        return db.scalar(sa.select(sa.func.count()).select_from(m.Render)) or 0


def test_a_file_that_is_too_large_is_refused_before_it_is_read(
    stores: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = material.upload(stores, "bulk/large.csv", b"script,avatar.uri\n" + b"\0" * (64 << 20))

    def read(*_: Any, **__: Any) -> Any:
        raise AssertionError("it was read")

    monkeypatch.setattr("avatarlab_ops.stores.objects.Objects.download", read)
    monkeypatch.setattr("avatarlab_ops.stores.objects.Objects.read", read)
    for where in ({"file": uri}, {"file": "s3://inputs/x.csv", "template": uri}):
        with pytest.raises(RequestInvalid, match=r"large.csv has 67,108,882 bytes, at most 67,108,864"):
            planning.plan(stores, asked(**where), bulk_id="large", caller="x")


def test_whatever_a_row_quotes_can_be_kept_and_told(stores: Settings, portrait: str) -> None:
    right = json.dumps({"script": "Go.", "avatar": {"uri": portrait}})
    odd = [
        {"script": "Go.", "avatar": {"uri": portrait}, "hat\u0000\ud800\u202e": 1},
        {"script": "Go.", "avatar": {"uri": portrait}, "voice": "\u0000\ud800"},
        {"script": "Go.", "avatar": {"uri": portrait}, "language": "x" * 5000},
        {"key": "a\u0000", "script": "Go.", "avatar": {"uri": portrait}},
        {"script": 5, "avatar": [], "seed": float("nan")},
        {"script": [{"text": "\ud800"}], "avatar": {"uri": portrait}},
    ]
    lines = [right, *map(json.dumps, odd), right.replace("Go.", "Yes.")]
    uri = material.upload(stores, "bulk/odd.jsonl", "\n".join(lines).encode())
    outline = planning.plan(stores, asked(file=uri, partial=True), bulk_id="odd", caller="x")
    assert (outline.items, outline.problems) == (2, len(odd))
    assert [told.partition(":")[0] for told in outline.told] == [f"line {n}" for n in range(2, 8)]
    assert all(told.isprintable() and len(told) < 600 for told in outline.told)


def test_keys_name_items_and_must_differ(stores: Settings, portrait: str) -> None:
    header = "key,script,avatar.uri\n"
    row = f"one,Go.,{portrait}\n"
    uri = material.upload(stores, "bulk/keys.csv", (header + row + row).encode())
    with pytest.raises(RequestInvalid, match="line 3: key: 'one' was used on line 2"):
        planning.plan(stores, asked(file=uri), bulk_id="keys", caller="x")


def test_a_rows_own_idempotency_key_names_one_request(stores: Settings, portrait: str) -> None:
    """Of the file, and of all that its caller asked for before; also with a language's tail."""
    before = {"script": "Asked before.", "avatar": {"uri": portrait}, "idempotency_key": "taken"}
    pipeline.submit(stores, before, caller="x")
    own = ["a,mine,Go.", "b,mine,Go.", "c,taken,Go.", "d,other,Go."]
    text = "\n".join(["key,idempotency_key,script,avatar.uri", *(f"{row},{portrait}" for row in own)])
    uri = material.upload(stores, "bulk/own-keys.csv", text.encode())
    with pytest.raises(RequestInvalid) as refused:
        planning.plan(stores, asked(file=uri), bulk_id="own-keys", caller="x")
    assert [line.partition(";")[0] for line in str(refused.value).splitlines()[1:]] == [
        "line 3: idempotency_key: 'mine' was used on line 2",
        "line 4: idempotency_key 'taken' was used for another request (without Airflow)",
    ]
    with pytest.raises(RequestInvalid, match="idempotency_key"):
        planning._draft("line 2, de", 2, before | {"idempotency_key": "k" * 199}, None, "de")
