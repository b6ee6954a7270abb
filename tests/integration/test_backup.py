"""The drill: everything is lost and comes back; the damaged and the used are refused before a write."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path

import bson
import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from kit.eventually import eventually

from avatarlab_ops import cli, pipeline
from avatarlab_ops.backup import finish, known_until, restore, restoring, take, write_withdrawals
from avatarlab_ops.backup import records as dumped
from avatarlab_ops.backup.folder import OBJECTS, Entry, Folder, Manifest
from avatarlab_ops.embedded import servers
from avatarlab_ops.errors import InputError, TransientError
from avatarlab_ops.lineage import query
from avatarlab_ops.renders import feedback, status, withdrawal
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores import catalog
from avatarlab_ops.stores.catalog import records
from avatarlab_ops.stores.catalog import tables as m
from avatarlab_ops.stores.documents import VALIDATORS, documents
from avatarlab_ops.stores.objects import objects, split_or_refuse
from avatarlab_ops.trust import shares
from avatarlab_ops.trust.verify import verify

from . import material


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A state folder of its own, whose servers may be lost."""
    folder: Path = tmp_path_factory.mktemp("drill") / ".avatarlab"
    yield folder
    servers.stop(folder)


@pytest.fixture(scope="module")
def old(home: Path) -> Settings:
    found = servers.ensure(home)
    pipeline.prepare_stores(found)
    return found


@pytest.fixture(scope="module")
def video(old: Settings) -> status.Published:
    """A published video that somebody liked."""
    portrait = material.upload(old, "astronaut.png", material.png(material.astronaut()))
    wish = {"script": "Keep me.", "avatar": {"uri": portrait}, "output": {"resolution": "360p"}}
    made = pipeline.render(old, wish)
    feedback.give(old, made.render_id, feedback.Opinion.parse({"ratings": {"video": 5}}), caller="ann")
    return made


@pytest.fixture(scope="module")
def regretted(old: Settings, video: status.Published) -> tuple[str, str, str]:
    """Ids of a second video, shown and linked to, and of a consent, all of which will be taken back."""
    wish = {"script": "Forget me.", "avatar": {"uri": "s3://inputs/astronaut.png"}}
    render_id, uri = pipeline.submit(old, wish), "s3://outputs/forget/video.mp4"
    stored = objects(old).put_if_absent("outputs", "forget/video.mp4", b"a video")
    file = {"name": "video.mp4", "uri": uri, "sha256": stored.sha256, "bytes": stored.bytes}
    agreed = {"subject": "bob", "kind": "voice", "material": "0" * 64, "terms": "until I say no"}
    with catalog.transaction(old.pg_dsn) as db:
        shown = {"state": "published", "ended_at": records.now()}
        db.execute(sa.update(m.Render).where(m.Render.id == render_id).values(shown))
        db.add(m.PublishedFile(render_id=render_id, **file))
        db.add(m.Consent(id="bobs", valid_from=records.now(), **agreed))
        share, _ = shares.make(db, old, "video", render_id, days=9, by="ann")
        return render_id, "bobs", share.id


def taken_back(settings: Settings, ids: tuple[str, str, str]) -> tuple[object, ...]:
    """When video, consent and link were taken back, the tombstone, and what is left of the video's file."""
    video_id, consent_id, share_id = ids
    with catalog.transaction(settings.pg_dsn) as db:
        render, stone = db.get_one(m.Render, video_id), db.get(m.Tombstone, video_id)
        consent, share = db.get_one(m.Consent, consent_id), db.get_one(m.Share, share_id)
        times = (render.withdrawn_at, consent.revoked_at, share.revoked_at)
        why = (render.withdrawn_reason, consent.revoked_reason)
        left = objects(settings).head("outputs", "forget/video.mp4")
        return *times, *why, stone and (stone.record, stone.signature), left


# As operators put them with tools of their own: no request can name them, and the server here keeps them so.
ODD = {"portraits/": b"", "rows/{{name}}.csv": b"name", "turned\u202eround": b"text"}


