"""Intermediates that nothing needs leave the store; their records stay and say what they were.

A kept video needs every artifact that it was made from, at first or second hand: they explain it, and where
an engine is not exact to the bit only they can make it again. A running render needs what it was given. What
is left is spare: made for renders that failed, were cancelled, or whose video was withdrawn.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial

from avatarlab_ops.errors import WorkInFlight
from avatarlab_ops.housekeeping.chore import Chore, Job
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.catalog import lock, records, transaction, upkeep
from avatarlab_ops.stores.objects import objects


def evict(settings: Settings, fingerprint: str, before: datetime) -> bool:
    """Remove an artifact's objects, if nothing needs it and it was not used since `before`.

    The record is locked while artifact.json goes, and only then says so: whoever looks for the artifact
    meanwhile waits, and finds none. The other objects go under the lock of its maker.
    """
    store, bucket = objects(settings), settings.bucket_artifacts
    try:
        with lock(settings.pg_dsn, f"artifact {fingerprint}", wait_s=0):
            with transaction(settings.pg_dsn) as db:
                found = upkeep.lock_artifact(db, fingerprint)
                if found is None or found.evicted_at or found.used_at >= before:
                    return False
                if upkeep.is_needed(db, fingerprint):
                    return False
                store.delete(bucket, found.key)
                found.evicted_at = records.now()
            _sweep(settings, found.key)
    except WorkInFlight:  # somebody makes it, so somebody needs it
        return False
    return True


def _sweep(settings: Settings, key: str) -> None:
    store, bucket = objects(settings), settings.bucket_artifacts
    for one in list(store.keys(bucket, key.removesuffix("artifact.json"))):
        store.delete(bucket, one)


def finish(settings: Settings, fingerprint: str) -> None:
    """Remove what an eviction that broke off has left; nothing where it is kept, or being made, again."""
    try:
        with lock(settings.pg_dsn, f"artifact {fingerprint}", wait_s=0):
            with transaction(settings.pg_dsn) as db:
                found = upkeep.lock_artifact(db, fingerprint)
            if found is not None and found.evicted_at:
                _sweep(settings, found.key)
    except WorkInFlight:
        return


def of_material(settings: Settings, sha256: str) -> tuple[int, int]:
    """Remove what was made from a likeness or a voice sample, at once; return (removed, still needed)."""
    with transaction(settings.pg_dsn) as db:
        made = upkeep.made_from(db, sha256)
        before = upkeep.made_from(db, sha256, evicted=True)
    for fingerprint in before:
        finish(settings, fingerprint)
    gone = sum(evict(settings, fingerprint, records.now()) for fingerprint in made)
    return gone, len(made) - gone


def by_age(job: Job) -> Chore:
    """Spare artifacts that nobody has used for `Rules.intermediates`."""
    before = min(job.at - job.rules.intermediates, job.settled)
    chore = Chore("intermediates past their age")
    with transaction(job.settings.pg_dsn) as db:
        spare = upkeep.spare_artifacts(db, before)
    act = bool(spare) and job.removes(chore)
    for one in spare:
        done = act and job.tries(partial(evict, job.settings, one.fingerprint, before))
        chore.add(one.fingerprint, size=one.bytes, done=done)
    return chore


def by_size(job: Job) -> Chore:
    """Spare artifacts beyond `Rules.max_bytes`, longest unused first."""
    chore = Chore("intermediates beyond the size")
    if job.rules.max_bytes is None:
        return chore
    with transaction(job.settings.pg_dsn) as db:
        over = upkeep.stored_bytes(db) - job.rules.max_bytes
        spare = upkeep.spare_artifacts(db, job.settled)
    act = over > 0 and bool(spare) and job.removes(chore)
    for one in spare:
        if over <= 0:
            return chore
        done = act and job.tries(partial(evict, job.settings, one.fingerprint, job.settled))
        chore.add(one.fingerprint, size=one.bytes, done=done)
        over -= one.bytes
    if over > 0:
        chore.notes.append(f"{over:,} bytes more than allowed are needed by kept videos and running renders")
    return chore


CHORES = (by_age, by_size)
