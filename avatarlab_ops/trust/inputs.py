"""Which objects a request may name: those of the bucket of inputs, and no proof of a consent."""

from __future__ import annotations

from avatarlab_ops.errors import ReferenceRefused
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.objects import split_or_refuse

FORMER_EVIDENCE = "consent/"  # where proofs lay before they had a bucket of their own


def place(settings: Settings, uri: str, where: str = "") -> tuple[str, str]:
    """(bucket, key) of an object that a request, a bulk file or a form names in the field `where`.

    Raises ReferenceRefused for what is malformed, in another bucket, or a proof of a consent.
    """
    said = f"{where}: {uri}" if where else uri
    bucket, key = split_or_refuse(uri)
    if bucket != settings.bucket_inputs:
        raise ReferenceRefused(
            f"{said} is not in the bucket of inputs; use s3://{settings.bucket_inputs}/..."
        )
    if key.startswith(FORMER_EVIDENCE):
        raise ReferenceRefused(f"{said} is kept for proofs of consent; upload the file under another key")
    return bucket, key
