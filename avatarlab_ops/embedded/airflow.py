"""One Airflow installation of our own: configuration, secrets, connections, metadata database, pools.

Nothing here imports Airflow; its commands run as processes.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from string import Template
from urllib.parse import parse_qs, unquote, urlsplit, urlunsplit

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from avatarlab_ops import environment as variables
from avatarlab_ops.embedded import logins, servers
from avatarlab_ops.embedded.server import private_folder, write_private
from avatarlab_ops.errors import InputError, InvariantBroken, TransientError
from avatarlab_ops.home import root_folder
from avatarlab_ops.settings import Settings, redact

METADATA_DATABASE = "airflow"
CONNECT_S = 10
_ADVICE = ("(Background on this error", "^")  # what SQLAlchemy and Python print below their message


def project_root() -> Path:
    """Folder of dags/, plugins/, config/ and airflow.cfg.template: $AVATARLAB_ROOT, else near the package."""
    root = root_folder()
    if not (root / "airflow.cfg.template").is_file():
        raise InvariantBroken(
            f"{root} holds no airflow.cfg.template; set AVATARLAB_ROOT to the checkout of Avatarlab"
        )
    return root


@dataclass(frozen=True)
class Site:
    """Where one Airflow lives and listens. `state` is Avatarlab's state folder (`.avatarlab`)."""

    state: Path
    host: str
    port: int
    workers: int = 0  # Celery workers; 0: the scheduler runs the tasks itself
    root: Path = field(default_factory=project_root)

    @property
    def home(self) -> Path:
        """AIRFLOW_HOME."""
        return self.state / "airflow"

    @property
    def logs(self) -> Path:
        """Folder of every part's log and of the tasks' logs."""
        return self.state / "logs"

    @property
    def address(self) -> str:
        """Base URL people and parts use."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


def render_config(site: Site) -> str:
    """Airflow's configuration for this site, from airflow.cfg.template."""
    template = Template((site.root / "airflow.cfg.template").read_text())
    values = {
        "root": site.root,
        "airflow_home": site.home,
        "logs": site.logs,
        "host": site.host,
        "port": site.port,
        "address": site.address,
        "executor": "CeleryExecutor" if site.workers else "LocalExecutor",
        "users": logins.given(),
    }
    return template.substitute({name: str(value).replace("%", "%%") for name, value in values.items()})


def _kept(path: Path, make: dict[str, str]) -> dict[str, str]:
    """Contents of a 0600 JSON file; missing keys are taken from `make` and stored."""
    known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    if missing := make.keys() - known.keys():
        known |= {key: make[key] for key in missing}
        write_private(path, json.dumps(known))
    return known


def _passwords(site: Site) -> dict[str, str]:
    """Password of every user, generated once: what Airflow generates it prints into its log."""
    names = logins.roles(logins.given())
    return _kept(site.home / "passwords.json", {name: secrets.token_urlsafe(18) for name in names})


def _keys(site: Site) -> dict[str, str]:
    return _kept(
        site.home / "keys.json",
        {
            "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(64),
            "AIRFLOW__API__SECRET_KEY": secrets.token_urlsafe(48),
        },
    )


def metadata_dsn(settings: Settings) -> str:
    """DSN of Airflow's own database: $AVATARLAB_AIRFLOW_DSN, else `airflow` on Avatarlab's server."""
    if given := variables.read().airflow_dsn:
        return given.get_secret_value()
    return urlunsplit(urlsplit(settings.pg_dsn)._replace(path=f"/{METADATA_DATABASE}"))


def connections(settings: Settings) -> dict[str, str]:
    """The three stores as ordinary Airflow connections: AIRFLOW_CONN_<ID> -> JSON."""
    return {
        "AIRFLOW_CONN_AVATARLAB_POSTGRES": _connection("postgres", settings.pg_dsn),
        "AIRFLOW_CONN_AVATARLAB_MONGO": _connection("mongo", settings.mongo_uri),
        "AIRFLOW_CONN_AVATARLAB_S3": json.dumps(
            {
                "conn_type": "aws",
                "login": settings.s3_access_key,
                "password": settings.s3_secret_key,
                "extra": {"endpoint_url": settings.s3_endpoint, "region_name": settings.s3_region},
            }
        ),
    }


def _connection(conn_type: str, url: str) -> str:
    """An address as Airflow's JSON of a connection; several hosts are its host as they stand.

    plugins/avatarlab_connections.py puts it together again. `srv` is what Airflow's hook of MongoDB reads.
    """
    parts = urlsplit(url)
    login, _, hosts = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    host, colon, port = hosts.rpartition(":")
    alone = bool(colon) and port.isdecimal() and "," not in hosts
    query = parse_qs(parts.query, keep_blank_values=True)
    extra: dict[str, object] = {key: found if found[1:] else found[0] for key, found in query.items()}
    fields = {
        "conn_type": conn_type,
        "host": host if alone else hosts,
        "port": int(port) if alone else None,
        "login": unquote(user),
        "password": unquote(password),
        "schema": parts.path.lstrip("/"),
        "extra": extra | ({"srv": True} if parts.scheme.endswith("+srv") else {}),
    }
    return json.dumps({key: value for key, value in fields.items() if value})


def _celery(broker_url: str, metadata: str) -> dict[str, str]:
    """Where Celery's messages and results are: results in Airflow's own database, to survive the broker."""
    return {"AIRFLOW__CELERY__BROKER_URL": broker_url, "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{metadata}"}