@pytest.fixture(scope="module")
def folder(
    old: Settings,
    video: status.Published,
    regretted: tuple[str, str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    place: Path = tmp_path_factory.mktemp("backup") / "set"
    for key, content in ODD.items():
        digest = {"sha256": hashlib.sha256(content).hexdigest()}
        objects(old).client.put_object(Bucket="inputs", Key=key, Body=content, Metadata=digest)
    assert "backed up the records of" in avatarlab(old.home, "backup", place)
    return place


def avatarlab(home: Path, command: str, place: Path, *words: str) -> str:
    """What the command line says."""
    done = CliRunner().invoke(cli.main, [command, str(place), *words], env={"AVATARLAB_HOME": str(home)})
    assert done.exit_code == 0, done.output
    return done.output


def test_a_backup_taken_again_copies_only_what_is_new(old: Settings, folder: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (folder / "objects").glob("*/*")}
    objects(old).put_if_absent("inputs", "new/one", b"one more")
    objects(old).put_if_absent("inputs", "new/two", b"one more")
    take(old, folder)
    after = {path: path.stat().st_mtime_ns for path in (folder / "objects").glob("*/*")}
    assert {path: after.get(path) for path in before} == before
    assert len(after) == len(before) + 1, "equal bytes are kept once"
    for key in ("new/one", "new/two"):
        objects(old).delete("inputs", key)
    take(old, folder)
    assert set((folder / "objects").glob("*/*")) == set(before), "what is gone from the store is gone here"


def test_a_backup_that_was_killed_goes_on_when_taken_again(
    old: Settings, folder: Path, tmp_path: Path
) -> None:
    place = tmp_path / "killed"
    command = [sys.executable, "-m", "avatarlab_ops.cli", "backup", str(place)]
    with subprocess.Popen(command, env=os.environ | {"AVATARLAB_HOME": str(old.home)}) as process:
        eventually(lambda: list(place.glob("objects/*")))
        process.kill()
    (place / "objects" / "cut-short.draft").write_bytes(b"half an obj")
    (place / "parts" / "records.pgdump.draft").write_bytes(b"half a dum")
    take(old, place)
    Folder(place).check(Folder(place).read())
    assert not list(place.rglob("*.draft"))
    assert names(place) == names(folder)


def names(place: Path) -> set[str]:
    """The objects that a backup holds."""
    return {blob.name for blob in place.glob("objects/*/*")}


def test_only_its_owner_may_read_a_backup(folder: Path) -> None:
    assert folder.stat().st_mode & 0o077 == 0


def test_a_folder_of_other_things_is_left_alone(old: Settings, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="holds other files"):
        take(old, tmp_path)
    with pytest.raises(InputError, match="no finished backup"):
        restore(old, tmp_path)


WRITTEN = '{"written_at": "2026-11-29T00:00:00+00:00"}'
SHARE: dict[str, object] = {"kind": "share", "id": "of-another", "at": "2026-11-28T00:00:00+00:00"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "wish"}, {"id": None}, {"id": ""}, {"at": "2026-11-28T00:00:00"}, {"reason": 7}, {"more": 1},
        {"tombstone": {"record": "{}"}},
    ],
)  # fmt: skip
def test_withdrawals_that_cannot_be_read_are_named_by_their_line(
    old: Settings, tmp_path: Path, wrong: dict[str, object]
) -> None:
    lines = [WRITTEN, json.dumps(SHARE), json.dumps(SHARE | wrong)]
    damaged = "\n".join(lines)
    (tmp_path / "withdrawals.jsonl").write_text(damaged)
    for use in (finish, write_withdrawals):
        with pytest.raises(InputError, match=r"withdrawals.jsonl, line 3 is damaged"):
            use(old, tmp_path)
    assert (tmp_path / "withdrawals.jsonl").read_text() == damaged


def test_what_another_database_knew_to_be_taken_back_stays(old: Settings, tmp_path: Path) -> None:
    """A new database, still empty, tells no news: the file is known as long as before."""
    file = tmp_path / "withdrawals.jsonl"
    file.write_text(f"{WRITTEN}\n{json.dumps(SHARE)}\n")
    write_withdrawals(old, tmp_path)
    assert '"of-another"' in file.read_text()
    assert known_until(tmp_path) == "2026-11-29T00:00:00+00:00"


