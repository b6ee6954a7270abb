"""Where a video came from, and which videos a change touches."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal, get_args

from avatarlab_ops.canonical import Json
from avatarlab_ops.errors import InputError, ReferenceRefused
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.catalog import ancestry, records, tables, transaction
from avatarlab_ops.stores.catalog.tables import Render

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


Change = Literal["input", "engine", "weights", "code"]  # of what, that videos may depend on
CHANGES: tuple[Change, ...] = get_args(Change)
PAGE = 100  # videos, unless asked otherwise
MOST = 10_000


@dataclass(frozen=True)
class Video:
    """A published video that a change touches."""

    render_id: str
    run_id: str | None  # Airflow's DAG run
    published_at: datetime
    uri: str | None
    sha256: str | None


@dataclass(frozen=True)
class Page:
    """Videos in the order of their render ids; `after` asks for the next page, None on the last one."""

    videos: tuple[Video, ...]
    after: str | None


def trace(settings: Settings, video: str) -> Json:
    """All that is recorded of a render and its ancestry, see `stores.catalog.lineage.lineage`.

    `video` is a render's id, a DAG run's id (its newest render) or the s3:// address of a published file.
    Raises ReferenceRefused when the catalog knows no such thing.
    """
    with transaction(settings.pg_dsn) as db:
        document = ancestry.lineage(db, find_render(db, settings, video).id)
    assert document is not None  # noqa: S101 (found above)
    return document


def find_render(db: Session, settings: Settings, video: str) -> Render:
    """The render that `video` names, see `trace`. Raises ReferenceRefused when there is none."""
    if video.startswith("s3://"):
        render_id = ancestry.render_of_file(db, video)
    else:
        render_id = next(iter(records.renders_of_run(db, video)), video)
    found = db.get(tables.Render, render_id) if render_id else None
    if found is None:
        raise ReferenceRefused(
            f"the catalog knows no video {video!r}; give the id of a render, the id of a DAG run, "
            f"or the address of a published file (s3://{settings.bucket_outputs}/renders/...)"
        )
    return found


def impact(settings: Settings, kind: str, value: str, *, after: str = "", limit: int = PAGE) -> Page:
    """One page of the published videos that a change touches, through shared and cached artifacts too.

    `kind` and `value`: input (s3:// address: any version of that object; or sha256 of an input object or an
    artifact), engine (NAME or NAME@VERSION), weights (file name or sha256), code (version as in the lineage).
    Raises InputError for an engine or weights that never made an artifact, and for a malformed value.
    """
    if not 1 <= limit <= MOST:
        raise InputError(f"a page holds 1 to {MOST} videos, not {limit}")
    with transaction(settings.pg_dsn) as db:
        source, keys = _keys(db, kind, value)
        rows = ancestry.touched(db, source, keys, after=after, size=limit + 1)
    videos = tuple(
        Video(row["render_id"], row["run_id"], row["ended_at"], row["uri"], row["sha256"])
        for row in rows[:limit]
    )
    return Page(videos, videos[-1].render_id if len(rows) > limit else None)


def all_touched(settings: Settings, kind: str, value: str, *, caller: str | None = None) -> list[str]:
    """Renders of all published videos that a change touches, see `impact`; of one caller if given."""
    with transaction(settings.pg_dsn) as db:
        return ancestry.touched_ids(db, *_keys(db, kind, value), caller)


def count_touched(settings: Settings, kind: str, value: str, *, caller: str | None = None) -> int:
    """How many `all_touched` gives."""
    with transaction(settings.pg_dsn) as db:
        return ancestry.touched_count(db, *_keys(db, kind, value), caller)


def _keys(db: Session, kind: str, value: str) -> tuple[str, list[str]]:
    """Kind and keys of `video_source` rows that the change is about."""
    if kind == "code":
        return "code", [value]
    if kind == "input":
        return _input(value)
    if kind not in ("engine", "weights"):
        raise InputError(f"there is no change of kind {kind!r}; choose input, engine, weights or code")
    found = ancestry.engines_with(db, value) if kind == "weights" else _engine(db, value)
    if not found:
        raise InputError(f"{kind}: nothing was ever made with {value!r}; known: {_known(db, kind)}")
    return "engine", found


def _input(value: str) -> tuple[str, list[str]]:
    if value.startswith("s3://"):
        return "reference", [value]
    if not re.fullmatch(r"[0-9a-f]{64}", value):
        raise InputError(f"input: {value!r} is neither an s3:// address nor a sha256 of 64 hex digits")
    return "input", [value]


def _engine(db: Session, value: str) -> list[str]:
    name, _, version = value.partition("@")
    return ancestry.engines_named(db, name, version or None)


def _known(db: Session, kind: str) -> str:
    engines = ancestry.engines_known(db)
    names = engines if kind == "engine" else {file for files in engines.values() for file in files}
    return ", ".join(sorted(names)) or "none yet"
