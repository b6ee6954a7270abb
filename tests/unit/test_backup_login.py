"""pg_dump and psql go where the catalog goes, with the password where no list of processes shows it."""

from __future__ import annotations

from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from avatarlab_ops.backup import records
from avatarlab_ops.settings import Settings


@pytest.mark.parametrize(
    ("dsn", "password", "address"),
    [
        ("postgresql://u:s3%23cret@h:1/db", "s3#cret", {"host": "h", "port": "1"}),
        (
            "postgresql://u@h/db?password=s3cret&sslmode=allow",
            "s3cret",
            {"host": "h", "sslmode": "allow"},
        ),
        ("postgresql://u:s3cret@/db?host=/var/run/a b", "s3cret", {"host": "/var/run/a b"}),
        ("postgresql://u:s3cret@/db?host=a:1&host=b:2", "s3cret", {"host": "a,b", "port": "1,2"}),
        ("postgresql://u@[::1]/db", None, {"host": "::1"}),
    ],
)
def test_the_password_is_in_the_environment_alone(
    dsn: str, password: str | None, address: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PGPASSWORD", raising=False)
    stores = Settings(dsn, "mongodb://h/d", "http://h", "key", "secret", Path("/nowhere"))
    told, environment = records._login(stores)
    assert conninfo_to_dict(told) == {"user": "u", "dbname": "db"} | address
    assert environment.get("PGPASSWORD") == password
