"""The bucket of artifacts and the catalog say the same: objects without a record, records without objects."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy.orm import Session

from avatarlab_ops.canonical import canonical_json
from avatarlab_ops.errors import WorkInFlight
from avatarlab_ops.graph import MADE
from avatarlab_ops.housekeeping.chore import Chore, Job
from avatarlab_ops.housekeeping.paging import pages
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.catalog import lock, records, transaction, upkeep
from avatarlab_ops.stores.catalog.tables import Artifact
from avatarlab_ops.stores.objects import Listed, objects

PREFIX = re.compile(r"(?P<stage>[a-z_]+)/[0-9a-f]{2}/(?P<fingerprint>[0-9a-f]{64})/")


@dataclass(frozen=True)
class Found:
    """What the store holds of one artifact."""

    stage: str
    fingerprint: str
    prefix: str  # ends with /
    objects: tuple[Listed, ...]

    @property
    def keys(self) -> frozenset[str]:
        """Keys of its objects."""
        return frozenset(one.key for one in self.objects)

    @property
    def marker(self) -> str:
        """Key of the object that makes the artifact exist."""
        return f"{self.prefix}artifact.json"


@dataclass(frozen=True)
class Verdict:
    """What is wrong with one artifact, if anything."""

    adopt: bool = False  # it exists, and the catalog does not know
    restore: bool = False  # all its files are there, only artifact.json is not
    lost: bool = False  # its record names files that are gone
    torn: frozenset[str] = frozenset()  # keys that belong to nothing
    evicted: bool = False  # they are left of an eviction that broke off

    def __str__(self) -> str:
        said = {
            "object without a record": self.adopt,
            "artifact.json missing": self.restore,
            "record without objects": self.lost,
            f"{len(self.torn)} objects of an attempt that was killed": bool(self.torn) and not self.evicted,
            f"{len(self.torn)} objects of an eviction that broke off": self.evicted,
        }
        return ", ".join(text for text, true in said.items() if true)


def judge(found: Found, record: Artifact | None) -> Verdict:
    """Compare what the store holds of an artifact with its record."""
    exists = found.marker in found.keys
    if record is None or record.evicted_at is not None:
        return Verdict(adopt=True) if exists else Verdict(torn=found.keys, evicted=record is not None)
    keys = (file["key"] for file in record.files.values())
    files = frozenset(key for key in keys if key.startswith(found.prefix))  # others are passed on
    torn = found.keys - files - {found.marker}
    if not files <= found.keys:
        return Verdict(lost=True, torn=found.keys)
    return Verdict(restore=not exists, torn=torn)


def artifacts(job: Job) -> Chore:
    """Record artifacts that lost their record, rewrite a lost artifact.json, drop records without files."""
    chore = Chore("artifacts whose objects and records disagree")
    wrong = [*_wrong(job, chore)]
    for found, verdict in sorted(wrong, key=lambda pair: MADE.index(pair[0].stage)):  # sources first
        size = sum(one.bytes for one in found.objects if verdict.adopt or one.key in verdict.torn)
        done = (job.repairs or (job.apply and verdict.evicted)) and mend(job.settings, found)
        chore.add(f"{found.prefix}: {verdict}", size=size, done=done)
    return chore


def _wrong(job: Job, chore: Chore) -> Iterator[tuple[Found, Verdict]]:
    with transaction(job.settings.pg_dsn) as db:
        unseen = set(upkeep.claimed_artifacts(db, job.settled))
    for page in pages(_groups(job, chore)):
        with transaction(job.settings.pg_dsn) as db:
            known = upkeep.artifacts(db, [found.fingerprint for found in page])
        unseen -= {found.fingerprint for found in page}
        for found in page:
            at_rest = all(one.modified_at < job.settled for one in found.objects)
            if at_rest and (verdict := judge(found, known.get(found.fingerprint))) != Verdict():
                yield found, verdict
    for fingerprints in pages(iter(sorted(unseen))):  # all there are, where the bucket is empty
        with transaction(job.settings.pg_dsn) as db:
            lost = upkeep.artifacts(db, fingerprints).values()
        for record in lost:
            if record.stage in MADE:  # else newer code made it: its objects are told as no keys of ours
                yield _empty(record), Verdict(lost=True)


def _empty(record: Artifact) -> Found:
    return Found(record.stage, record.fingerprint, record.key.removesuffix("artifact.json"), ())


def _groups(job: Job, chore: Chore) -> Iterator[Found]:
    listing = objects(job.settings).listed(job.settings.bucket_artifacts)
    for prefix, group in groupby(listing, key=lambda one: _prefix(one.key)):
        match = PREFIX.fullmatch(prefix)
        if match is None or match["stage"] not in MADE:
            for one in group:
                chore.add(f"{one.key}: not a key of ours, left alone", size=one.bytes)
            continue
        yield Found(match["stage"], match["fingerprint"], prefix, tuple(group))


def _prefix(key: str) -> str:
    match = PREFIX.match(key)
    return match[0] if match else ""


def mend(settings: Settings, found: Found) -> bool:
    """Put one artifact right, under the lock of its maker; False while somebody makes it, or it cannot be."""
    store, bucket = objects(settings), settings.bucket_artifacts
    try:
        with lock(settings.pg_dsn, f"artifact {found.fingerprint}", wait_s=0):
            now = Found(
                found.stage, found.fingerprint, found.prefix, tuple(store.listed(bucket, found.prefix))
            )
            with transaction(settings.pg_dsn) as db:
                record = upkeep.lock_artifact(db, found.fingerprint)
                verdict = judge(now, record)
                if verdict.adopt:
                    return _adopt(db, settings, now)
                if verdict.restore and record is not None:
                    store.put_if_absent(bucket, now.marker, canonical_json(_document(db, record)))
                if verdict.lost and record is not None:
                    store.delete(bucket, now.marker)
                    record.evicted_at = records.now()
            for key in verdict.torn:
                store.delete(bucket, key)
    except WorkInFlight:
        return False
    return True


def _adopt(db: Session, settings: Settings, found: Found) -> bool:
    """Record an artifact from its artifact.json; False while an artifact that it was made from is unknown."""
    document = json.loads(objects(settings).read(settings.bucket_artifacts, found.marker))
    sources = {edge["fingerprint"] for edge in document["inputs"].values() if edge.get("fingerprint")}
    if document["fingerprint"] != found.fingerprint or set(upkeep.artifacts(db, sources)) != sources:
        return False
    records.record_artifact(db, document, found.marker)
    return True


def _document(db: Session, record: Artifact) -> dict[str, Any]:
    """artifact.json as the record tells it; only the environment is not in the catalog."""
    columns = ("fingerprint", "stage", "stage_version", "params", "files", "sha256", "bytes", "facts")
    told = {name: getattr(record, name) for name in (*columns, "code_version", "compute_s")}
    return told | {
        "engine": records.engine_of(db, record),
        "inputs": records.edges_of(db, record),
        "render_id": record.made_by or "",
        "environment": {},
        "created_at": record.created_at.isoformat(),
    }
