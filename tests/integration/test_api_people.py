"""Consents, feedback, validations and event streams through the HTTP API."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from avatarlab_web import starting

from avatarlab_ops import pipeline
from avatarlab_ops.bulk import planning
from avatarlab_ops.bulk.contract import BulkRequest
from avatarlab_ops.graph import STAGES
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.catalog import tables as m
from avatarlab_ops.stores.catalog import transaction
from avatarlab_ops.stores.objects import objects

from . import material
from .api_server import Server, serving


@pytest.fixture
def api(stores: Settings) -> Iterator[Server]:
    with serving(stores) as server:
        yield server


@pytest.fixture(scope="module")
def published(stores: Settings, portrait: str) -> str:
    small = {"resolution": "360p", "fps": 24}
    asked = {"script": "Hello.", "avatar": {"uri": portrait}, "output": small}
    return pipeline.render(stores, asked, caller="anna").render_id


def put(api: Server, content: bytes, name: str, **other: Any) -> Any:
    digest = hashlib.sha256(content).hexdigest()
    coming = {"name": name, "bytes": len(content), "type": "application/pdf", "sha256": digest} | other
    awaited = api.client.post("/uploads", json=coming).json()
    assert httpx.put(awaited["url"], content=content, headers=awaited["headers"]).is_success
    purpose = {"purpose": other.get("purpose", "input")}
    return api.client.post(f"/uploads/{awaited['id']}/complete", params=purpose).json()


def test_a_consent_with_evidence_lets_a_likeness_be_used_until_it_is_revoked(api: Server) -> None:
    picture = put(api, material.png(material.astronaut()[:, ::-1]), "mirrored.png")
    asked = {"script": "Hello.", "avatar": {"uri": picture["uri"]}}
    refused = api.client.post("/estimates", json=asked)
    assert (refused.status_code, refused.json()["code"]) == (422, "consent")

    evidence = put(api, b"%PDF signed", "leave.pdf", purpose="evidence")
    new = {"material": picture["uri"], "subject": "Eileen", "evidence": evidence["uri"]}
    made = api.client.post("/consents", json=new)
    assert made.status_code == 201, made.text
    told = made.json()
    assert (told["state"], told["proof"], told["recorded_by"]) == ("valid", "document", "anna")
    assert api.client.post("/estimates", json=asked).status_code == 200
    order = api.order(asked, "on-consent").json()
    assert told["id"] in {one["id"] for one in api.client.get("/consents").json()}

    api.name = "berta"
    foreign = api.client.post(f"/consents/{told['id']}/revoke")
    assert (foreign.status_code, foreign.json()["code"]) == (403, "not_yours")
    api.name = "anna"
    assert api.client.post(f"/consents/{told['id']}/revoke").json()["videos"] == []
    refused = api.order(asked, "after")
    assert (refused.status_code, refused.json()["code"]) == (422, "consent")
    assert api.client.get(f"/renders/{order['id']}").json()["state"] == "accepted"  # admission will refuse it
    for no_proof in (picture["uri"], evidence["uri"].replace("leave.pdf", "nosuch.pdf")):
        named = api.client.post("/consents", json=new | {"evidence": no_proof})
        assert named.json()["code"] == "reference_refused"


def test_a_consent_is_proved_by_an_own_document_and_its_address_is_nobodys(
    api: Server, stores: Settings
) -> None:
    portrait = put(api, material.png(material.astronaut()[7:]), "seven.png")["uri"]
    voice = {"material": "hibari/heart", "kind": "voice", "subject": "Rosa"}
    annas = put(api, b"%PDF signed by Rosa", "rosa-maria.pdf", purpose="evidence")["uri"]
    likeness = {"material": portrait, "subject": "Eileen", "evidence": annas}
    assert api.client.post("/consents", json=likeness).status_code == 201
    asked = {"script": "Hi.", "avatar": {"uri": portrait}, "output": {"resolution": "360p", "fps": 24}}
    render_id = api.order(asked, "proved").json()["id"]
    pipeline.run_stage(stores, render_id, "admit")
    told = api.client.get(f"/renders/{render_id}/lineage").json()["consents"].values()
    assert hashlib.sha256(b"%PDF signed by Rosa").hexdigest() in {one["document_sha256"] for one in told}
    assert "rosa-maria" not in json.dumps(list(told))

    api.name = "berta"
    refused = api.client.post("/consents", json=voice | {"evidence": annas})
    assert (refused.status_code, refused.json()["code"]) == (422, "reference_refused")
    assert "not an upload of yours" in refused.json()["detail"]


@pytest.mark.parametrize("end", ["valid_from", "valid_until"])
def test_a_date_of_a_consent_needs_a_time_zone(api: Server, end: str) -> None:
    new = {"material": "hibari/heart", "kind": "voice", "subject": "Rosa", "licence": "CC0"}
    refused = api.client.post("/consents", json=new | {end: "2030-01-01T00:00:00"})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, end)
    assert "2027-01-31T00:00:00Z" in refused.json()["errors"][0]["detail"]
    assert api.client.post("/consents", json=new | {end: "2030-01-01T00:00:00Z"}).status_code == 201


def test_feedback_replaces_what_was_said_before(api: Server, published: str) -> None:
    path = f"/renders/{published}/feedback"
    assert api.client.put(path, json={"ratings": {"lips": 3}}).status_code == 422
    api.client.put(path, json={"ratings": {"video": 2}})
    given = api.client.put(path, json={"ratings": {"video": 4, "lips": 5}})
    assert given.status_code == 200, given.text
    (said,) = api.client.get(path).json()
    assert (said["caller"], said["ratings"]) == ("anna", {"video": 4, "lips": 5})
    assert {one["aspect"] for one in api.client.get("/feedback").json()} >= {"video", "lips"}


def test_a_file_is_checked_line_by_line_and_nothing_starts(
    api: Server, stores: Settings, portrait: str
) -> None:
    rows = [{"script": "One.", "avatar.uri": portrait}, {"script": "", "avatar.uri": portrait}]
    lines = "\n".join(json.dumps(row) for row in rows).encode()
    objects(stores).put_if_absent(stores.bucket_inputs, "rows.jsonl", lines)
    told = api.client.post("/validations", json={"file": f"s3://{stores.bucket_inputs}/rows.jsonl"})
    assert told.status_code == 200, told.text
    assert (told.json()["items"], told.json()["problems"]) == (1, 1)
    assert told.json()["told"][0].startswith("line 2: script")
    with transaction(stores.pg_dsn) as db:
        assert not db.scalars(sa.select(m.BulkRun)).all()


def test_a_bulk_run_that_is_planned_while_it_is_cancelled_ends(
    api: Server, stores: Settings, portrait: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Airflow, which lets a task write its last transaction while it is stopped, is stood in for."""
    rows = json.dumps({"script": "One.", "avatar.uri": portrait}).encode()
    objects(stores).put_if_absent(stores.bucket_inputs, "one.jsonl", rows)
    asked = BulkRequest(file=f"s3://{stores.bucket_inputs}/one.jsonl")

    def stop(run_id: str, _dag: str) -> None:
        planning.plan(stores, asked, bulk_id=run_id, caller="anna")

    began = starting.Run("running", {}, "anna", None, datetime.now(UTC))
    monkeypatch.setattr(starting, "look", lambda *_: began)
    monkeypatch.setattr(starting, "stop", stop)
    told = api.client.post("/bulk-runs/late/cancel").json()
    assert (told["state"], told["states"]) == ("ended", {"cancelled": 1})


