"""What was taken back, as a file beside a backup: written far more often, applied after a restore.

    withdrawals.jsonl    {"written_at"}, then a line each: {"kind": "consent" | "video" | "share",
                         "id", "at", "reason", "tombstone"}

So a restore to an older moment shows nothing again that was withdrawn since, and allows nothing again.
Nothing leaves the file: it may be written by the old database, a restored one that knows less, or a new one.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any, Literal, TypeVar

import sqlalchemy as sa
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from avatarlab_ops.backup.folder import WITHDRAWALS, Folder
from avatarlab_ops.backup.shelf import Shelf
from avatarlab_ops.embedded.process import exclusive
from avatarlab_ops.errors import ConsentError, InputError
from avatarlab_ops.renders import withdrawal
from avatarlab_ops.renders.ending import end
from avatarlab_ops.settings import Settings
from avatarlab_ops.states import RenderState
from avatarlab_ops.stores import outbox
from avatarlab_ops.stores.catalog import records, transaction
from avatarlab_ops.stores.catalog import tables as m

Read = TypeVar("Read", bound=BaseModel)


class Strict(BaseModel):
    """A line of the file: nothing more, nothing less."""

    model_config = ConfigDict(extra="forbid", frozen=True, from_attributes=True)


class Head(Strict):
    """The first line."""

    written_at: AwareDatetime


class Signed(Strict):
    """A tombstone as it was signed."""

    record: str
    signature: str
    chain: str


class Line(Strict):
    """Something that was taken back. `tombstone`: of videos alone."""

    kind: Literal["consent", "video", "share"]
    id: str = Field(min_length=1)
    at: AwareDatetime
    reason: str = ""
    tombstone: Signed | None = None

    @property
    def key(self) -> str:
        """What it is about."""
        return f"{self.kind} {self.id}"


def write(settings: Settings, folder: Path) -> int:
    """Add to the folder's file all that is withdrawn, revoked or ended now; return how much it has then.

    Its lock is its own: a backup may take hours, this is done each minute. Raises InputError for a file that
    is damaged, which is left as it is, and for a folder of other things.
    """
    Folder(folder).claim()
    path = folder / WITHDRAWALS
    draft = path.with_name(f"{WITHDRAWALS}.new")
    with (
        exclusive(path.with_name(f"{WITHDRAWALS}.lock")),
        transaction(settings.pg_dsn) as db,
        Shelf() as ours,
    ):
        db.connection(execution_options={"isolation_level": "REPEATABLE READ"})  # read twice, the same
        ours.add(line.key for line in _lines(db))
        head, others = _head(path, ours), (line for line in read(folder) if line.key not in ours)
        try:
            count = _save(draft, head, chain(_lines(db), others))
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    return count


def _head(path: Path, ours: Shelf) -> Head:
    """Of now; but a database that knows nothing of what the file says is a new one, and tells no news."""
    strange = [line.key not in ours for line in read(path.parent)]
    if strange and all(strange):
        return _first(path)
    return Head(written_at=records.now())


def _save(draft: Path, head: Head, lines: Iterable[Line]) -> int:
    """Write a whole file to disk; return the number of its lines without the head."""
    count = -1
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        for one in chain([head], lines):
            file.write(one.model_dump_json() + "\n")
            count += 1
        file.flush()
        os.fsync(file.fileno())
    return count


def _lines(db: Session) -> Iterator[Line]:
    consents = sa.select(m.Consent.id, m.Consent.revoked_at, m.Consent.revoked_reason)
    for name, at, reason in db.execute(consents.where(m.Consent.revoked_at.is_not(None))):
        yield _line("consent", name, at, reason=reason or "")
    videos = sa.select(m.Render, m.Tombstone).outerjoin(m.Tombstone, m.Tombstone.render_id == m.Render.id)
    gone = videos.where(m.Render.withdrawn_at.is_not(None)).execution_options(yield_per=1000)
    for render, stone in db.execute(gone):
        why = {"reason": render.withdrawn_reason or "", "tombstone": stone}
        yield _line("video", render.id, render.withdrawn_at, **why)
    shares = sa.select(m.Share.id, m.Share.revoked_at).where(m.Share.revoked_at.is_not(None))
    for name, at in db.execute(shares):
        yield _line("share", name, at)


def _line(kind: str, name: str, at: datetime | None, **more: Any) -> Line:
    return Line.model_validate({"kind": kind, "id": name, "at": at} | more)


def known_until(folder: Path) -> str | None:
    """When the folder's file was written, ISO 8601; None where there is none, as in older backups.

    Raises InputError for a file that is damaged.
    """
    path = folder / WITHDRAWALS
    return _first(path).written_at.isoformat() if path.exists() else None


def _first(path: Path) -> Head:
    with path.open(encoding="utf-8") as lines:
        return _parsed(Head, next(lines, ""), path, 1)


def read(folder: Path) -> Iterator[Line]:
    """All that the folder's file says was taken back; nothing where there is none.

    Raises InputError, with the number of the line, where it is damaged.
    """
    path = folder / WITHDRAWALS
    if not path.exists():
        return
    with path.open(encoding="utf-8") as lines:
        _parsed(Head, next(lines, ""), path, 1)
        for number, line in enumerate(lines, 2):
            yield _parsed(Line, line, path, number)


def _parsed(model: type[Read], line: str, path: Path, number: int) -> Read:
    try:
        return model.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise InputError(
            f"{path}, line {number} is damaged: {where} {first['msg']}; nothing was done. "
            "Put a whole copy in its place, or mend the line"
        ) from error


def apply(settings: Settings, folder: Path) -> Counter[str]:
    """Take back again whatever the folder's file names and the records do not know; return how many of each.

    May be repeated. What the records have never heard of came after the backup and is lost with it. Raises
    InputError, before anything is changed, for a file that is damaged.
    """
    check(folder)
    return Counter(line.kind for line in read(folder) if _AGAIN[line.kind](settings, line))


def check(folder: Path) -> None:
    """Raise InputError when the folder's file is damaged."""
    for _ in read(folder):
        pass


