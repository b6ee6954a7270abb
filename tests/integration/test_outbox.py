"""The relay: every message arrives, in a render's order, whatever is refused, away or killed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from avatarlab_ops import events, pipeline
from avatarlab_ops.cli import main
from avatarlab_ops.cli import outbox as commands
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores import outbox
from avatarlab_ops.stores.catalog import records, transaction
from avatarlab_ops.stores.catalog import tables as m
from avatarlab_ops.stores.documents import documents

from .graphs import add_artifact, sha

TIMELINE = {"duration_s": 1.5, "language": "en-US", "words": [], "phones": [], "visemes": []}
POISON: dict[str, Any] = {"language": ""}


def _render(stores: Settings) -> str:
    """A render whose own events are delivered."""
    avatar = {"uri": f"s3://{stores.bucket_inputs}/a.png"}
    render_id = pipeline.submit(stores, {"script": "Hello.", "avatar": avatar})
    outbox.deliver(stores, render_id=render_id)
    return render_id


def _post(stores: Settings, render_id: str | None, *payloads: dict[str, Any]) -> list[str]:
    keys = [uuid.uuid4().hex for _ in payloads]
    with transaction(stores.pg_dsn) as db:
        for key, payload in zip(keys, payloads, strict=True):
            outbox.post(db, "timelines", key, payload, render_id)
    return keys


def _row(stores: Settings, key: str) -> m.Outbox:
    with transaction(stores.pg_dsn) as db:
        return db.scalars(sa.select(m.Outbox).where(m.Outbox.key == key)).one()


def _try_again(stores: Settings, key: str) -> None:
    """As if its delay had passed."""
    with transaction(stores.pg_dsn) as db:
        db.execute(sa.update(m.Outbox).where(m.Outbox.key == key).values(next_at=records.now()))
    outbox.deliver(stores)


def _arrived(stores: Settings, keys: list[str]) -> list[bool]:
    return [documents(stores).find("timelines", key) is not None for key in keys]


def test_a_poison_message_holds_up_its_own_render_only_and_only_until_it_is_dead(stores: Settings) -> None:
    keys = _post(stores, _render(stores), POISON, TIMELINE)
    others = _post(stores, _render(stores), TIMELINE) + _post(stores, None, TIMELINE)
    outbox.deliver(stores)
    assert _arrived(stores, others) == [True, True]
    assert _arrived(stores, keys) == [False, False]
    delays = []
    while (row := _row(stores, keys[0])).dead_at is None:
        delays.append((row.next_at - records.now()).total_seconds())
        _try_again(stores, keys[0])
    assert len(delays) == outbox.TRIES - 1
    assert delays == sorted(delays)
    assert delays[0] < 6 < delays[-1]
    assert _arrived(stores, keys) == [False, True]
    assert row.last_error is not None
    assert "refused" in row.last_error


def test_dead_messages_are_listed_and_replayed(stores: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "known_stores", lambda: stores)
    monkeypatch.setattr(outbox, "TRIES", 1)
    one, two = _post(stores, None, POISON, POISON)
    outbox.deliver(stores)
    listed = CliRunner().invoke(main, ["outbox", "list", "--dead"]).stdout
    assert one in listed
    assert two in listed
    assert "refused the document" in listed
    with transaction(stores.pg_dsn) as db:  # the cause is corrected
        db.execute(sa.update(m.Outbox).where(m.Outbox.key.in_([one, two])).values(payload=TIMELINE))
    told = CliRunner().invoke(main, ["outbox", "replay", str(_row(stores, one).id)]).stdout
    assert told.startswith("1 revived, 1 delivered")
    assert _arrived(stores, [one, two]) == [True, False]
    CliRunner().invoke(main, ["outbox", "replay", "--all"])
    assert _arrived(stores, [one, two]) == [True, True]
    assert CliRunner().invoke(main, ["outbox", "replay"]).exit_code == 2


def test_a_defect_in_a_message_does_not_stop_the_relay(stores: Settings) -> None:
    huge = {"words": ["x" * (1 << 20)] * 17}  # beyond what a document may hold
    bad, good = _post(stores, None, TIMELINE | huge, TIMELINE)
    outbox.deliver(stores)
    assert _arrived(stores, [bad, good]) == [False, True]
    assert "cannot hold" in str(_row(stores, bad).last_error)


def test_a_receiver_that_is_away_never_makes_a_dead_letter(stores: Settings) -> None:
    (key,) = _post(stores, None, TIMELINE)
    away = replace(stores, mongo_uri="mongodb://127.0.0.1:9/avatarlab?directConnection=true")
    with transaction(stores.pg_dsn) as db:
        db.execute(sa.update(m.Outbox).where(m.Outbox.key == key).values(attempts=100))
    outbox.deliver(away)
    documents(away).close()
    assert _row(stores, key).dead_at is None
    _try_again(stores, key)
    assert _arrived(stores, [key]) == [True]


def test_many_relays_keep_the_order_of_every_render(
    stores: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    save = outbox._save

    def noted(settings: Settings, topic: str, key: str, payload: dict[str, Any]) -> None:
        sent.append(key)
        save(settings, topic, key, payload)

    monkeypatch.setattr(outbox, "_save", noted)
    renders = [_render(stores) for _ in range(4)]
    keys: dict[str, list[str]] = {render_id: [] for render_id in renders}
    for _ in range(8):
        for render_id in renders:
            keys[render_id] += _post(stores, render_id, TIMELINE)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: outbox.deliver(stores), range(4)))
    outbox.deliver(stores)
    for render_id in renders:
        assert [key for key in sent if key in keys[render_id]] == keys[render_id]


KILLED = """
import json, os, signal, sys
from pathlib import Path
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores import outbox
known = json.loads(sys.stdin.readline())
save = outbox._save
def save_and_die(*message):
    save(*message)
    os.kill(os.getpid(), signal.SIGKILL)
