"""Renders a page at a time, newest first."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.orm import aliased, defer

from avatarlab_ops.errors import RequestInvalid
from avatarlab_ops.renders.withdrawal import KEPT
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.catalog import line, reading, records
from avatarlab_ops.stores.catalog import tables as m
from avatarlab_ops.stores.catalog.tables import Render, Request


@dataclass(frozen=True)
class Wanted:
    """Which renders: those that fit all that is given."""

    states: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    avatar: str | None = None  # s3:// address
    caller: str | None = None
    since: datetime | None = None  # accepted at this time or later
    consent: str | None = None  # that they rely on
    awaits_approval: bool = False  # only those that somebody has to let be published
    begun: bool = False  # none that waits in line for its run to begin


@dataclass(frozen=True)
class Listed:
    """A render as a list shows it. `files`: names of what it published and still shows."""

    render: Render
    request: Request
    files: tuple[str, ...]


@dataclass(frozen=True)
class Page:
    """Renders, newest first. `cursor` asks for the next page, None on the last one."""

    renders: tuple[Listed, ...]
    cursor: str | None


def page(settings: Settings, wanted: Wanted, *, cursor: str | None = None, limit: int = 50) -> Page:
    """One page of the renders that are wanted. Raises RequestInvalid for a cursor that no page gave."""

    query = _query(wanted, cursor).limit(limit + 1)
    with reading(settings.pg_dsn) as db:
        rows = db.execute(query).all()
    listed = tuple(_listed(row.Render, row.Request, row.files) for row in rows[:limit])
    return Page(listed, _closed(listed[-1].render) if len(rows) > limit else None)


def some(settings: Settings, render_ids: Sequence[str]) -> list[Listed]:
    """These renders, newest first; those that nobody knows are left out."""
    query = _rows().where(m.Render.id.in_(render_ids))
    with reading(settings.pg_dsn) as db:
        rows = db.execute(query.order_by(m.Render.created_at.desc(), m.Render.id.desc())).all()
    return [_listed(row.Render, row.Request, row.files) for row in rows]


def _listed(render: Render, request: Request, files: Iterable[str]) -> Listed:
    """A render as lists show it; a withdrawn video has its manifest alone."""
    shown = files if render.withdrawn_at is None else {KEPT}.intersection(files)
    return Listed(render, request, tuple(sorted(shown)))


def _rows(*, plan: bool = False) -> sa.Select[Render, Request, Sequence[str]]:
    """Renders with their requests and names of files; without the plan, most of the bytes, unless asked."""
    mine = sa.select(m.PublishedFile.name).where(m.PublishedFile.render_id == m.Render.id)
    files = sa.func.array(mine.correlate(m.Render).scalar_subquery(), type_=sa.ARRAY(sa.Text)).label("files")
    query = sa.select(m.Render, m.Request, files).join(m.Request, m.Request.id == m.Render.request_id)
    unread = (m.Render.predicted,) if plan else (m.Render.predicted, m.Render.plan)
    return query.options(*(defer(column, raiseload=True) for column in unread))


def _query(wanted: Wanted, cursor: str | None) -> sa.Select[Render, Request, Sequence[str]]:
    """What fits, newest first. State, avatar, caller and each label have an index in this order."""
    query = _rows()
    created_at, render_id = m.Render.created_at, m.Render.id
    for kind, value in _tags(wanted):
        tag = aliased(m.RenderTag)
        same = sa.and_(tag.render_id == m.Render.id, tag.created_at == m.Render.created_at)
        query = query.join(tag, same).where(tag.kind == kind, tag.value == value)
        created_at, render_id = tag.created_at, tag.render_id
    if wanted.consent:
        query = query.join(m.RenderConsent, m.RenderConsent.render_id == m.Render.id)
        query = query.where(m.RenderConsent.consent_id == wanted.consent)
    if wanted.states:
        query = query.where(m.Render.state.in_(wanted.states))
    if wanted.awaits_approval:
        query = query.where(m.Render.awaits_approval)
    if wanted.begun:
        query = query.where(~line.waits())
    if wanted.since:
        query = query.where(created_at >= wanted.since)
    if cursor is not None:
        query = query.where(sa.tuple_(created_at, render_id) < sa.tuple_(*_opened(cursor)))
    return query.order_by(created_at.desc(), render_id.desc())


def _tags(wanted: Wanted) -> Iterator[tuple[str, str]]:
    """(kind, value) of the filters that `RenderTag` answers, the widest first."""
    if wanted.caller:
        yield "caller", wanted.caller
    if wanted.avatar:
        yield "avatar", wanted.avatar
    for name, value in wanted.labels:
        yield "label", f"{name}:{value}"


def _closed(render: Render) -> str:
    text = f"{render.created_at.isoformat()} {render.id}"
    return base64.urlsafe_b64encode(text.encode()).decode()


def _opened(cursor: str) -> tuple[datetime, str]:
    try:
        text = base64.b64decode(cursor, altchars=b"-_", validate=True).decode("ascii")
        at, _, render_id = text.partition(" ")
        return datetime.fromisoformat(at).astimezone(UTC), render_id.replace("\0", "")
    except (binascii.Error, ValueError, OverflowError) as error:
        raise RequestInvalid("cursor: is not one that a page gave; begin again without it") from error


def one(settings: Settings, render_id: str) -> Listed:
    """One render as a list shows it, and its plan. Raises ReferenceRefused when there is none."""
    with reading(settings.pg_dsn) as db:
        row = db.execute(_rows(plan=True).where(m.Render.id == render_id)).one_or_none()
    return _listed(row.Render, row.Request, row.files) if row else records.missing("render", render_id)
