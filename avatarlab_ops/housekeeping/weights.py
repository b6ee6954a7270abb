"""The bucket of models: files that no record names, records whose file is gone."""

from __future__ import annotations

from functools import partial

from avatarlab_ops import model_files
from avatarlab_ops.engines.published import PUBLISHED
from avatarlab_ops.housekeeping.chore import Chore, Job
from avatarlab_ops.stores.objects import objects


def weights(job: Job) -> Chore:
    """Remove what an addition that was killed left; report what only an operator can add again.

    A file that was replaced by a newer one stays: earlier videos were made with it.
    """
    chore = Chore("model files whose objects and records disagree")
    store, bucket = objects(job.settings), job.settings.bucket_models
    present = {one.key: one for one in store.listed(bucket, "files/")}
    # Read after the files, so that an addition in between has its record.
    records = {model_files.key_of(record): record for record in model_files.recorded(job.settings)}
    for key in sorted(present.keys() - records.keys()):
        if present[key].modified_at < job.settled:
            done = job.apply and job.tries(partial(store.delete, bucket, key))
            chore.add(f"{key}: file without a record", size=present[key].bytes, done=done)
    for key in sorted(records.keys() - present.keys()):
        name, size = records[key].name, records[key].bytes
        add = f"add it again: `{PUBLISHED[name].command}`" if name in PUBLISHED else "no engine reads it"
        chore.add(f"{key}: record without its file; {add}", size=size)
    return chore
