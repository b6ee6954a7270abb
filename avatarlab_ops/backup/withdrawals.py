"""What was taken back, as a file beside a backup: written far more often, applied after a restore.

    withdrawals.jsonl    {"written_at"}, then a line each: {"kind": "consent" | "video" | "share",
                         "id", "at", "reason", "tombstone"}

So a restore to an older moment shows nothing again that was withdrawn since, and allows nothing again.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from avatarlab_ops.backup.folder import WITHDRAWALS
from avatarlab_ops.embedded.server import private_folder
from avatarlab_ops.errors import InputError
from avatarlab_ops.renders import withdrawal
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.catalog import records, transaction
from avatarlab_ops.stores.catalog import tables as m

SIGNED = ("record", "signature", "chain")
Json = dict[str, Any]


def write(settings: Settings, folder: Path) -> int:
    """Replace the folder's file by all that is withdrawn, revoked or ended now; return how much that is."""
    private_folder(folder)
    draft, count = folder / f"{WITHDRAWALS}.{os.getpid()}.new", -1
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file, transaction(settings.pg_dsn) as db:
        for line in chain([{"written_at": records.now().isoformat()}], _lines(db)):
            file.write(json.dumps(line) + "\n")
            count += 1
        file.flush()
        os.fsync(file.fileno())
    draft.replace(folder / WITHDRAWALS)
    return count


def known_until(folder: Path) -> str | None:
    """When the folder's file was written, ISO 8601; None where there is none, as in older backups."""
    if not (folder / WITHDRAWALS).exists():
        return None
    with (folder / WITHDRAWALS).open(encoding="utf-8") as lines:
        return str(json.loads(next(lines))["written_at"])


def _lines(db: Session) -> Iterator[Json]:
    consents = sa.select(m.Consent.id, m.Consent.revoked_at, m.Consent.revoked_reason)
    for consent_id, at, reason in db.execute(consents.where(m.Consent.revoked_at.is_not(None))):
        yield _line("consent", consent_id, at, reason=reason)
    videos = sa.select(m.Render, m.Tombstone).outerjoin(m.Tombstone, m.Tombstone.render_id == m.Render.id)
    gone = videos.where(m.Render.withdrawn_at.is_not(None)).execution_options(yield_per=1000)
    for render, stone in db.execute(gone):
        signed = {name: getattr(stone, name) for name in SIGNED} if stone else None
        why = {"reason": render.withdrawn_reason, "tombstone": signed}
        yield _line("video", render.id, render.withdrawn_at, **why)
    shares = sa.select(m.Share.id, m.Share.revoked_at).where(m.Share.revoked_at.is_not(None))
    for share_id, at in db.execute(shares):
        yield _line("share", share_id, at)


def _line(kind: str, name: str, at: datetime | None, **more: Any) -> Json:
    return {"kind": kind, "id": name, "at": at and at.isoformat()} | more


def apply(settings: Settings, folder: Path) -> Counter[str]:
    """Take back again whatever the folder's file names and the records do not know; return how many of each.

    May be repeated. What the records have never heard of came after the backup and is lost with it. Raises
    InputError, before anything is changed, for a file that is damaged.
    """
    path = folder / WITHDRAWALS
    if not path.exists():
        return Counter()
    for _ in _read(path):
        pass
    return Counter(line["kind"] for line in _read(path) if _again(settings, line))


def _read(path: Path) -> Iterator[Json]:
    with path.open(encoding="utf-8") as lines:
        next(lines, None)
        for number, line in enumerate(lines, 2):
            try:
                found = json.loads(line)
                datetime.fromisoformat(found["at"])
                _ = found["kind"], found["id"]
            except (ValueError, KeyError, TypeError) as error:
                raise InputError(
                    f"{path}, line {number} is damaged: {error!r}; nothing was taken back"
                ) from error
            yield found


def _again(settings: Settings, line: Json) -> bool:
    at = datetime.fromisoformat(line["at"])
    if line["kind"] == "consent":
        return _consent(settings, line, at)
    if line["kind"] == "video":
        return _video(settings, line, at)
    return _share(settings, line, at)


def _consent(settings: Settings, line: Json, at: datetime) -> bool:
    with transaction(settings.pg_dsn) as db:
        found = db.get(m.Consent, line["id"])
        if found is None or found.revoked_at is not None:
            return False
    withdrawal.revoke(settings, line["id"], line["reason"])
    with transaction(settings.pg_dsn) as db:
        db.execute(sa.update(m.Consent).where(m.Consent.id == line["id"]).values(revoked_at=at))
    return True


def _video(settings: Settings, line: Json, at: datetime) -> bool:
    """With the tombstone that was signed then, so that a copy of it proves the same as before."""
    with transaction(settings.pg_dsn) as db:
        found = db.get(m.Render, line["id"])
        if found is None:
            return False
        if line["tombstone"] and found.withdrawn_at is None:
            row = insert(m.Tombstone).values(render_id=line["id"], **line["tombstone"])
            db.execute(row.on_conflict_do_nothing())
    done = withdrawal.withdraw(settings, line["id"], line["reason"])  # removes files, also after a kill
    with transaction(settings.pg_dsn) as db:
        db.execute(sa.update(m.Render).where(m.Render.id == line["id"]).values(withdrawn_at=at))
    return done


def _share(settings: Settings, line: Json, at: datetime) -> bool:
    holds = sa.and_(m.Share.id == line["id"], m.Share.revoked_at.is_(None))
    change = sa.update(m.Share).where(holds).values(revoked_at=at).returning(m.Share.id)
    with transaction(settings.pg_dsn) as db:
        return db.scalars(change).first() is not None
