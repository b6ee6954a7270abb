"""Restore a backup into empty stores: bytes first, then documents, records last and in one transaction.

So records that are there name only what is there, and a restore that was killed may be called again.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

import bson
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo import ReplaceOne
from pymongo.errors import PyMongoError

from avatarlab_ops import pipeline
from avatarlab_ops.backup import records, withdrawals
from avatarlab_ops.backup.folder import (
    DOCUMENTS,
    NOTHING,
    OBJECTS,
    RECORDS,
    WITHDRAWALS,
    Entry,
    Folder,
    Manifest,
)
from avatarlab_ops.backup.shelf import Shelf
from avatarlab_ops.backup.taking import PAGE, THREADS
from avatarlab_ops.errors import InputError, InvariantBroken, ReferenceRefused, TransientError
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores import catalog
from avatarlab_ops.stores.documents import documents
from avatarlab_ops.stores.objects import objects, split_or_refuse

EMPTY = "restore into new stores, before anything else uses them"
log = logging.getLogger(__name__)


def restore(settings: Settings, path: Path, tell: Callable[[str], None] = log.warning) -> Manifest:
    """Fill the three stores from a folder, bring the tables to this version, repeat its withdrawals.

    Every byte of the folder is read before anything is written. `tell` is given a line for each object whose
    name S3 does not keep as it is: no record can promise such a one, and the folder still holds its bytes.
    Raises InputError when the set is damaged or later than this version, or a store holds what is not in it.
    """
    place = Folder(path)
    with place.kept() as manifest:
        _check(settings, place, manifest)
        put_objects(settings, place, manifest, tell)
        _put_documents(settings, place, manifest)
        records.load(settings, place.file(manifest.parts[RECORDS]))
        finish(settings, path)
    return manifest


def finish(settings: Settings, path: Path) -> Counter[str]:
    """What is left once the records are there: tables of this version, withdrawals; return how many of each.

    May be repeated. Raises InputError, before anything is changed, for a folder without a backup, a file that
    is damaged, and stores without records: tables there would hinder the restore.
    """
    if not any((path / name).exists() for name in ("manifest.json", WITHDRAWALS)):
        raise InputError(f"{path} holds neither a backup nor withdrawals: name the folder of a backup")
    withdrawals.check(path)
    if records.is_empty(settings):
        raise InputError(
            "PostgreSQL holds no records of Avatarlab: `avatarlab restore FOLDER` fills it first"
        )
    pipeline.prepare_stores(settings)
    return withdrawals.apply(settings, path)


def _check(settings: Settings, place: Folder, manifest: Manifest) -> None:
    """Raise InputError unless the folder is whole and the stores are empty, or hold some of it."""
    if manifest.catalog > catalog.HEAD:
        raise InputError(
            f"the backup was made by a later version ({manifest.code_version}): install that one, or newer"
        )
    withdrawals.check(place.path)
    place.check(manifest)
    if not records.is_empty(settings):
        raise InputError(
            f"PostgreSQL holds Avatarlab's tables already: {EMPTY}; or, if it was this folder's and it was "
            "killed afterwards, finish with `avatarlab restore --withdrawals`"
        )
    _check_objects(settings, place, manifest)
    _check_documents(settings, place, manifest)


def _check_objects(settings: Settings, place: Folder, manifest: Manifest) -> None:
    store = objects(settings)
    store.ensure_buckets()
    with Shelf() as ours:
        entries = place.entries(manifest.parts[OBJECTS])
        ours.add(f"{entry.sha256} {entry.bucket}/{entry.key}" for entry in entries)
        for bucket in settings.buckets:
            for key in store.keys(bucket):
                found = store.head(bucket, key)
                sha256 = found.sha256 if found and found.bytes else NOTHING
                if found is not None and f"{sha256} {bucket}/{key}" not in ours:
                    raise InputError(f"S3 holds {found.uri}, which is not in the backup: {EMPTY}")


def put_objects(settings: Settings, place: Folder, manifest: Manifest, tell: Callable[[str], None]) -> None:
    """Every object of a checked set; may be repeated. `tell`: as `restore` takes it."""
    _put_plain_objects(settings, place, manifest)
    _put_odd_objects(settings, place, manifest, tell)


def _put_plain_objects(settings: Settings, place: Folder, manifest: Manifest) -> None:
    store = objects(settings)
    entries = (entry for entry in place.entries(manifest.parts[OBJECTS]) if _is_plain(entry))

    def put(entry: Entry) -> None:
        store.put_if_absent(entry.bucket, entry.key, place.blob(entry.sha256))

    with ThreadPoolExecutor(THREADS) as pool:
        while page := list(islice(entries, PAGE)):
            list(pool.map(put, page))


def _put_odd_objects(
    settings: Settings, place: Folder, manifest: Manifest, tell: Callable[[str], None]
) -> None:
    """The others, "portraits/" for one, as a console names a folder: where S3 keeps them so, else told.

    After the plain ones: a server that writes `a//b` as `a/b` must find that name taken.
    """
    with Shelf() as lost, Shelf() as made:
        lost.add(_shown(entry) for entry in _odd(place, manifest))
        if not lost:
            return
        for entry in _odd(place, manifest):
            with suppress(InvariantBroken):  # it refuses the name
                put = objects(settings).put_as_named(entry.bucket, entry.key, place.blob(entry.sha256))
                made.add([_shown(entry)] if put.created else [])
        for bucket in settings.buckets:
            for found in objects(settings).listed(bucket):
                lost.discard(f"{bucket}/{found.key} {found.bytes}")
        for entry in _odd(place, manifest):
            if _shown(entry) in lost:
                _leave_out(settings, place, entry, tell, made=_shown(entry) in made)


def _leave_out(
    settings: Settings, place: Folder, entry: Entry, tell: Callable[[str], None], *, made: bool
) -> None:
    if made:
        objects(settings).delete_as_named(entry.bucket, entry.key)
    if entry.bytes or not entry.key.endswith("/"):  # an empty folder holds nothing
        where, blob = f"s3://{entry.bucket}/{entry.key}", place.blob(entry.sha256)
        tell(f"left out: {where!r}, as S3 keeps no such name; its {entry.bytes:,} bytes are {blob}")


def _odd(place: Folder, manifest: Manifest) -> Iterator[Entry]:
    return (entry for entry in place.entries(manifest.parts[OBJECTS]) if not _is_plain(entry))


def _shown(entry: Entry) -> str:
    return f"{entry.bucket}/{entry.key} {entry.bytes}"


def _is_plain(entry: Entry) -> bool:
    try:
        split_or_refuse(f"s3://{entry.bucket}/{entry.key}")
    except ReferenceRefused:
        return False
    return True


def _collections(place: Folder, manifest: Manifest) -> Iterator[tuple[str, Iterator[RawBSONDocument]]]:
    """Each collection of a set and its documents."""
    raw: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)
    for name, part in manifest.parts.items():
        if name.endswith(DOCUMENTS):
            with place.file(part).open("rb") as file:
                yield name.removesuffix(DOCUMENTS), bson.decode_file_iter(file, raw)


def _check_documents(settings: Settings, place: Folder, manifest: Manifest) -> None:
    database = documents(settings).database
    for name, found in _collections(place, manifest):
        with Shelf() as ours:
            ours.add(repr(document["_id"]) for document in found)
            try:
                there = (repr(one["_id"]) for one in database[name].find({}, {"_id": 1}))
                strange = next((one for one in there if one not in ours), None)
            except PyMongoError as error:
                raise TransientError(f"MongoDB did not answer: {error}") from error
        if strange:
            raise InputError(f"MongoDB holds {name} {strange}, which is not in the backup: {EMPTY}")


def _put_documents(settings: Settings, place: Folder, manifest: Manifest) -> None:
    store = documents(settings)
    store.create_collections()
    for name, found in _collections(place, manifest):
        while page := list(islice(found, PAGE)):
            writes = [ReplaceOne[Any]({"_id": one["_id"]}, one, upsert=True) for one in page]
            try:
                store.database[name].bulk_write(writes, ordered=False, bypass_document_validation=True)
            except PyMongoError as error:
                raise TransientError(f"MongoDB did not take the {name}: {error}") from error
