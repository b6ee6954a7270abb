"""Where the stores are, and with which credentials: from the environment, else from the embedded servers."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit, urlunsplit

from pydantic import SecretStr

from avatarlab_ops import environment
from avatarlab_ops.errors import InputError, TransientError
from avatarlab_ops.home import home_folder

SERVERS_FILE = "servers.json"  # mode 0600: addresses and passwords of the embedded servers

# Environment variables of each store and the Settings field each one fills; a store takes all or none.
VARIABLES: dict[str, dict[str, str]] = {
    "postgres": {"AVATARLAB_PG_DSN": "pg_dsn"},
    "mongo": {"AVATARLAB_MONGO_URI": "mongo_uri"},
    "s3": {
        "AVATARLAB_S3_ENDPOINT": "s3_endpoint",
        "AVATARLAB_S3_ACCESS_KEY": "s3_access_key",
        "AVATARLAB_S3_SECRET_KEY": "s3_secret_key",
    },
}
_SCHEMES = {
    "pg_dsn": ("postgresql", "postgres"),
    "mongo_uri": ("mongodb", "mongodb+srv"),
    "s3_endpoint": ("http", "https"),
}


@dataclass(frozen=True, repr=False)
class Settings:
    """Addresses and credentials of the three stores, and the folder that holds local state.

    pg_dsn: `postgresql://user:password@host:port/database`; mongo_uri: `mongodb://.../avatarlab?...`;
    s3_endpoint: `http(s)://host:port`; home: the state folder, `.avatarlab` unless AVATARLAB_HOME is set.
    """

    pg_dsn: str
    mongo_uri: str
    s3_endpoint: str
    s3_access_key: str
    s3_secret_key: str
    home: Path
    s3_region: str = "us-east-1"
    bucket_inputs: str = "inputs"
    bucket_artifacts: str = "artifacts"
    bucket_outputs: str = "outputs"
    bucket_models: str = "models"
    bucket_evidence: str = "evidence"  # what proves consents; no request can name it
    openlineage: str | None = None  # JSON of a transport, as in Airflow's option [openlineage] transport

    def __repr__(self) -> str:
        """Show where everything is, and no secret."""
        hidden = {"s3_access_key": "***", "s3_secret_key": "***"}
        if self.openlineage:
            hidden["openlineage"] = "***"  # may hold an API key
        shown = {f.name: hidden.get(f.name, getattr(self, f.name)) for f in fields(self)}
        shown |= {name: redact(shown[name]) for name in ("pg_dsn", "mongo_uri", "s3_endpoint")}
        return f"Settings({', '.join(f'{name}={str(value)!r}' for name, value in shown.items())})"

    @property
    def buckets(self) -> tuple[str, ...]:
        """Every bucket that Avatarlab uses."""
        return (
            self.bucket_inputs, self.bucket_artifacts, self.bucket_outputs,
            self.bucket_models, self.bucket_evidence,
        )  # fmt: skip

    @classmethod
    def from_env(cls, home: Path | None = None) -> Settings:
        """Read AVATARLAB_* variables; what they leave open comes from the embedded servers' file in `home`.

        `home` is the state folder unless given. Raises InputError for a half-configured store or a malformed
        address, TransientError when a store is neither configured nor was ever started.
        """
        home = home or home_folder()
        known = {**read_servers(home), **configured()}
        needed = [name for names in VARIABLES.values() for name in names.values()]
        missing = [name for name in needed if name not in known]
        if missing:
            raise TransientError(
                f"no address known for {', '.join(missing)}: {home / SERVERS_FILE} does not name it. "
                f"Start the local servers with `avatarlab up`, or set {', '.join(_variables(missing))}."
            )
        return cls(
            home=home,
            **{name: str(known[name]) for name in needed},
            s3_region=environment.read().s3_region,
            openlineage=os.environ.get("AIRFLOW__OPENLINEAGE__TRANSPORT") or None,  # Airflow's own option
        )


def configured() -> dict[str, str]:
    """Settings fields given by AVATARLAB_* variables. Raises InputError when a store is only half given."""
    known, found = environment.read(), dict[str, str]()
    for variables in VARIABLES.values():
        values = {name: _plain(getattr(known, field)) for name, field in variables.items()}
        given = [name for name, value in values.items() if value]
        if given and len(given) < len(variables):
            absent = ", ".join(name for name in variables if name not in given)
            raise InputError(
                f"{given[0]} is set, but {absent} is not: set all of {', '.join(variables)} or none"
            )
        found |= {variables[name]: values[name] for name in given}
    for name, value in found.items():
        _check_scheme(name, value)
    return found


def _plain(value: SecretStr | str | None) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else value or ""


def external() -> frozenset[str]:
    """Names of the stores ("postgres", "mongo", "s3") that the environment configures."""
    given = configured()
    return frozenset(store for store, names in VARIABLES.items() if set(names.values()) <= set(given))


def read_servers(home: Path) -> dict[str, Any]:
    """Content of the embedded servers' file, {} when there is none. Raises InputError when it is not JSON."""
    path = home / SERVERS_FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is damaged ({error}): restore it, or remove the folder {home}") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} is damaged (not an object): restore it, or remove the folder {home}")
    return content


def redact(url: str) -> str:
    """The address without its password and query; "***" when it cannot be taken apart."""
    try:
        parts = _parts(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "***"
    if not parts.hostname:
        return "***"
    user = f"{parts.username}:***@" if parts.username else ""
    return urlunsplit((parts.scheme, f"{user}{parts.hostname}{port}", parts.path, "", ""))


def _parts(url: str) -> SplitResult:
    """The address taken apart. Raises ValueError, also where a password with / or ? cuts it off too early."""
    parts = urlsplit(url)
    if parts.netloc and "@" not in parts.netloc and "@" in url:
        raise ValueError("a sign of the password ends the host")
    return parts


def _check_scheme(name: str, value: str) -> None:
    allowed = _SCHEMES.get(name)
    if allowed and value.split("://", 1)[0] not in allowed:
        variable = _variables([name])[0]
        raise InputError(
            f"{variable} must begin with {' or '.join(s + '://' for s in allowed)}, not {redact(value)}"
        )
    try:
        _parts(value)
    except ValueError as error:
        raise InputError(
            f"{_variables([name])[0]} cannot be taken apart: write an address of IPv6 in brackets, and what "
            "is special in a password by its code, %40 for @, %2F for /"
        ) from error


def _variables(names: list[str]) -> list[str]:
    return [variable for known in VARIABLES.values() for variable, name in known.items() if name in names]
