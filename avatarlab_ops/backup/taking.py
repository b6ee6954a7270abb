"""Take a backup while renders go on: records first, then documents, then the bytes that records name.

Objects are written before the record that names them, so whatever the records of one moment name is there
when the objects are listed later, unless it was withdrawn or evicted meanwhile: then the records, which say
so by now, are read anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import cast

from pymongo.errors import PyMongoError

from avatarlab_ops.backup import records, withdrawals
from avatarlab_ops.backup.folder import DOCUMENTS, NOTHING, OBJECTS, RECORDS, Entry, Folder, Manifest, Part
from avatarlab_ops.backup.shelf import Shelf
from avatarlab_ops.errors import ReferenceRefused, TransientError
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores import catalog
from avatarlab_ops.stores.catalog.records import now
from avatarlab_ops.stores.documents import VALIDATORS, documents
from avatarlab_ops.stores.objects import objects
from avatarlab_ops.version import code_version

ROUNDS = 3  # readings of the records before giving up
THREADS = 8  # objects that are copied at a time
PAGE = 1000  # objects that are asked for before the first of them is done
MAX_BYTES = 1 << 40


def take(settings: Settings, path: Path) -> Manifest:
    """Make the folder hold one consistent set of all three stores; bytes that it has already are not copied.

    May be killed and called again. Raises InputError for a folder of other things, TransientError when a
    store is away or does not hold what the records name.
    """
    place = Folder(path)
    with place.alone():
        withdrawals.write(settings, path)
        for _ in range(ROUNDS):
            with Shelf() as named:
                manifest = _whole(settings, place, named)
                if not named:
                    place.publish(manifest)
                    return manifest
                lacking = f"{len(named)} objects that S3 does not hold, s3://{next(iter(named))} for one"
    raise TransientError(
        f"the records name {lacking}: "
        "`avatarlab housekeeping` says what became of them, with --apply it puts them right"
    )


def _whole(settings: Settings, place: Folder, named: Shelf) -> Manifest:
    """Write every part; what is left in `named` are objects that the records name and S3 does not hold."""
    taken_at = now().isoformat()
    with records.snapshot(settings) as seen:
        records.dump(settings, seen, place.draft(RECORDS))
        named.add("/".join(where) for where in records.named(settings, seen))
    parts = {RECORDS: place.seal(RECORDS)} | _documents(settings, place)
    count, size = _objects(settings, place, named)
    parts[OBJECTS] = place.seal(OBJECTS)
    return Manifest(taken_at, code_version(), catalog.HEAD, count, size, parts)


def _documents(settings: Settings, place: Folder) -> dict[str, Part]:
    """Each collection as its documents one after the other."""
    parts = {}
    for name in VALIDATORS:
        collection = documents(settings).database[name]
        try:
            with place.draft(name + DOCUMENTS).open("xb") as file:
                for batch in collection.find_raw_batches():
                    file.write(cast("bytes", batch))  # BSON, whatever the driver declares
        except PyMongoError as error:
            raise TransientError(f"MongoDB did not answer: {error}") from error
        parts[name + DOCUMENTS] = place.seal(name + DOCUMENTS)
    return parts


def _objects(settings: Settings, place: Folder, named: Shelf) -> tuple[int, int]:
    """Copy every object and take it off `named`; returns their number and their bytes."""
    count = size = 0
    with place.draft(OBJECTS).open("x", encoding="utf-8") as index:
        for entry in _copied(settings, place):
            index.write(json.dumps(asdict(entry)) + "\n")
            named.discard(f"{entry.bucket}/{entry.key}")
            count, size = count + 1, size + entry.bytes
    return count, size


def _copied(settings: Settings, place: Folder) -> Iterator[Entry]:
    store = objects(settings)
    store.ensure_buckets()
    listed = ((bucket, key) for bucket in settings.buckets for key in store.keys(bucket))
    with ThreadPoolExecutor(THREADS) as pool:
        while page := list(islice(listed, PAGE)):
            found = pool.map(lambda where: _copy(settings, place, *where), page)
            yield from (entry for entry in found if entry is not None)


def _copy(settings: Settings, place: Folder, bucket: str, key: str) -> Entry | None:
    """One object, unless the folder has its bytes; None when it was removed since it was listed.

    Raises ReferenceRefused when its bytes are not those that its digest promises.
    """
    store = objects(settings)
    found = store.head(bucket, key)
    if found is None:
        return None
    known = found.sha256 if found.bytes else NOTHING
    if known and place.has_blob(known, found.bytes):
        return Entry(bucket, key, known, found.bytes)
    draft = place.new_blob()
    try:
        sha256 = store.download(bucket, key, draft, sha256=found.sha256, max_bytes=MAX_BYTES)
    except ReferenceRefused:
        draft.unlink(missing_ok=True)
        if store.head(bucket, key) is None:
            return None
        raise
    place.keep_blob(draft, sha256)
    return Entry(bucket, key, sha256, place.blob(sha256).stat().st_size)