def test_cancel_ends_the_airflow_run_that_works_on_a_bulk_run_whatever_that_is_called(
    api: Server, stores: Settings, portrait: str, published: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Begun by Airflow's form under a name; Airflow is stood in for. Its report links what was published."""
    rows = b"\n".join(
        json.dumps({"script": f"{n}.", "avatar.uri": portrait}).encode() for n in ("Two", "Ten")
    )
    objects(stores).put_if_absent(stores.bucket_inputs, "two.jsonl", rows)
    asked = BulkRequest(file=f"s3://{stores.bucket_inputs}/two.jsonl")
    planning.plan(stores, asked, bulk_id="spring", caller="anna", run_id="manual__2027-01-29")
    with transaction(stores.pg_dsn) as db:
        first = sa.update(m.BulkItem).where(m.BulkItem.bulk_id == "spring", m.BulkItem.number == 1)
        db.execute(first.values(render_id=published, state="published"))
    stopped: list[str] = []
    monkeypatch.setattr(starting, "stop", lambda run_id, _dag: stopped.append(run_id))
    told = api.client.post("/bulk-runs/spring/cancel").json()
    assert (told["state"], stopped) == ("ended", ["manual__2027-01-29"])
    report = json.loads(objects(stores).read(stores.bucket_outputs, "bulk/spring/report.json"))
    links = [str(item["link"]).partition("://")[2].partition("/")[2] for item in report["items"]]
    assert links == [f"avatarlab/renders/{published}/video", ""]


def test_the_stream_of_an_ended_render_tells_its_end_and_then_nothing(api: Server, published: str) -> None:
    path = f"/renders/{published}/events"
    stream = api.client.get(path)
    assert stream.headers["content-type"].startswith("text/event-stream")
    fields = dict(line.split(": ", 1) for line in stream.text.splitlines() if ": " in line)
    assert fields["event"] == "render"
    told = json.loads(fields["data"])
    assert (told["id"], told["state"]) == (published, "published")
    later = {"Last-Event-ID": "2999-01-01T00:00:00+00:00"}
    assert api.client.get(path, headers=later).status_code == 204


def test_the_stream_of_a_withdrawn_render_tells_it_and_then_nothing(
    api: Server, stores: Settings, published: str
) -> None:
    with transaction(stores.pg_dsn) as db:
        ended = db.get_one(m.Render, published).ended_at
        assert ended
        at = ended + timedelta(days=1)
        db.execute(sa.update(m.Render).where(m.Render.id == published).values(withdrawn_at=at))
    path = f"/renders/{published}/events"
    try:
        before = {"Last-Event-ID": (at - timedelta(hours=1)).isoformat()}
        assert at.isoformat()[:16] in api.client.get(path, headers=before).text
        after = {"Last-Event-ID": (at + timedelta(hours=1)).isoformat()}
        assert api.client.get(path, headers=after).status_code == 204
    finally:
        with transaction(stores.pg_dsn) as db:
            db.execute(sa.update(m.Render).where(m.Render.id == published).values(withdrawn_at=None))
    for given in ("7", "0001-01-01T00:00:00+14:00", "9999-12-31T23:00:00-14:00"):
        assert api.client.get(path, headers={"Last-Event-ID": given}).status_code == 400
    assert api.client.get("/renders/nosuch/events").status_code == 404


EVIL = "x\x1b]0;pwned\x07"


@pytest.mark.parametrize("words", [EVIL, "fine\npublished fake", "\x9b31m", "\u202eright to left"])
def test_words_that_a_terminal_would_obey_are_refused_at_each_door(
    api: Server, stores: Settings, published: str, words: str
) -> None:
    api.roles |= {"operator"}
    leave = {"material": "hibari/heart", "kind": "voice", "subject": "Rosa", "licence": "CC0"}
    doors = {
        "DELETE output": api.client.delete(f"/renders/{published}/output", params={"reason": words}),
        "refuse": api.client.post(f"/renders/{published}/refuse", params={"reason": words}),
        "revoke": api.client.post("/consents/nobodys/revoke", params={"reason": words}),
        "subject": api.client.post("/consents", json=leave | {"subject": words}),
        "label": api.client.post("/consents", json=leave | {"labels": {"campaign": words}}),
        "label's name": api.client.post("/consents", json=leave | {"labels": {words: "spring"}}),
        "language": api.client.post("/consents", json=leave | {"languages": [words]}),
    }
    assert {door: answer.status_code for door, answer in doors.items()} == dict.fromkeys(doors, 422)
    told = [answer.json()["detail"] for answer in doors.values()]
    assert all("control character U+" in one and one.isprintable() for one in told), told
    assert api.client.get(f"/renders/{published}").json()["state"] == "published"
    assert not any("withdrawn" in str(one) for one in api.client.get(f"/renders/{published}").json()["links"])


def test_a_stream_that_was_cut_off_catches_up_within_bounds(
    stores: Settings, portrait: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A quarter of an hour and so many renders, each with its own stages; never all that ever ended."""
    from avatarlab_web.api import events

    now = datetime.now(UTC)
    asked = {"avatar": {"uri": portrait}}
    ids = [pipeline.submit(stores, asked | {"script": f"Ended {number}."}) for number in range(3)]
    with transaction(stores.pg_dsn) as db:
        for number, render_id in enumerate(ids):
            ended = {"state": "failed", "ended_at": now - timedelta(minutes=2 + number)}
            db.execute(sa.update(m.Render).where(m.Render.id == render_id).values(ended))
            stage = {"stage": STAGES[number], "state": "failed", "attempt": number + 1, "host": "here"}
            db.add(m.StageRun(render_id=render_id, **stage))

    def told(away: timedelta) -> dict[str, list[int]]:
        found = events._missed(stores, now - away)
        return {one.render.id: [s.attempt for s in one.stages] for one in found if one.render.id in ids}

    first, second, third = ids
    missed = told(timedelta(minutes=3, seconds=30))
    assert missed.keys() == {first, second}
    assert [missed[one].index(number) for number, one in ((1, first), (2, second))] == [0, 1]
    assert told(timedelta(minutes=14)).keys() == set(ids)
    for away in (timedelta(seconds=1), timedelta(minutes=16), timedelta(days=1), timedelta(days=9999)):
        assert told(away) == {}
    monkeypatch.setattr(events, "MOST", 1)
    assert told(timedelta(minutes=14)).keys() == {third}
