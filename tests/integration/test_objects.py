"""The object store: whole objects or none, honest digests, keys that every server keeps."""

from __future__ import annotations

import hashlib
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from avatarlab_ops.errors import MediaRefused, ReferenceRefused, TransientError
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.objects import Objects, objects


def test_what_is_put_comes_back_with_its_digest(stores: Settings, tmp_path: Path) -> None:
    content = bytes(range(256)) * 40_000
    (tmp_path / "in.bin").write_bytes(content)
    store, bucket = objects(stores), stores.bucket_artifacts
    put = store.put_if_absent(bucket, "a/in.bin", tmp_path / "in.bin")
    assert put.created
    assert put.sha256 == hashlib.sha256(content).hexdigest()
    head = store.head(bucket, "a/in.bin")
    assert head is not None
    assert (head.bytes, head.sha256, head.etag) == (len(content), put.sha256, put.etag)
    found = store.download(bucket, "a/in.bin", tmp_path / "out.bin", sha256=put.sha256, max_bytes=1 << 30)
    assert found == put.sha256
    assert (tmp_path / "out.bin").read_bytes() == content


def test_of_many_writers_of_one_key_one_wins(stores: Settings) -> None:
    store = objects(stores)

    def put(number: int) -> bool:
        return store.put_if_absent(stores.bucket_artifacts, "race", b"%d" % number).created

    with ThreadPoolExecutor(8) as pool:
        won = [number for number, created in enumerate(pool.map(put, range(8))) if created]
    assert len(won) == 1
    assert store.read(stores.bucket_artifacts, "race") == b"%d" % won[0]


def versions(stores: Settings, key: str) -> list[str]:
    """Ids of what the bucket of outputs keeps of an object."""
    found = objects(stores).client.list_object_versions(Bucket=stores.bucket_outputs, Prefix=key)
    return [one["VersionId"] for one in found["Versions"] if one["Key"] == key]


def test_a_copy_keeps_bytes_and_digest_and_is_kept_once(stores: Settings) -> None:
    store, place = objects(stores), (stores.bucket_outputs, "renders/1/video.mp4")
    source = store.put_if_absent(stores.bucket_artifacts, "c/video.mp4", b"abc")
    store.client.put_object(Bucket=place[0], Key=place[1], Body=b"other")
    copy = store.copy(source, *place)
    kept = versions(stores, place[1])
    assert store.copy(source, *place) == copy  # a publication that is tried again
    assert versions(stores, place[1]) == kept
    assert copy.sha256 == source.sha256
    assert store.read(stores.bucket_outputs, "renders/1/video.mp4") == b"abc"


def test_a_link_opens_without_credentials(stores: Settings) -> None:
    store = objects(stores)
    store.put_if_absent(stores.bucket_outputs, "l/video.mp4", b"film")
    link = store.link(stores.bucket_outputs, "l/video.mp4")
    with urllib.request.urlopen(link) as answer:  # noqa: S310 (our own server)
        assert answer.read() == b"film"
        assert answer.headers["Content-Type"] == "video/mp4"
        assert answer.headers["Content-Disposition"] == 'inline; filename="l-video.mp4"'


def test_too_large_replaced_and_missing_objects_are_refused(stores: Settings, tmp_path: Path) -> None:
    store, bucket = objects(stores), stores.bucket_inputs
    store.put_if_absent(bucket, "big", b"x" * 1000)
    with pytest.raises(MediaRefused, match="than 999 bytes"):
        store.download(bucket, "big", tmp_path / "1", sha256=None, max_bytes=999)
    with pytest.raises(ReferenceRefused, match="it was replaced"):
        store.download(bucket, "big", tmp_path / "2", sha256="0" * 64, max_bytes=1000)
    with pytest.raises(ReferenceRefused, match="does not exist"):
        store.download(bucket, "none", tmp_path / "3", sha256=None, max_bytes=1000)
    assert store.head(bucket, "none") is None


@pytest.mark.parametrize("key", ["a//b", "../a", "a/./b", "a/", ""])
def test_keys_that_servers_disagree_on_are_refused(stores: Settings, key: str) -> None:
    with pytest.raises(ReferenceRefused):
        objects(stores).put_if_absent(stores.bucket_artifacts, key, b"")


def test_a_server_that_is_away_is_worth_another_try(stores: Settings) -> None:
    away = Objects(replace(stores, s3_endpoint="http://127.0.0.1:9"))
    with pytest.raises(TransientError):
        away.head("inputs", "a")


def test_deleted_objects_are_gone(stores: Settings) -> None:
    store = objects(stores)
    store.put_if_absent(stores.bucket_models, "m/1", b"x")
    assert list(store.keys(stores.bucket_models, "m/")) == ["m/1"]
    store.delete(stores.bucket_models, "m/1")
    store.delete(stores.bucket_models, "m/1")
    assert list(store.keys(stores.bucket_models)) == []


def test_what_is_deleted_is_gone_in_every_version(stores: Settings) -> None:
    store, bucket = objects(stores), stores.bucket_outputs
    for body in (b"first", b"second"):
        store.client.put_object(Bucket=bucket, Key="renders/1/video.mp4", Body=body)
    store.client.delete_object(Bucket=bucket, Key="renders/1/video.mp4")  # leaves a marker
    store.put_if_absent(bucket, "renders/1/video.mp4.sha256", b"a longer key stays")
    kept = versions(stores, "renders/1/video.mp4")
    assert len(kept) >= 2  # a request that a busy server answers late is sent, and kept, twice
    assert [one.key for one in store.hidden(bucket, "renders/1/")] == ["renders/1/video.mp4"]

    assert store.delete(bucket, "renders/1/video.mp4") >= 3
    assert store.delete(bucket, "renders/1/video.mp4") == 0
    for version in kept:
        with pytest.raises(ClientError, match=r"NoSuchVersion|NoSuchKey|404"):
            store.client.get_object(Bucket=bucket, Key="renders/1/video.mp4", VersionId=version)
    assert list(store.hidden(bucket, "renders/1/")) == []
    assert store.read(bucket, "renders/1/video.mp4.sha256") == b"a longer key stays"
    store.delete(bucket, "renders/1/video.mp4.sha256")


def test_a_bucket_that_takes_no_object_is_named_with_what_to_do(stores: Settings) -> None:
    objects(stores).check_writes()
    assert [list(objects(stores).keys(bucket, "avatarlab-write")) for bucket in stores.buckets] == [[]] * 5
    closed = replace(stores, bucket_evidence="never-made")
    with pytest.raises(TransientError, match=r"never-made takes no object.*Free disk space.*or let the key"):
        Objects(closed).check_writes()


def test_only_the_bucket_of_outputs_keeps_versions(stores: Settings) -> None:
    client = objects(stores).client
    kept = {bucket for bucket in stores.buckets if "Status" in client.get_bucket_versioning(Bucket=bucket)}
    assert kept == {stores.bucket_outputs}