def test_a_minute_without_postgres_hinders_no_later_backup(old: Settings, tmp_path: Path) -> None:
    away = replace(old, pg_dsn=old.pg_dsn + "-away")
    for _ in range(2):
        with pytest.raises(TransientError):
            write_withdrawals(away, tmp_path)
    (tmp_path / "withdrawals.jsonl.new").write_text("of one that was killed")
    assert take(old, tmp_path) == Folder(tmp_path).read()


def test_a_render_under_way_in_the_backup_and_withdrawn_since_is_never_shown(
    old: Settings, tmp_path: Path
) -> None:
    wish = {"script": "Never show me.", "avatar": {"uri": "s3://inputs/astronaut.png"}}
    render_id = pipeline.submit(old, wish)
    line = SHARE | {"kind": "video", "id": render_id, "reason": "a wrong word"}
    (tmp_path / "withdrawals.jsonl").write_text(f"{WRITTEN}\n{json.dumps(line)}\n")
    assert finish(old, tmp_path) == {"video": 1}
    assert finish(old, tmp_path) == {}
    with catalog.transaction(old.pg_dsn) as db:
        found = db.get_one(m.Render, render_id)
        assert (found.state, found.withdrawn_at) == ("failed", None)
        assert "withdrawn on 2026-11-28, after the backup: a wrong word" in str(found.error)


def test_bytes_that_the_records_name_and_nobody_has_stop_it(
    old: Settings, video: status.Published, folder: Path, tmp_path: Path
) -> None:
    bucket, key = split_or_refuse(video.manifest_uri)
    content = objects(old).read(bucket, key)
    objects(old).delete(bucket, key)
    with pytest.raises(TransientError, match=f"name 1 objects.*{key}"):
        take(old, tmp_path / "torn")
    assert not (tmp_path / "torn" / "manifest.json").exists()
    objects(old).put_if_absent(bucket, key, content)
    take(old, folder)


def test_an_object_whose_bytes_are_not_its_digests_stops_it_by_name(old: Settings, tmp_path: Path) -> None:
    """Records may name it in no way that a backup looks for: inputs of published renders, for one."""
    client = objects(old).client
    client.put_object(Bucket="inputs", Key="rotten", Body=b"not", Metadata={"sha256": "0" * 64})
    try:
        with pytest.raises(InputError, match=r"s3://inputs/rotten has sha256"):
            take(old, tmp_path / "rotten")
        assert not list((tmp_path / "rotten").glob("objects/*.draft"))
    finally:
        objects(old).delete("inputs", "rotten")


def test_bytes_that_a_power_cut_left_short_are_copied_again(old: Settings, folder: Path) -> None:
    short = next(blob for blob in folder.glob("objects/*/*") if blob.stat().st_size)
    short.write_bytes(b"")
    take(old, folder)
    assert short.stat().st_size
    Folder(folder).check(Folder(folder).read())


def test_renders_that_end_meanwhile_do_not_tear_it(
    old: Settings, video: status.Published, tmp_path: Path
) -> None:
    """Records and objects that come while it is taken: whatever its records name is in it."""
    begun, ended = threading.Event(), threading.Event()

    def work() -> None:
        number = 0
        while not ended.is_set():
            number += 1
            uri = f"s3://evidence/during/{number}"
            objects(old).put_if_absent("evidence", f"during/{number}", str(number).encode())
            with catalog.transaction(old.pg_dsn) as db:
                db.execute(sa.update(m.Consent).values(document_uri=uri, document_sha256="0" * 64))
            begun.set()

    worker = threading.Thread(target=work)
    worker.start()
    try:
        assert begun.wait(60)
        taken = take(old, tmp_path / "busy")
        entries = Folder(tmp_path / "busy").entries(taken.parts["objects.jsonl"])
        assert any(entry.key.startswith("during/") for entry in entries)
    finally:
        ended.set()
        worker.join()
        with catalog.transaction(old.pg_dsn) as db:
            db.execute(sa.update(m.Consent).values(document_uri=None, document_sha256=None))


