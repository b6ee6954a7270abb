"""Documents leave through the outbox: validated, once, and not lost while MongoDB is away."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from avatarlab_ops.errors import InvariantBroken, TransientError
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores import outbox
from avatarlab_ops.stores.catalog import records, transaction
from avatarlab_ops.stores.catalog import tables as m
from avatarlab_ops.stores.documents import Documents, documents

TIMELINE = {"duration_s": 1.5, "language": "en-US", "words": [], "phones": [], "visemes": []}


def test_a_document_is_saved_once_and_found(stores: Settings) -> None:
    key = uuid.uuid4().hex
    for _ in range(2):
        documents(stores).save("timelines", key, TIMELINE)
    assert documents(stores).find("timelines", key) == TIMELINE | {"_id": key}
    assert documents(stores).database["timelines"].count_documents({"_id": key}) == 1


def test_many_who_make_the_collections_at_once_all_succeed(stores: Settings) -> None:
    """As the api-server and a task do at a site's first request."""
    many = [Documents(stores) for _ in range(8)]
    fresh = many[0].database.client.get_database(f"first_{uuid.uuid4().hex}")
    for one in many:
        one.database = one.database.client.get_database(fresh.name)
    try:
        with ThreadPoolExecutor(len(many)) as pool:
            list(pool.map(lambda one: one.create_collections(), many))
        assert "timelines" in fresh.list_collection_names()
    finally:
        many[0].database.client.drop_database(fresh.name)
        for one in many:
            one.close()


def test_the_validator_refuses_what_is_not_whole(stores: Settings) -> None:
    broken = {name: value for name, value in TIMELINE.items() if name != "words"}
    with pytest.raises(InvariantBroken, match="timelines refused"):
        documents(stores).save("timelines", "broken", broken)
    with pytest.raises(InvariantBroken, match="no collection"):
        documents(stores).save("other", "x", {})


def test_a_manifest_of_code_that_has_other_stages_is_kept_and_one_of_none_refused(stores: Settings) -> None:
    """It may wait in the outbox while code and validator are changed for newer ones, or back."""
    artifacts = {name: {"bytes": 1} for name in ("speech", "composite", "upscale", "publish")}
    manifest = {
        "manifest_version": 1, "render_id": "r", "published_at": "now", "artifacts": artifacts,
        "request": {"sha256": "", "body": {}}, "inputs": {"avatar": {}}, "outputs": {}, "measures": {},
        "code_version": "c", "environment": {},
    }  # fmt: skip
    key = uuid.uuid4().hex
    documents(stores).save("manifests", key, manifest)
    with pytest.raises(InvariantBroken, match="manifests refused"):
        documents(stores).save("manifests", key, manifest | {"artifacts": {}})
    documents(stores).database["manifests"].delete_one({"_id": key})


def test_a_server_that_is_away_keeps_the_message_waiting(stores: Settings) -> None:
    key = uuid.uuid4().hex
    with transaction(stores.pg_dsn) as db:
        outbox.post(db, "timelines", key, TIMELINE, None)
        outbox.post(db, "timelines", key, TIMELINE, None)
    away = replace(stores, mongo_uri="mongodb://127.0.0.1:9/avatarlab?directConnection=true")
    assert outbox.deliver(away) == (0, 1)
    with transaction(stores.pg_dsn) as db:
        row = db.scalars(sa.select(m.Outbox).where(m.Outbox.key == key)).one()
        assert row.last_error is not None
        assert "did not answer" in row.last_error
        assert row.next_at > records.now()
        row.next_at = records.now() - timedelta(seconds=1)
    assert outbox.deliver(stores) == (1, 0)
    assert documents(stores).find("timelines", key) is not None
    elsewhere = Documents(away)
    with pytest.raises(TransientError):
        elsewhere.find("timelines", key)
    elsewhere.close()
    documents(away).close()


def test_a_message_that_is_refused_does_not_hold_up_the_others(stores: Settings) -> None:
    good = uuid.uuid4().hex
    with transaction(stores.pg_dsn) as db:
        outbox.post(db, "timelines", "bad-" + good, {"language": ""}, None)
        outbox.post(db, "timelines", good, TIMELINE, None)
    outbox.deliver(stores)
    assert documents(stores).find("timelines", good) is not None
    assert documents(stores).find("timelines", "bad-" + good) is None
