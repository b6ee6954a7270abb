"""The catalog: PostgreSQL through SQLAlchemy. Connections, transactions, locks and migrations."""

from __future__ import annotations

import atexit
import hashlib
import logging
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session, configure_mappers

from avatarlab_ops import tracing
from avatarlab_ops.errors import InputError, TransientError, WorkInFlight

log = logging.getLogger(__name__)

MIGRATIONS = Path(__file__).parent / "migrations"
HEAD = "0033"  # newest migration
# The oldest code that goes on over the tables of HEAD. A migration that only adds leaves it as it is; one
# that changes or takes away what code before it uses names itself here (tests/integration/test_rollback.py).
SERVES = "0032"
# The table's comment names the oldest code that these tables serve.
COMMENT = "SELECT obj_description(to_regclass('avatarlab_version'), 'pg_class')"
# A role without privileges sees NULL as backend_type of other roles' sessions; background processes have no
# usesysid.
OPEN = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND usesysid IS NOT NULL
AND coalesce(backend_type, 'client backend') = 'client backend'
"""
TELL_EVERY_S = 300.0  # that a lock is waited for still
LOCK_POLL_MS = 2000  # how long one wait for a lock lasts before the waiter looks around
TABLES = "avatarlab migrations"  # the lock of who changes them
TABLES_POLL_S = 0.1  # between two looks at it
KEPT_OPEN, MOST_CONNECTIONS = 2, 10  # of one process
# A dead peer is noticed within a minute, on both ends.
CONNECT = {
    "connect_timeout": 5,
    "options": "-c tcp_keepalives_idle=20 -c tcp_keepalives_interval=10 -c timezone=UTC",
    "keepalives_idle": 20,
    "keepalives_interval": 10,
    "keepalives_count": 3,
}

_engines: dict[tuple[int, str], sa.Engine] = {}


def engine(dsn: str) -> sa.Engine:
    """One small pool per process and server; a forked child makes its own."""
    key = (os.getpid(), dsn)
    if key not in _engines:
        url = sa.make_url(dsn).set(drivername="postgresql+psycopg")
        _engines[key] = sa.create_engine(
            url,
            pool_size=KEPT_OPEN,
            max_overflow=MOST_CONNECTIONS - KEPT_OPEN,
            pool_pre_ping=True,
            connect_args=CONNECT,
        )
    return _engines[key]


def answers(dsn: str, patience_s: int) -> bool:
    """Whether PostgreSQL lets somebody in within so many seconds (two at least)."""
    try:
        psycopg.connect(dsn, connect_timeout=patience_s).close()
    except psycopg.Error:
        return False
    return True


@atexit.register
def _take_leave() -> None:
    """Close what this process has opened; a child's copies of its parent's connections are not its own."""
    for (pid, _), opened in _engines.items():
        if pid == os.getpid():
            opened.dispose()


def preload() -> None:
    """Load the driver and connect the models to each other; opens no connection."""
    from avatarlab_ops.stores.catalog import tables  # noqa: F401 (configure_mappers looks for them)

    sa.create_engine("postgresql+psycopg://")
    configure_mappers()


@contextmanager
def _mapped() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError, InternalError) as error:
        told = f"PostgreSQL did not answer: {_first_line(error)}; is it up? (`avatarlab up`)"
        raise TransientError(told) from error
    except PoolTimeout as error:  # the server is up, and this process is to blame
        told = f"all {MOST_CONNECTIONS} connections of this process to PostgreSQL are in use; ask again"
        raise TransientError(told) from error


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).strip().partition("\n")[0]


@contextmanager
def transaction(dsn: str) -> Iterator[Session]:
    """One transaction: all of it happens, or nothing. Raises TransientError when the server is away."""
    with _mapped(), Session(engine(dsn), expire_on_commit=False) as session, session.begin():
        yield session


@contextmanager
def reading(dsn: str) -> Iterator[Session]:
    """For one query that changes nothing: it spares the round trips that begin and end a transaction."""
    alone = {"isolation_level": "AUTOCOMMIT"}
    with _mapped(), engine(dsn).connect() as connection, Session(connection.execution_options(**alone)) as db:
        yield db


def lock_number(name: str) -> int:
    """The server's number of a named lock."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)


@contextmanager
def lock(
    dsn: str,
    name: str,
    *,
    wait_s: float,
    check: Callable[[], None] = lambda: None,
    alive: str | None = None,
) -> Iterator[None]:
    """Hold the lock `name`; the server frees it when this process dies.

    `check` is called every two seconds of waiting and may raise. Raises WorkInFlight after `wait_s`, never
    after math.inf. Losing the server also loses the lock: what is done under it must be safe to do twice.
    `alive` names a lock that is held as well, shared with others: it shows that somebody works on that.
    """
    number = lock_number(name)
    with _of_ones_own(dsn) as connection:
        with _mapped():
            patience_ms = round(min(LOCK_POLL_MS, max(1, wait_s * 1000)))
            connection.exec_driver_sql(f"SET lock_timeout = {patience_ms}")
        began = told = time.monotonic()
        with tracing.span("wait for lock", lock=name):
            while not _acquired(connection, number):
                check()
                now = time.monotonic()
                if now > began + wait_s:
                    raise WorkInFlight(f"equal work is still running after {wait_s:.0f} s ({name})", name)
                if now > told + TELL_EVERY_S:
                    log.warning(
                        "%s: another process has worked on it for %.0f s or longer", name, now - began
                    )
                    told = now
        if alive is not None:
            shared = sa.text("SELECT pg_advisory_lock_shared(:number)")
            with _mapped():
                connection.execute(shared, {"number": lock_number(alive)})
        yield


