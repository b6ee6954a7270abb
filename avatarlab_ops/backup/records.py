"""PostgreSQL in a backup: pg_dump and pg_restore of the database, and which objects its records name."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import IO, cast

import sqlalchemy as sa
from psycopg.conninfo import make_conninfo

from avatarlab_ops.embedded.postgres import client_program
from avatarlab_ops.errors import InputError, TransientError
from avatarlab_ops.fields import split_reference
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores import catalog
from avatarlab_ops.stores.catalog import tables as m

VERSION = "avatarlab_version"  # the table that says which migrations the others have seen
HEAD_LINES = 40  # of what pg_restore writes: its settings are among them, of the data none
UNKNOWN = b"SET transaction_timeout = 0;"  # to servers before 17: it says so to every one
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
    address, environment = _login(settings)
    how = ("--no-password", f"--snapshot={view}", "--format=custom", "--no-owner", f"--file={path}")
    command = [str(client_program("pg_dump")), f"--dbname={address}", *how]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise TransientError(f"pg_dump failed: {done.stderr.strip()[-500:]}")


def load(settings: Settings, path: Path) -> None:
    """Write a dump into the empty database: all of it or nothing.

    By psql, which is given what pg_restore writes: a server older than 17 knows one of its settings not.
    """
    address, environment = _login(settings)
    script = [str(client_program("pg_restore")), "--no-owner", "--file=-", str(path)]
    quiet = ("--no-psqlrc", "--quiet", "--output=/dev/null", "--set=ON_ERROR_STOP=1")
    fill = [str(client_program("psql")), "--no-password", f"--dbname={address}", *quiet]
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(script, stdout=subprocess.PIPE, stderr=said) as reading,
        subprocess.Popen(fill, env=environment, stdin=subprocess.PIPE, stderr=said) as filling,
    ):
        with suppress(BrokenPipeError):  # it has ended, and says why
            _pass_on(settings, reading, filling)
        done = filling.wait() or reading.wait()
        said.seek(0)
        told = said.read().decode(errors="replace").strip()
    if done:
        raise TransientError(f"pg_restore failed: {told[-500:]}")


def _pass_on(settings: Settings, reading: subprocess.Popen[bytes], filling: subprocess.Popen[bytes]) -> None:
    """Give psql the whole script as one transaction, which a script that ends early leaves open."""
    given, taken = cast("IO[bytes]", reading.stdout), cast("IO[bytes]", filling.stdin)
    with given, taken:
        taken.write(b"BEGIN;\n")
        for line in islice(given, HEAD_LINES):
            if line.rstrip() != UNKNOWN or _knows_it(settings):
                taken.write(line)
        shutil.copyfileobj(given, taken, 1 << 20)
        if reading.wait() == 0:
            taken.write(b"COMMIT;\n")


def _knows_it(settings: Settings) -> bool:
    with catalog.transaction(settings.pg_dsn) as db:
        return bool(db.scalar(sa.text("SELECT current_setting('server_version_num')::int >= 170000")))


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


def _login(settings: Settings) -> tuple[str, dict[str, str]]:
    """Where the catalog connects to, without the password, and the environment by which that goes."""
    catalogued = catalog.engine(settings.pg_dsn)
    _, given = catalogued.dialect.create_connect_args(catalogued.url)
    given.pop("context", None)  # no part of the address: SQLAlchemy's own word to psycopg
    password = given.pop("password", None)
    return make_conninfo(**given), os.environ | ({"PGPASSWORD": password} if password else {})