outbox._save = save_and_die
outbox.deliver(Settings(**known | {"home": Path(known["home"])}))
"""


def test_a_relay_killed_between_delivery_and_commit_delivers_twice_without_harm(stores: Settings) -> None:
    keys = _post(stores, _render(stores), TIMELINE, TIMELINE)
    known = json.dumps(asdict(stores) | {"home": str(stores.home)})
    worker = subprocess.run([sys.executable, "-c", KILLED], input=known, text=True, check=False)
    assert worker.returncode == -signal.SIGKILL
    assert _arrived(stores, keys) == [True, False]
    assert _row(stores, keys[0]).delivered_at is None
    outbox.deliver(stores)
    assert _arrived(stores, keys) == [True, True]
    assert _row(stores, keys[0]).delivered_at is not None
    assert documents(stores).database["timelines"].count_documents({"_id": {"$in": keys}}) == 2


def test_delivered_messages_are_forgotten_others_kept(stores: Settings) -> None:
    (delivered,) = _post(stores, None, TIMELINE)
    outbox.deliver(stores)
    (waiting,) = _post(stores, None, POISON)
    assert outbox.forget(stores, older_than_s=3600) == 0
    assert outbox.forget(stores, older_than_s=-1) >= 1
    with transaction(stores.pg_dsn) as db:
        left = db.scalars(sa.select(m.Outbox.key)).all()
    assert delivered not in left
    assert waiting in left


def test_a_run_is_told_through_the_transport_of_openlineage(stores: Settings, tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    transport = {"type": "file", "log_file_path": str(file), "append": True}
    told = replace(stores, openlineage=json.dumps(transport))
    avatar = {"uri": f"s3://{stores.bucket_inputs}/a.png"}
    render_id = pipeline.submit(told, {"script": "Hello.", "avatar": avatar}, run_id=f"ol-{uuid.uuid4()}")
    pipeline.fail(told, render_id, "the avatar was lost")
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    mine = [event for event in lines if event["run"]["facets"]["avatarlab_render"]["renderId"] == render_id]
    assert [event["eventType"] for event in mine] == ["START", "FAIL"]
    assert len({event["run"]["runId"] for event in mine}) == 1
    assert mine[1]["run"]["facets"]["errorMessage"]["message"] == "the avatar was lost"
    kept = documents(stores).find("lineage_events", f"{render_id}:FAIL")
    assert kept is not None
    mine[1]["run"]["facets"].pop("tags")  # the client names itself in what it sends
    assert {name: value for name, value in kept.items() if name != "_id"} == mine[1]


@pytest.fixture
def marquez() -> Iterator[tuple[str, dict[str, Any]]]:
    """A lineage server that answers as it is told, and its address."""
    told: dict[str, Any] = {"status": 201, "events": []}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told["events"].append(json.loads(body)["eventType"])
            self.send_response(told["status"])
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", told
        server.shutdown()
        thread.join()


def test_a_lineage_server_that_refuses_holds_up_no_document(
    stores: Settings, marquez: tuple[str, dict[str, Any]]
) -> None:
    address, server = marquez
    server["status"] = 422
    transport = {"type": "http", "url": address}
    told = replace(stores, openlineage=json.dumps(transport))
    avatar = {"uri": f"s3://{stores.bucket_inputs}/a.png"}
    render_id = pipeline.submit(told, {"script": "Hello.", "avatar": avatar}, run_id=f"ol-{uuid.uuid4()}")
    pipeline.cancel(told, render_id)
    assert documents(stores).find("lineage_events", f"{render_id}:ABORT") is not None
    with transaction(stores.pg_dsn) as db:
        query = sa.select(m.Outbox).where(m.Outbox.render_id == render_id, m.Outbox.topic == "openlineage")
        start, abort = db.scalars(query.order_by(m.Outbox.id)).all()
    assert "422" in str(start.last_error)
    assert abort.attempts == 0  # it waits behind the first
    server["status"], server["events"] = 201, []
    with transaction(stores.pg_dsn) as db:
        db.execute(sa.update(m.Outbox).where(m.Outbox.id == start.id).values(next_at=records.now()))
    outbox.deliver(told)
    assert server["events"] == ["START", "ABORT"]


def test_a_stage_is_told_with_its_record_or_not_at_all_and_once(stores: Settings) -> None:
    told = replace(stores, openlineage='{"type": "console"}')
    render_id = pipeline.submit(
        stores, {"script": "Told.", "avatar": {"uri": f"s3://{stores.bucket_inputs}/a"}}
    )
    with transaction(stores.pg_dsn) as db:
        source = {"role": "avatar", "uri": "s3://inputs/me.png", "sha256": sha("me.png"), "bytes": 1}
        db.add(m.RenderInput(render_id=render_id, **source))
        add_artifact(db, "track", inputs=["me.png"])
        film = add_artifact(db, "film", sources=["track"], inputs=["me.png", "of nobody"])

    def messages() -> list[dict[str, Any]]:
        mine = sa.select(m.Outbox.payload).where(m.Outbox.key == f"{render_id}:composite:COMPLETE")
        with transaction(stores.pg_dsn) as db:
            return list(db.scalars(mine))

    with transaction(stores.pg_dsn) as db:  # its process dies before the commit
        events.stage_done(db, told, render_id, "composite", artifact=film)
        db.rollback()
    with transaction(stores.pg_dsn) as db:
        assert (messages(), records.stage_runs(db, render_id)) == ([], {})
    for cached in (False, True):  # made, killed before Airflow knew, and found
        with transaction(stores.pg_dsn) as db:
            events.stage_done(db, told, render_id, "composite", cached=cached, artifact=film, compute_s=2.5)
    [said] = messages()
    facet = said["run"]["facets"]["avatarlab_stage"]
    assert (facet["renderId"], facet["cached"], facet["computeS"]) == (render_id, False, 2.5)
    assert [one["name"] for one in said["inputs"]] == ["track", "me.png"]
    assert [one["name"] for one in said["outputs"]] == ["film"]
    pipeline.cancel(stores, render_id)
