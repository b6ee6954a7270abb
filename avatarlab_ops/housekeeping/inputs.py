"""What somebody began to upload and never completed, and documents that no consent names."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial

from sqlalchemy.orm import Session

from avatarlab_ops.housekeeping.chore import Chore, Job
from avatarlab_ops.housekeeping.paging import pages
from avatarlab_ops.stores.catalog import consents, transaction
from avatarlab_ops.stores.objects import objects, split_or_refuse
from avatarlab_ops.trust import inputs

Left = Callable[[Session, Iterable[str]], set[str]]  # given some objects, those of them that no record needs


def uploads(job: Job) -> Chore:
    """Remove files that arrived by an upload which nobody completed: no request may use them."""
    chore = Chore("uploads that were never completed")
    before = job.at - job.rules.uploads
    return _sweep(job, chore, job.settings.bucket_inputs, inputs.UPLOADS, inputs.incomplete, before=before)


def documents(job: Job) -> Chore:
    """Remove documents that came to prove a consent which nobody recorded.

    By the clock a month later: the records may be those of the day before, put back from a backup.
    """
    chore = Chore("documents that no consent names")
    age = max(job.rules.uploads, job.rules.proofs) if job.by_itself else job.rules.uploads
    return _sweep(job, chore, job.settings.bucket_evidence, "", consents.unnamed, before=job.at - age)


def _sweep(job: Job, chore: Chore, bucket: str, prefix: str, left: Left, *, before: datetime) -> Chore:
    arrived = objects(job.settings).listed(bucket, prefix)
    for page in pages(one for one in arrived if one.modified_at < before):
        sizes = {f"s3://{bucket}/{one.key}": one.bytes for one in page}
        with transaction(job.settings.pg_dsn) as db:
            unused = left(db, sizes)
        act = bool(unused) and job.removes(chore)
        for uri in sorted(unused):
            done = act and job.tries(partial(_remove, job, uri, left, before))
            chore.add(uri, size=sizes[uri], done=done)
    return chore


def _remove(job: Job, uri: str, left: Left, before: datetime) -> bool:
    """Remove one, unless it was completed, named or sent again since it was listed."""
    store, (bucket, key) = objects(job.settings), split_or_refuse(uri)
    with transaction(job.settings.pg_dsn) as db:
        inputs.hold(db, uri)
        old = any(one.key == key and one.modified_at < before for one in store.listed(bucket, key))
        return old and bool(left(db, [uri])) and bool(store.delete(bucket, key))


def parts(job: Job) -> Chore:
    """Abort uploads in parts that somebody left unfinished: no listing shows them, and they take space."""
    chore = Chore("uploads in parts that were left unfinished")
    for bucket in job.settings.buckets:
        for begun in objects(job.settings).begun(bucket):
            if begun.at < job.at - job.rules.uploads:
                done = job.apply and job.tries(partial(objects(job.settings).abort, begun))
                chore.add(f"s3://{bucket}/{begun.key}", done=done)
    return chore


CHORES = (uploads, documents, parts)