def test_names_that_the_server_here_does_not_keep_are_told_with_their_bytes(
    old: Settings, video: status.Published, tmp_path: Path
) -> None:
    """A set of another server: AWS keeps `a//b` and bytes at `a/`, where SeaweedFS has `a/b` and a folder."""
    place, kept = Folder(tmp_path / "of-aws"), {"odd/b": b"mine", "odd/a b": b"plain"}
    named = kept | {"odd//b": b"other", "full/": b"bytes", "none/": b"", "s" * 256: b"long", "../q": b"up"}
    with place.alone(), place.draft(OBJECTS).open("x", encoding="utf-8") as index:
        for key, content in named.items():
            sha256 = hashlib.sha256(content).hexdigest()
            (draft := place.new_blob()).write_bytes(content)
            place.keep_blob(draft, sha256)
            index.write(json.dumps(asdict(Entry("inputs", key, sha256, len(content)))) + "\n")
    manifest = Manifest("", "", "", 0, 0, {OBJECTS: place.seal(OBJECTS)})
    said: list[str] = []
    for _ in range(2):
        said = []
        restoring.put_objects(old, place, manifest, said.append)
    try:
        assert [line.split("'")[1] for line in said] == [
            f"s3://inputs/{key}" for key in ("odd//b", "full/", "s" * 256, "../q")
        ]
        assert [Path(line.rpartition(" ")[2]).read_bytes() for line in said] == [
            b"other", b"bytes", b"long", b"up",
        ]  # fmt: skip
        assert {key: objects(old).read("inputs", key) for key in kept} == kept
        assert not {"odd//b", "full/", "q"} & set(objects(old).keys("inputs"))
    finally:
        for key in (*kept, "none/"):
            objects(old).delete_as_named("inputs", key)


