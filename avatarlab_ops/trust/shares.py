"""Links that let somebody without a login see one video, or all that was made on one consent.

A link holds its record's id, the moment it expires, and a signature (HMAC-SHA256) over both. So what is wrong
or expired is refused without asking a store; the record says what it leads to, and whether it was taken back.
The key is derived from the object store's, which signs addresses of files, too: all who serve have it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import uuid
from base64 import urlsafe_b64encode
from datetime import timedelta
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from avatarlab_ops.errors import InputError
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.catalog import records, transaction
from avatarlab_ops.stores.catalog.tables import Share

Kind = Literal["video", "consent"]
PURPOSE = b"avatarlab: links for people without a login"
FORM = re.compile(r"([0-9a-f]{16})\.([0-9]{1,12})\.[A-Za-z0-9_-]{43}", re.ASCII)


def make(
    db: Session, settings: Settings, kind: Kind, target: str, *, days: int, by: str
) -> tuple[Share, str]:
    """(record, link) for a render's or a consent's id; it expires after so many days.

    The link is told here and never again: it is kept nowhere. Raises InputError where there is no key.
    """
    if not settings.s3_secret_key:
        raise InputError(
            "links are signed with a key derived from the object store's secret key, and this deployment "
            "has none; give the connection avatarlab_s3 a password"
        )
    expires_at = (records.now() + timedelta(days=days)).replace(microsecond=0)
    share = Share(id=uuid.uuid4().hex[:16], kind=kind, target=target, expires_at=expires_at, created_by=by)
    db.add(share)
    db.flush()
    db.refresh(share)
    return share, _signed(settings, f"{share.id}.{int(expires_at.timestamp())}")


def read(settings: Settings, link: str) -> Share | None:
    """The record that a link leads to; None for one that is wrong, altered, expired or taken back."""
    form = FORM.fullmatch(link)
    if form is None or not settings.s3_secret_key:
        return None
    share_id, expires = form.groups()
    genuine = hmac.compare_digest(link, _signed(settings, f"{share_id}.{expires}"))
    if not genuine or int(expires) <= records.now().timestamp():
        return None
    with transaction(settings.pg_dsn) as db:
        share = db.get(Share, share_id)
    return share if share is not None and share.revoked_at is None else None


def listed(db: Session, kind: Kind, target: str) -> list[Share]:
    """Links to one video or consent that hold now, newest first."""
    holds = sa.and_(Share.revoked_at.is_(None), Share.expires_at > records.now())
    mine = sa.select(Share).where(Share.kind == kind, Share.target == target, holds)
    return list(db.scalars(mine.order_by(Share.created_at.desc(), Share.id)))


def revoke(share: Share) -> None:
    """End a link, whose record is the caller's transaction's; may be repeated."""
    share.revoked_at = share.revoked_at or records.now()


def _signed(settings: Settings, text: str) -> str:
    key = hmac.digest(settings.s3_secret_key.encode(), PURPOSE, hashlib.sha256)
    mac = hmac.digest(key, text.encode(), hashlib.sha256)
    return f"{text}.{urlsafe_b64encode(mac).decode().rstrip('=')}"
