"""Housekeeping on real stores: finds and repairs what is planted, and leaves alone what lives or is kept."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from avatarlab_ops import cli, housekeeping, pipeline
from avatarlab_ops.cli import common
from avatarlab_ops.errors import InvariantBroken, WorkInFlight
from avatarlab_ops.housekeeping import Chore, Rules, keep_house
from avatarlab_ops.housekeeping.chore import Job
from avatarlab_ops.housekeeping.clean import deliveries
from avatarlab_ops.housekeeping.ended import expired
from avatarlab_ops.housekeeping.evict import by_age, by_size
from avatarlab_ops.renders import status
from avatarlab_ops.settings import Settings
from avatarlab_ops.stages import context, publish
from avatarlab_ops.stores import webhooks
from avatarlab_ops.stores.catalog import engine, lock, records, transaction, upkeep
from avatarlab_ops.stores.catalog import tables as m
from avatarlab_ops.stores.objects import objects, split_or_refuse
from avatarlab_ops.trust import signing, tombstones

from . import material

NOW = Rules(intermediates=timedelta(0), idle=timedelta(0), settle=timedelta(0))
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def video(stores: Settings, portrait: str) -> status.Published:
    return pipeline.render(stores, material.asked(portrait))


def _found(chores: list[Chore], name: str) -> Chore:
    return next(chore for chore in chores if name in chore.name)


def _exists(stores: Settings, uri: str) -> bool:
    return objects(stores).head(*split_or_refuse(uri)) is not None


def _artifact(stores: Settings, fingerprint: str) -> m.Artifact:
    with transaction(stores.pg_dsn) as db:
        found = records.find_artifact(db, fingerprint)
        assert found is not None
        return found


def _spoken(stores: Settings, portrait: str, script: str) -> m.Artifact:
    """The speech of a render that was cancelled: an artifact that nothing needs."""
    render_id = pipeline.submit(stores, material.asked(portrait, script))
    pipeline.run_stage(stores, render_id, "admit")
    made = pipeline.run_stage(stores, render_id, "speech").artifact
    pipeline.cancel(stores, render_id)
    assert made is not None
    return _artifact(stores, made)


def _forget(stores: Settings, artifact: m.Artifact) -> None:
    """Lose its record."""
    with transaction(stores.pg_dsn) as db:
        db.execute(sa.delete(m.StageRun).where(m.StageRun.artifact == artifact.fingerprint))
        db.execute(sa.delete(m.ArtifactInput).where(m.ArtifactInput.artifact == artifact.fingerprint))
        db.execute(sa.delete(m.Artifact).where(m.Artifact.fingerprint == artifact.fingerprint))


def _everything(stores: Settings) -> dict[str, Any]:
    """Every row of every table, and every object."""
    found: dict[str, Any] = {}
    with engine(stores.pg_dsn).connect() as connection:
        for table in m.Base.metadata.sorted_tables:
            rows = connection.execute(sa.select(table)).all()
            found[table.name] = sorted(repr(row) for row in rows)
    for bucket in stores.buckets:
        found[bucket] = [(one.key, one.bytes, one.modified_at) for one in objects(stores).listed(bucket)]
    return found


def _plant(stores: Settings, portrait: str, video: status.Published) -> dict[str, Any]:
    """Something wrong of every kind."""
    store, artifacts, outputs = objects(stores), stores.bucket_artifacts, stores.bucket_outputs
    forgotten, unmarked, emptied = (
        _spoken(stores, portrait, f"Number {n}.") for n in ("one", "two", "three")
    )
    _forget(stores, forgotten)
    store.delete(artifacts, unmarked.key)
    for key in list(store.keys(artifacts, emptied.key.removesuffix("artifact.json"))):
        store.delete(artifacts, key)
    nobody = hashlib.sha256(b"torn").hexdigest()
    torn = f"speech/{nobody[:2]}/{nobody}/abc/speech.wav"
    store.put_if_absent(artifacts, torn, b"half an attempt")
    store.put_if_absent(artifacts, "somebody/elses.bin", b"x")
    stray = f"renders/{video.render_id}/stray.mp4"
    store.put_if_absent(outputs, stray, b"nobody published this")
    store.put_if_absent(outputs, "renders/unknown/video.mp4", b"another catalog's")
    store.put_if_absent(outputs, f"renders/{video.render_id}/older.mp4", b"deleted, but not in every version")
    store.client.delete_object(Bucket=outputs, Key=f"renders/{video.render_id}/older.mp4")
    for uri in (video.video_uri, video.manifest_uri):
        store.delete(*split_or_refuse(uri))
    (stores.home / "work" / "speech-killed").mkdir(parents=True)
    return {"forgotten": forgotten, "unmarked": unmarked, "emptied": emptied, "torn": torn, "stray": stray}


def test_orphans_in_each_direction_are_found_then_repaired(
    stores: Settings, portrait: str, video: status.Published
) -> None:
    before = objects(stores).head(*split_or_refuse(video.video_uri))
    planted = _plant(stores, portrait, video)
    rules = Rules(settle=timedelta(0))
    state = _everything(stores)
    dry = keep_house(stores, rules)
    assert _everything(stores) == state, "a dry run changed something"
    told = _found(dry, "artifacts whose")
    assert (told.found, told.done) == (5, 0)
    assert told.bytes > 0
    wet = keep_house(stores, rules, apply=True)
    assert (_found(wet, "artifacts whose").found, _found(wet, "artifacts whose").done) == (5, 4)
    assert _artifact(stores, planted["forgotten"].fingerprint).sha256 == planted["forgotten"].sha256
    assert _artifact(stores, planted["emptied"].fingerprint).evicted_at is not None
    store, bucket = objects(stores), stores.bucket_artifacts
    assert json.loads(store.read(bucket, planted["unmarked"].key))["sha256"] == planted["unmarked"].sha256
    assert store.head(bucket, planted["torn"]) is None
    assert store.head(bucket, "somebody/elses.bin") is not None
    assert store.head(stores.bucket_outputs, planted["stray"]) is None
    assert _found(wet, "deleted files").done == 1
    assert list(store.hidden(stores.bucket_outputs)) == []
    assert _exists(stores, f"s3://{stores.bucket_outputs}/renders/unknown/video.mp4")
    after = objects(stores).head(*split_or_refuse(video.video_uri))
    assert before is not None
    assert after is not None
    assert after.sha256 == before.sha256
    assert hashlib.sha256(store.read(*split_or_refuse(video.manifest_uri))).hexdigest() == _sha(stores, video)
    again = keep_house(stores, rules, apply=True)
    assert sum(chore.done for chore in again) == 0, "a second look found what the first one had put right"


@pytest.mark.parametrize("older", [False, True], ids=["signed", "published before an artifact was kept"])
def test_a_lost_video_comes_back_with_the_bytes_that_were_published(
    stores: Settings, portrait: str, monkeypatch: pytest.MonkeyPatch, *, older: bool
) -> None:
    if older:
        monkeypatch.setattr(publish, "signed", lambda *_: ({}, {"signed": False}))
    made = pipeline.render(stores, material.asked(portrait))
    place = split_or_refuse(made.video_uri)
    shown = objects(stores).read(*place)
    assert (made.render_id.encode() in shown) is not older
    with transaction(stores.pg_dsn) as db:
        own = records.artifacts_of(db, made.render_id)["publish"]
        assert own.files["video.mp4"]["sha256"] == hashlib.sha256(shown).hexdigest()
        assert own.bytes == (0 if older else len(shown)), "what is as it was is not stored twice"
        if older:
            mine = sa.and_(m.StageRun.render_id == made.render_id, m.StageRun.stage == "publish")
            db.execute(sa.update(m.StageRun).where(mine).values(artifact=None))
    keep_house(stores, NOW, apply=True)
    objects(stores).delete(*place)
    keep_house(stores, NOW, apply=True)
    assert objects(stores).read(*place) == shown


def _sha(stores: Settings, video: status.Published) -> str:
    with transaction(stores.pg_dsn) as db:
        return records.published_files(db, video.render_id)["manifest.json"].sha256


def test_what_was_given_up_is_made_again(stores: Settings, portrait: str, video: status.Published) -> None:
    spare = _spoken(stores, portrait, "Once more.")
    done = by_age(Job(stores, NOW, True, lambda _: None))
    assert any(spare.fingerprint in note for note in done.notes)
    assert _artifact(stores, spare.fingerprint).evicted_at is not None
    assert not list(objects(stores).keys(stores.bucket_artifacts, spare.key.removesuffix("artifact.json")))
    again = _spoken(stores, portrait, "Once more.")
    assert again.fingerprint == spare.fingerprint
    assert again.evicted_at is None
    assert objects(stores).head(stores.bucket_artifacts, again.key) is not None
    with transaction(stores.pg_dsn) as db:
        for kept in records.artifacts_of(db, video.render_id).values():
            assert kept.evicted_at is None
            assert objects(stores).head(stores.bucket_artifacts, kept.key) is not None


def test_what_was_just_used_is_left_alone(stores: Settings, portrait: str) -> None:
    spare = _spoken(stores, portrait, "Just used.")
    by_age(Job(stores, Rules(intermediates=timedelta(0)), True, lambda _: None))
    assert _artifact(stores, spare.fingerprint).evicted_at is None


def test_beyond_the_size_the_longest_unused_go_first(stores: Settings, portrait: str) -> None:
    old, new = (_spoken(stores, portrait, f"Size {n}.") for n in ("one", "two"))
    with transaction(stores.pg_dsn) as db:
        total = int(
            db.scalar(sa.select(sa.func.sum(m.Artifact.bytes)).where(m.Artifact.evicted_at.is_(None)))
        )
        db.execute(sa.update(m.Artifact).values(used_at=records.now()))
        past = records.now() - HOUR
        db.execute(
            sa.update(m.Artifact).where(m.Artifact.fingerprint == old.fingerprint).values(used_at=past)
        )
    rules = Rules(max_bytes=total - 1, settle=timedelta(0))
    assert by_size(Job(stores, rules, True, lambda _: None)).done == 1
    assert _artifact(stores, old.fingerprint).evicted_at is not None
    assert _artifact(stores, new.fingerprint).evicted_at is None


def test_a_video_past_its_retention_is_withdrawn_and_a_tombstone_signed_once_somebody_can(
    stores: Settings, portrait: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = pipeline.render(stores, material.asked(portrait, labels={"retention": "2d"}))
    with transaction(stores.pg_dsn) as db:
        records.find(db, made.render_id).ended_at = records.now() - timedelta(days=3)
    assert _found(keep_house(stores), "retention").found == 1
    assert _exists(stores, made.video_uri)
    with monkeypatch.context() as nobody:
        nobody.setenv("AVATARLAB_SIGNING_CERTIFICATE", "/nowhere.pem")  # without its key
        keep_house(stores, apply=True, by_itself=True)
    assert not _exists(stores, made.video_uri)
    assert status.of(stores, made.render_id).withdrawn_reason == "its retention was 2d"
    assert _found(keep_house(stores, apply=True, by_itself=True), "tombstone").done >= 1
    with transaction(stores.pg_dsn) as db:
        stone = tombstones.read(db, made.render_id)
    assert stone is not None
    assert json.loads(stone.record)["why"] == "retention ended"
    assert stone.signed_by == signing.DEVELOPMENT
    assert _found(keep_house(stores, apply=True), "tombstone").found == 0


def test_by_the_clock_nothing_goes_that_a_record_may_have_been_lost_of(
    stores: Settings, video: status.Published
) -> None:
    store = objects(stores)
    upload = f"uploads/{'a' * 12}/{'b' * 64}/begun.png"
    planted = {
        (stores.bucket_inputs, upload), (stores.bucket_evidence, f"uploads/{'a' * 12}/{'b' * 64}/begun.pdf"),
        (stores.bucket_artifacts, f"speech/bb/{'b' * 64}/abc/speech.wav"),
        (stores.bucket_outputs, f"renders/{video.render_id}/begun.mp4"),
        (stores.bucket_outputs, "renders/unknown/video.mp4"),
    }  # fmt: skip
    for bucket, key in planted:
        store.put_if_absent(bucket, key, b"begun")
    rules = Rules(settle=timedelta(0), uploads=timedelta(0))
    soon = replace(rules, proofs=timedelta(0))

    def left(rules: Rules = soon) -> list[str]:
        house = keep_house(stores, rules, apply=True, by_itself=True)
        assert any("does not know" in note for note in _found(house, "never completed").notes) == (
            store.head(stores.bucket_outputs, "renders/unknown/video.mp4") is not None
        )
        return sorted(bucket for bucket, key in planted if store.head(bucket, key))

    assert left() == sorted(bucket for bucket, _ in planted), "this may be another catalog than the stores'"
    store.delete(stores.bucket_outputs, "renders/unknown/video.mp4")
    kept = [stores.bucket_artifacts, stores.bucket_outputs]
    assert left(rules) == sorted([*kept, stores.bucket_evidence]), "a proof cannot be made again"
    assert left() == sorted(kept)
    keep_house(stores, rules, apply=True)
    assert not [key for bucket, key in planted if store.head(bucket, key)]


def test_by_the_clock_no_intermediate_goes_that_another_catalog_may_need(
    stores: Settings, portrait: str
) -> None:
    spare = _spoken(stores, portrait, "Spare, as far as this catalog knows.")
    objects(stores).put_if_absent(stores.bucket_outputs, "renders/unknown/video.mp4", b"another's")

    def job() -> Job:
        return Job(stores, NOW, True, lambda _: None, by_itself=True)

    assert (by_age(job()).done, _artifact(stores, spare.fingerprint).evicted_at) == (0, None)
    objects(stores).delete(stores.bucket_outputs, "renders/unknown/video.mp4")
    assert by_age(job()).done
    assert _artifact(stores, spare.fingerprint).evicted_at


def test_by_a_wrong_clock_nothing_is_done_by_itself(
    stores: Settings, portrait: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _spoken(stores, portrait, "Spare for more than a year, by a wrong clock.")
    monkeypatch.setattr(housekeeping, "Job", partial(Job, at=records.now() + timedelta(days=400)))
    before = _everything(stores)
    house = keep_house(stores, apply=True, by_itself=True)
    assert _everything(stores) == before
    assert _found(house, "past their age").found
    assert "set the wrong one" in _found(house, "clocks").notes[0]


def test_a_chore_that_fails_keeps_none_of_the_others_from_its_work(
    stores: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_: Job) -> Chore:
        raise InvariantBroken("the store refuses to delete s3://artifacts/x")

    told: list[Chore] = []
    monkeypatch.setattr(housekeeping, "CHORES", (refused, by_age, refused, by_size))
    with pytest.raises(InvariantBroken, match="refuses to delete"):
        keep_house(stores, tell=told.append)
    assert [one.name for one in told] == ["intermediates past their age", "intermediates beyond the size"]


def test_an_object_that_cannot_be_removed_keeps_none_of_the_others(
    stores: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, names = objects(stores), [f"uploads/{'c' * 12}/{n * 64}/begun.png" for n in "cd"]
    for name in names:
        store.put_if_absent(stores.bucket_inputs, name, b"begun")
    delete = type(store).delete

    def locked(self: Any, bucket: str, key: str) -> int:
        if key == names[0]:
            raise InvariantBroken(f"the object store refused s3://{bucket}/{key}: AccessDenied")
        return delete(self, bucket, key)

    with monkeypatch.context() as refused:
        refused.setattr(type(store), "delete", locked)
        with pytest.raises(InvariantBroken, match="AccessDenied"):
            keep_house(stores, Rules(uploads=timedelta(0)), apply=True)
    assert [bool(store.head(stores.bucket_inputs, name)) for name in names] == [True, False]
    store.delete(stores.bucket_inputs, names[0])


def test_what_a_killed_stage_left_goes_with_the_next_work_on_its_machine(stores: Settings) -> None:
    left, young = (stores.home / "work" / name for name in ("lipsync-killed", "lipsync-young"))
    for folder in (left, young):
        folder.mkdir(parents=True)
    os.utime(left, (0, 0))
    with context.workspace(stores, "matte") as at_work:
        os.utime(at_work, (0, 0))
        with context.workspace(stores, "speech"):
            assert (at_work.exists(), left.exists(), young.exists()) == (True, False, True)
    young.rmdir()


def test_more_videos_than_one_query_takes_are_past_their_retention(
    stores: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    past = [upkeep.Labelled(f"r{n}", records.now(), {"retention": "1h"}) for n in range(70_000)]
    monkeypatch.setattr(upkeep, "labelled", lambda _: past)
    later = Job(stores, Rules(), False, lambda _: None, at=records.now() + 2 * HOUR)
    assert expired(later).found == len(past)


def test_what_webhooks_were_told_is_forgotten_after_a_month(stores: Settings) -> None:
    old, young = (records.now() - timedelta(days=days) for days in (31, 29))
    with transaction(stores.pg_dsn) as db:
        hook = webhooks.add(db, "https://receiver.example/", "anna", everybody=False)
        assert hook is not None
        to = {"endpoint_id": hook.id, "url": "https://receiver.example/", "payload": {}}
        db.add_all([
            m.WebhookDelivery(id="taken long ago", delivered_at=old, **to),
            m.WebhookDelivery(id="given up long ago", given_up_at=old, **to),
            m.WebhookDelivery(id="taken", delivered_at=young, **to),
            m.WebhookDelivery(id="waits", next_at=old, created_at=old, **to),
        ])  # fmt: skip
    assert deliveries(Job(stores, Rules(), False, lambda _: None)).found == 2
    assert deliveries(Job(stores, Rules(), True, lambda _: None)).done == 2
    with transaction(stores.pg_dsn) as db:
        left = [one.id for one in webhooks.deliveries(db, hook.id, 10)]
        db.delete(webhooks.find(db, hook.id))
    assert sorted(left) == ["taken", "waits"]


def test_only_one_keeps_house_at_a_time(stores: Settings) -> None:
    with lock(stores.pg_dsn, "housekeeping", wait_s=0), pytest.raises(WorkInFlight):
        keep_house(stores)


def test_the_command_line_only_reports_unless_told(
    stores: Settings, monkeypatch: pytest.MonkeyPatch, portrait: str
) -> None:
    monkeypatch.setattr(common, "stores", lambda: stores)
    spare = _spoken(stores, portrait, "Only a report.")
    with transaction(stores.pg_dsn) as db:
        mine = m.Artifact.fingerprint == spare.fingerprint
        db.execute(sa.update(m.Artifact).where(mine).values(used_at=records.now() - timedelta(days=2)))
    done = CliRunner().invoke(cli.main, ["housekeeping", "--days", "1"])
    assert done.exit_code == 0, done.output
    assert "nothing was changed" in done.stdout
    assert spare.fingerprint in done.stdout
    assert _artifact(stores, spare.fingerprint).evicted_at is None
