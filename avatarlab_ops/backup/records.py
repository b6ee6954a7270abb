"""PostgreSQL in a backup: pg_dump and pg_restore of the database, and which objects its records name."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

import sqlalchemy as sa

from avatarlab_ops.embedded.postgres import client_program
from avatarlab_ops.errors import InputError, TransientError
from avatarlab_ops.fields import split_reference
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores import catalog
from avatarlab_ops.stores.catalog import tables as m

VERSION = "avatarlab_version"  # the table that says which migrations the others have seen
Place = tuple[str, str]  # bucket and key


@contextmanager
def snapshot(settings: Settings) -> Iterator[sa.Connection]:
    """A connection that goes on seeing the records as they are now, and may lend that view."""
    if not catalog.is_current(settings.pg_dsn):
        raise InputError("the records are of another version: run `avatarlab doctor`, then back up")
    with catalog.engine(settings.pg_dsn).connect() as connection:
        yield connection.execution_options(isolation_level="REPEATABLE READ")


def dump(settings: Settings, seen: sa.Connection, path: Path) -> None:
    """Write the database as `seen` by a snapshot."""
    view = seen.scalar(sa.text("SELECT pg_export_snapshot()"))
    _run("pg_dump", settings, f"--snapshot={view}", "--format=custom", "--no-owner", f"--file={path}")


def load(settings: Settings, path: Path) -> None:
    """Write a dump into the empty database: all of it or nothing."""
    _run("pg_restore", settings, "--single-transaction", "--exit-on-error", "--no-owner", str(path))


def is_empty(settings: Settings) -> bool:
    """Whether the database has none of Avatarlab's tables."""
    with catalog.transaction(settings.pg_dsn) as db:
        return db.scalar(sa.text("SELECT to_regclass(:table)"), {"table": VERSION}) is None


def named(settings: Settings, seen: sa.Connection) -> Iterator[Place]:
    """Every object that the records promise: of artifacts that are kept, videos that are shown, evidence."""
    seen = seen.execution_options(yield_per=1000)
    kept = sa.select(m.Artifact.key, m.Artifact.files).where(m.Artifact.evicted_at.is_(None))
    for key, files in seen.execute(kept):
        for one in (key, *(file["key"] for file in files.values())):
            yield settings.bucket_artifacts, one
    files = sa.select(m.PublishedFile.uri).join(m.Render, m.Render.id == m.PublishedFile.render_id)
    shown = files.where(m.Render.withdrawn_at.is_(None))
    evidence = sa.select(m.Consent.document_uri).where(m.Consent.document_uri.is_not(None))
    for uris in (shown, evidence):
        yield from (split_reference(uri) for uri in seen.scalars(uris) if uri)


def _run(program: str, settings: Settings, *words: str) -> None:
    """One of PostgreSQL's programs on the database; the password goes by its environment."""
    parts = urlsplit(settings.pg_dsn)
    address = urlunsplit(parts._replace(netloc=parts.netloc.replace(f":{parts.password}@", "@")))
    secret = {"PGPASSWORD": unquote(parts.password)} if parts.password else {}
    command = [str(client_program(program)), "--no-password", f"--dbname={address}", *words]
    done = subprocess.run(command, env=os.environ | secret, capture_output=True, text=True, check=False)
    if done.returncode:
        raise TransientError(f"{program} failed: {done.stderr.strip()[-500:]}")