def test_all_three_stores_are_lost_and_come_back(
    *,
    old: Settings, video: status.Published, regretted: tuple[str, str, str], folder: Path, home: Path,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    told = query.trace(old, video.video_uri)
    kept = {name: documents(old).database[name].count_documents({}) for name in VALIDATORS}
    shown = tmp_path / "video.mp4"
    shown.write_bytes(objects(old).read(*split_or_refuse(video.video_uri)))
    gone = take_back_after_the_backup(old, regretted, folder)
    servers.stop(home)
    catalog.engine(old.pg_dsn).dispose()
    shutil.rmtree(home)
    new = servers.ensure(home)
    assert new.pg_dsn != old.pg_dsn

    check_a_damaged_set_is_refused_by_name(new, folder, tmp_path)
    check_a_store_in_use_is_refused(new, folder)
    restore_half(new, folder)
    until = known_until(folder)
    let_cron_in_before_the_withdrawals(monkeypatch, new, folder)
    said = avatarlab(home, "restore", folder)
    assert "restored the records of" in said
    assert f"withdrawn, revoked or ended after {until}" in said
    assert ODD.keys() <= set(objects(new).keys("inputs"))
    assert taken_back(new, regretted) == gone
    assert "nothing new" in avatarlab(home, "restore", folder, "--withdrawals")
    forget_what_was_applied(new, regretted)
    assert "1 consent(s), 1 share(s), 1 video(s)" in avatarlab(home, "restore", folder, "--withdrawals")
    assert taken_back(new, regretted) == gone, "a restore that was killed before it was finished"

    assert query.trace(new, video.video_uri) == told
    found = {name: documents(new).database[name].count_documents({}) for name in VALIDATORS}
    again = found.pop("lineage_events") - kept.pop("lineage_events")
    assert (found, again >= 0) == (kept, True), "receivers are told of a withdrawal once more"
    assert [one.caller for one in feedback.of_video(new, video.render_id)] == ["ann"]
    judged = verify(new, shown)
    assert (judged.verdict, judged.render_id) == ("published", video.render_id)
    assert pipeline.render(new, told["request"]["body"]).render_id != video.render_id, "it works again"
    with pytest.raises(InputError, match="holds Avatarlab's tables already"):
        restore(new, folder)


def test_a_restore_killed_once_its_records_were_there_is_finished(tmp_path: Path) -> None:
    """Its stores are down since, and its tables those of the older version that took the backup."""
    home, folder = tmp_path / "home", tmp_path / "set"
    folder.mkdir()
    (folder / "withdrawals.jsonl").write_text(f"{WRITTEN}\n{json.dumps(SHARE)}\n")
    new = servers.ensure(home)
    try:
        with pytest.raises(InputError, match="fills it first"):
            finish(new, folder)
        assert dumped.is_empty(new), "the restore itself is not hindered"
        pipeline.prepare_stores(new)
        catalog.engine(new.pg_dsn).dispose()
        catalog.take_back(new.pg_dsn, "0032")
        catalog.engine(new.pg_dsn).dispose()
        servers.stop(home)
        assert "nothing new" in avatarlab(home, "restore", folder, "--withdrawals")
        assert catalog.is_current(new.pg_dsn)
    finally:
        servers.stop(home)


def take_back_after_the_backup(old: Settings, ids: tuple[str, str, str], folder: Path) -> tuple[object, ...]:
    """Video, consent and link are taken back; only the small file is written anew."""
    video_id, consent_id, share_id = ids
    assert all(one is None for one in taken_back(old, ids)[:6])
    assert withdrawal.withdraw(old, video_id, "a wrong word")
    withdrawal.revoke(old, consent_id, "I say no")
    with catalog.transaction(old.pg_dsn) as db:
        shares.revoke(db.get_one(m.Share, share_id))
    before = Folder(folder).read()
    assert "3 withdrawals" in avatarlab(old.home, "backup", folder, "--withdrawals")
    assert Folder(folder).read() == before
    gone = taken_back(old, ids)
    assert gone[5], "a tombstone"
    assert gone[6] is None
    return gone


def let_cron_in_before_the_withdrawals(monkeypatch: pytest.MonkeyPatch, new: Settings, folder: Path) -> None:
    """The minute's `backup --withdrawals` meets records that do not know of them yet; a backup must wait."""
    load = dumped.load

    def interrupted(settings: Settings, path: Path) -> None:
        with (folder / "lock").open() as lock, pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        load(settings, path)
        assert "3 withdrawals" in avatarlab(new.home, "backup", folder, "--withdrawals")

    monkeypatch.setattr(dumped, "load", interrupted)


def forget_what_was_applied(new: Settings, ids: tuple[str, str, str]) -> None:
    with catalog.transaction(new.pg_dsn) as db:
        db.execute(sa.delete(m.Tombstone))
        db.get_one(m.Render, ids[0]).withdrawn_at = None
        db.get_one(m.Consent, ids[1]).revoked_at = None
        db.get_one(m.Share, ids[2]).revoked_at = None


def check_a_damaged_set_is_refused_by_name(new: Settings, folder: Path, tmp_path: Path) -> None:
    for number, file in enumerate([*folder.glob("parts/*"), *folder.glob("objects/*/*")][::5]):
        copy = tmp_path / f"damaged-{number}"
        shutil.copytree(folder, copy)
        harmed = copy / file.relative_to(folder)
        content = bytearray(harmed.read_bytes() or b"-")
        content[len(content) // 2] ^= 1
        harmed.write_bytes(content)
        with pytest.raises(InputError, match=f"{harmed.name} has sha256"):
            restore(new, copy)
        harmed.unlink()
        with pytest.raises(InputError, match=f"{harmed.name} is missing"):
            restore(new, copy)
    (copy / "withdrawals.jsonl").write_text("")
    with pytest.raises(InputError, match=r"withdrawals.jsonl, line 1 is damaged"):
        restore(new, copy)
    assert not any(list(objects(new).keys(bucket)) for bucket in new.buckets)


def check_a_store_in_use_is_refused(new: Settings, folder: Path) -> None:
    objects(new).put_if_absent("inputs", "mine.txt", b"mine")
    with pytest.raises(InputError, match=r"S3 holds s3://inputs/mine.txt"):
        restore(new, folder)
    objects(new).delete("inputs", "mine.txt")
    mine = documents(new).database["feedback"]
    mine.insert_one({"_id": "mine"})
    with pytest.raises(InputError, match="MongoDB holds feedback 'mine'"):
        restore(new, folder)
    mine.delete_one({"_id": "mine"})


def restore_half(new: Settings, folder: Path) -> None:
    """What a restore that was killed leaves behind: some objects, some documents, no records."""
    place = Folder(folder)
    for entry in islice(place.entries(place.read().parts[OBJECTS]), 3):
        objects(new).put_as_named(entry.bucket, entry.key, place.blob(entry.sha256))
    [kept] = bson.decode_all(place.file(place.read().parts["manifests.bson"]).read_bytes())
    documents(new).save("manifests", kept["_id"], kept)