def environment(site: Site, settings: Settings) -> dict[str, str]:
    """Environment of every Airflow part: the same keys for all, the stores' connections, our settings."""
    bin_folder = str(Path(sys.executable).parent)
    metadata = urlunsplit(urlsplit(metadata_dsn(settings))._replace(scheme="postgresql+psycopg2"))
    celery = _celery(servers.broker_url(site.state), metadata) if site.workers else {}
    return {
        **os.environ,
        **celery,
        **_keys(site),
        **connections(settings),
        "AIRFLOW_HOME": str(site.home),
        "AIRFLOW_CONFIG": str(site.home / "airflow.cfg"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": metadata,
        "AVATARLAB_HOME": str(site.state),
        "AVATARLAB_ROOT": str(site.root),
        "PATH": f"{bin_folder}{os.pathsep}{os.environ.get('PATH', '')}",
        "PYTHONPATH": os.pathsep.join([str(site.root / "config"), str(site.root)]),
        "PYTHONUNBUFFERED": "1",
    }


def command(*words: str) -> list[str]:
    """An `airflow` command of this very Python."""
    return [sys.executable, "-m", "airflow", *words]


def set_up(site: Site, settings: Settings) -> dict[str, str]:
    """Bring configuration, login, metadata database and pools up to date; returns the parts' environment."""
    private_folder(site.home)
    private_folder(site.logs)
    write_private(site.home / "airflow.cfg", render_config(site))
    _passwords(site)
    env = environment(site, settings)
    dsn = metadata_dsn(settings)
    _create_database(settings.pg_dsn, dsn)
    pools = site.home / "pools.json"
    write_private(pools, json.dumps(_pools(site)))
    stamp = site.home / "migrated.json"
    if not stamp.exists() or json.loads(stamp.read_text()) != _state(dsn, pools):
        _run(site, env, "db", "migrate")
        _run(site, env, "pools", "import", str(pools))
        write_private(stamp, json.dumps(_state(dsn, pools)))
    return env


def _pools(site: Site) -> dict[str, dict[str, object]]:
    """config/pools.json, the pool `gpu` as large as this machine's devices allow."""
    pools: dict[str, dict[str, object]] = json.loads((site.root / "config" / "pools.json").read_text())
    asked = subprocess.run(
        [sys.executable, "-m", "avatarlab_ops.engines.device"], capture_output=True, text=True, check=False
    )
    if asked.returncode == InputError.exit_code:
        raise InputError(asked.stdout.strip())
    if asked.returncode:
        raise InvariantBroken(f"the devices of this machine cannot be counted: {asked.stderr.strip()[-500:]}")
    pools["gpu"]["slots"] = int(asked.stdout)
    return pools


def _state(dsn: str, pools: Path) -> dict[str, str | None]:
    """What the database holds and what is installed; `airflow db migrate` is due when either changes."""
    return {
        "airflow": version("apache-airflow-core"),
        "revision": _revision(dsn),
        "pools": hashlib.sha256(pools.read_bytes()).hexdigest(),
    }


@contextmanager
def _connected(dsn: str) -> Iterator[psycopg.Connection]:
    """A connection to PostgreSQL that commits each statement.

    Raises InputError when the address is malformed, TransientError when PostgreSQL is away or refuses.
    """
    try:
        conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:  # its words may quote a part of the password
        raise InputError(
            f"{redact(dsn)} is no address of PostgreSQL: percent-encode what is special"
        ) from None
    try:
        with psycopg.connect(dsn, autocommit=True, connect_timeout=CONNECT_S) as connection:
            yield connection
    except psycopg.Error as error:
        told = str(error).strip().partition("\n")[0]
        raise TransientError(f"PostgreSQL at {redact(dsn)} did not answer as it should: {told}") from error


def _revision(dsn: str) -> str | None:
    with _connected(dsn) as connection:
        if connection.execute("SELECT to_regclass('public.alembic_version')").fetchone() == (None,):
            return None
        row = connection.execute("SELECT version_num FROM public.alembic_version").fetchone()
        return str(row[0]) if row else None


def _create_database(pg_dsn: str, dsn: str) -> None:
    if variables.read().airflow_dsn:
        return
    name = urlsplit(dsn).path.lstrip("/")
    with _connected(pg_dsn) as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            return
        try:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        except psycopg.errors.InsufficientPrivilege as error:
            raise TransientError(
                f"Airflow needs a database of its own and this PostgreSQL user may not create {name!r}: "
                f"create it, or name one in AVATARLAB_AIRFLOW_DSN"
            ) from error


def _run(site: Site, env: dict[str, str], *words: str) -> None:
    log = site.logs / "airflow-setup.log"
    with log.open("ab") as stream:
        done = subprocess.run(
            command(*words),
            env=env,
            cwd=site.home,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            check=False,
        )
    if done.returncode:
        raise InvariantBroken(
            f"`airflow {' '.join(words)}` ended with exit code {done.returncode}: "
            f"{_last_line(log)}; see {log}"
        )


def _last_line(log: Path) -> str:
    """The last line that says something: an exception's own words, not its stack."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines()[-200:]]
    said = [line for line in lines if line and not line.startswith(_ADVICE)]
    return said[-1] if said else "it said nothing"


def main() -> None:
    """`python -m avatarlab_ops.embedded.airflow STATE HOST PORT`: the configuration only, for an image."""
    state, host, port = sys.argv[1:]
    site = Site(Path(state), host, int(port))
    site.home.mkdir(parents=True, exist_ok=True)
    write_private(site.home / "airflow.cfg", render_config(site))


if __name__ == "__main__":
    main()
