"""The bucket of inputs: what somebody began to upload and never completed."""

from __future__ import annotations

from avatarlab_ops.housekeeping.chore import Chore, Job, pages
from avatarlab_ops.stores.catalog import transaction
from avatarlab_ops.stores.objects import objects
from avatarlab_ops.trust import inputs


def uploads(job: Job) -> Chore:
    """Remove files that arrived by an upload which nobody completed: no request may use them."""
    chore = Chore("uploads that were never completed")
    settings, bucket = job.settings, job.settings.bucket_inputs
    arrived = objects(settings).listed(bucket, inputs.UPLOADS)
    for page in pages(one for one in arrived if one.modified_at < job.at - job.rules.uploads):
        sizes = {f"s3://{bucket}/{one.key}": one.bytes for one in page}
        with transaction(settings.pg_dsn) as db:
            left = inputs.incomplete(db, sizes)
        for uri in sorted(left):
            done = job.apply and bool(objects(settings).delete(*inputs.place(settings, uri)))
            chore.add(uri, size=sizes[uri], done=done)
    return chore


def parts(job: Job) -> Chore:
    """Abort uploads in parts that somebody left unfinished: no listing shows them, and they take space."""
    chore = Chore("uploads in parts that were left unfinished")
    for bucket in job.settings.buckets:
        for begun in objects(job.settings).begun(bucket):
            if begun.at < job.at - job.rules.uploads:
                if job.apply:
                    objects(job.settings).abort(begun)
                chore.add(f"s3://{bucket}/{begun.key}", done=job.apply)
    return chore


CHORES = (uploads, parts)