def _consent(settings: Settings, line: Line) -> bool:
    with transaction(settings.pg_dsn) as db:
        found = db.get(m.Consent, line.id)
        if found is None or found.revoked_at is not None:
            return False
    withdrawal.revoke(settings, line.id, line.reason)
    with transaction(settings.pg_dsn) as db:
        db.execute(sa.update(m.Consent).where(m.Consent.id == line.id).values(revoked_at=line.at))
    return True


def _video(settings: Settings, line: Line) -> bool:
    """A published one, with the tombstone that was signed then, so that a copy of it proves the same.

    One that had not ended when the backup was taken ends as failed: it must not be published a second time.
    """
    published = sa.and_(m.Render.id == line.id, m.Render.state == RenderState.PUBLISHED)
    with transaction(settings.pg_dsn) as db:
        if db.get(m.Render, line.id) is None:
            return False
        why = ConsentError(f"the video was withdrawn on {line.at:%Y-%m-%d}, after the backup: {line.reason}")
        stopped = end(settings, db, line.id, RenderState.FAILED, error=why)
        fresh = db.scalar(
            sa.select(published & m.Render.withdrawn_at.is_(None)).where(m.Render.id == line.id)
        )
        if line.tombstone and fresh:
            row = insert(m.Tombstone).values(render_id=line.id, **line.tombstone.model_dump())
            db.execute(row.on_conflict_do_nothing())
    if stopped:
        outbox.deliver(settings, render_id=line.id)
        return True
    done = withdrawal.withdraw(settings, line.id, line.reason)  # removes files, also after a kill
    with transaction(settings.pg_dsn) as db:
        db.execute(sa.update(m.Render).where(published).values(withdrawn_at=line.at))
    return done


def _share(settings: Settings, line: Line) -> bool:
    holds = sa.and_(m.Share.id == line.id, m.Share.revoked_at.is_(None))
    change = sa.update(m.Share).where(holds).values(revoked_at=line.at).returning(m.Share.id)
    with transaction(settings.pg_dsn) as db:
        return db.scalars(change).first() is not None


_AGAIN = {"consent": _consent, "video": _video, "share": _share}