@contextmanager
def _of_ones_own(dsn: str) -> Iterator[sa.Connection]:
    """A connection for locks; it goes back to the pool without them, or is closed, which frees them too."""
    with _mapped():
        connection = engine(dsn).connect().execution_options(isolation_level="AUTOCOMMIT")
    try:
        yield connection
    finally:
        try:
            connection.exec_driver_sql("SELECT pg_advisory_unlock_all()")
            connection.exec_driver_sql("RESET lock_timeout")
        except DBAPIError:
            connection.invalidate()
        connection.close()


def _acquired(connection: sa.Connection, number: int) -> bool:
    try:
        connection.execute(sa.text("SELECT pg_advisory_lock(:number)"), {"number": number})
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", "") == "55P03":  # lock_not_available
            return False
        raise TransientError(f"PostgreSQL did not answer: {_first_line(error)}") from error
    return True


@contextmanager
def _alone_with_tables(dsn: str, wait_s: float) -> Iterator[None]:
    """Hold the migrations' lock. Raises WorkInFlight after `wait_s`.

    Not `lock`: who waits in a statement has a snapshot, and CREATE INDEX CONCURRENTLY waits for each such.
    """
    look, number = sa.text("SELECT pg_try_advisory_lock(:number)"), lock_number(TABLES)
    end = time.monotonic() + wait_s
    with _of_ones_own(dsn) as connection:
        with _mapped():
            while not connection.scalar(look, {"number": number}):
                if time.monotonic() > end:
                    raise WorkInFlight(f"others still change the tables after {wait_s:.0f} s", TABLES)
                time.sleep(TABLES_POLL_S)
        yield


def migrate(dsn: str) -> None:
    """Bring the tables to the newest version; safe when several processes call it at once.

    Those of newer code stay as they are where they serve this code; else raises TransientError.
    """
    with _alone_with_tables(dsn, 120), _mapped(), engine(dsn).connect() as connection:
        if _newer(connection):
            return
        found = _version(connection)
        connection.rollback()
        if found:  # before the upgrade, too: it may be killed before the line after it
            _say_whom_they_serve(connection)
        command.upgrade(_config(connection), "head")
        _say_whom_they_serve(connection)


def _say_whom_they_serve(connection: sa.Connection) -> None:
    connection.exec_driver_sql(f"COMMENT ON TABLE avatarlab_version IS 'serves code from {SERVES} on'")
    connection.commit()


def take_back(dsn: str, version: str) -> None:
    """Make the tables those of code whose HEAD is `version`; what only newer code knows is lost.

    Raises InputError for a version that is none before theirs, and while anybody else is connected.
    """
    with _alone_with_tables(dsn, 5), _mapped(), engine(dsn).connect() as connection:
        found = _version(connection)
        scripts = ScriptDirectory.from_config(_config(connection))
        known = {script.revision for script in scripts.walk_revisions()}
        if version not in known or found not in known or version > found:
            raise InputError(
                f"{version!r} is not a version of tables before {found!r}; give HEAD of the older code"
            )
        others = (connection.scalar(sa.text(OPEN)) or 0) - 2  # the lock's connection and this one
        connection.rollback()
        if others > 0:
            raise InputError(f"{others} others are connected to the tables; stop all that uses them first")
        command.downgrade(_config(connection), version)


def _config(connection: sa.Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def is_current(dsn: str) -> bool:
    """Whether the tables are there, in the newest version or a newer one. Raises as `migrate` does."""
    with _mapped(), engine(dsn).connect() as connection:
        return _newer(connection) or _version(connection) == HEAD


def _newer(connection: sa.Connection) -> bool:
    """Whether newer code made these tables, and they serve this. Raises TransientError where they do not."""
    found = _version(connection)
    told = connection.scalar(sa.text(COMMENT))
    connection.rollback()
    if found is None or found <= HEAD:
        return False
    serves = re.fullmatch(r"serves code from (\d{4}) on", str(told))
    if serves is None or serves[1] > HEAD:
        from_ = f"code from {serves[1]} on" if serves else "no earlier code"
        raise TransientError(
            f"the tables are of version {found} and serve {from_}; this code is {HEAD}. Start the newer code "
            f"again, or stop everything and take them back with it: `avatarlab tables --back-to {HEAD}`"
        )
    return True


def version(dsn: str) -> str | None:
    """The version of the tables; None where there are no tables."""
    with _mapped(), engine(dsn).connect() as connection:
        return _version(connection)


def _version(connection: sa.Connection) -> str | None:
    if connection.scalar(sa.text("SELECT to_regclass('avatarlab_version')")) is None:
        return None
    found = connection.scalar(sa.text("SELECT version_num FROM avatarlab_version"))
    return None if found is None else str(found)
