"""Where the stores are: environment, servers file, and messages that a person can act on."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatarlab_ops import environment
from avatarlab_ops.errors import InputError, TransientError
from avatarlab_ops.home import home_folder
from avatarlab_ops.settings import SERVERS_FILE, Settings, configured, external, redact

T = TypeVar("T")
GIVEN = {
    "AVATARLAB_PG_DSN": "postgresql://me:pgsecret@db:5433/avatarlab",
    "AVATARLAB_MONGO_URI": "mongodb://me:mongosecret@docs:27017/avatarlab?authSource=admin",
    "AVATARLAB_S3_ENDPOINT": "https://objects:9000",
    "AVATARLAB_S3_ACCESS_KEY": "accesskey",
    "AVATARLAB_S3_SECRET_KEY": "s3secret",
}
STORED = {
    "pg_dsn": "postgresql://a:b@127.0.0.1:1/avatarlab",
    "mongo_uri": "mongodb://a:b@127.0.0.1:2/avatarlab",
    "s3_endpoint": "http://127.0.0.1:3",
    "s3_access_key": "k",
    "s3_secret_key": "s",
    "postgres": {"ports": {"postgres": 1}, "password": "b"},
}


def _reading(read: Callable[[], T], env: dict[str, str]) -> T:
    with patch.dict(os.environ, env, clear=True):
        return read()


def _from_env(env: dict[str, str]) -> Settings:
    return _reading(Settings.from_env, env)


def _home(tmp_path: Path) -> dict[str, str]:
    (tmp_path / SERVERS_FILE).write_text(json.dumps(STORED))
    return {"AVATARLAB_HOME": str(tmp_path)}


def test_environment_alone_is_enough(tmp_path: Path) -> None:
    settings = _from_env({**GIVEN, "AVATARLAB_HOME": str(tmp_path), "AVATARLAB_S3_REGION": "eu-west-3"})
    assert settings.pg_dsn == GIVEN["AVATARLAB_PG_DSN"]
    assert settings.mongo_uri == GIVEN["AVATARLAB_MONGO_URI"]
    assert (settings.s3_endpoint, settings.s3_access_key, settings.s3_secret_key) == (
        "https://objects:9000",
        "accesskey",
        "s3secret",
    )
    assert settings.s3_region == "eu-west-3"
    assert settings.home == tmp_path


def test_the_servers_file_fills_what_the_environment_leaves_open(tmp_path: Path) -> None:
    settings = _from_env({**_home(tmp_path), "AVATARLAB_PG_DSN": GIVEN["AVATARLAB_PG_DSN"]})
    assert settings.pg_dsn == GIVEN["AVATARLAB_PG_DSN"]
    assert settings.mongo_uri == STORED["mongo_uri"]
    assert settings.s3_endpoint == STORED["s3_endpoint"]


def test_nothing_known_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(TransientError, match=r"avatarlab up.*AVATARLAB_PG_DSN"):
        _from_env({"AVATARLAB_HOME": str(tmp_path)})


def test_half_a_store_is_refused_by_name(tmp_path: Path) -> None:
    env = {**_home(tmp_path), "AVATARLAB_S3_ENDPOINT": "http://objects:9000"}
    with pytest.raises(InputError, match=r"AVATARLAB_S3_ACCESS_KEY, AVATARLAB_S3_SECRET_KEY is not"):
        _from_env(env)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("AVATARLAB_PG_DSN", "host=db password=hunter2"),
        ("AVATARLAB_PG_DSN", "mysql://me:hunter2@db/x"),
        ("AVATARLAB_MONGO_URI", "http://me:hunter2@db/x"),
    ],
)
def test_a_wrong_scheme_is_refused_without_showing_the_password(variable: str, value: str) -> None:
    with pytest.raises(InputError, match=variable) as caught:
        _reading(configured, {variable: value})
    assert "hunter2" not in str(caught.value)


def test_empty_variables_count_as_unset() -> None:
    assert _reading(configured, dict.fromkeys(GIVEN, "")) == {}
    assert _reading(external, {"AVATARLAB_MONGO_URI": GIVEN["AVATARLAB_MONGO_URI"]}) == {"mongo"}
    assert _reading(external, GIVEN) == {"postgres", "mongo", "s3"}


def test_a_damaged_servers_file_is_named(tmp_path: Path) -> None:
    (tmp_path / SERVERS_FILE).write_text('{"pg_dsn": ')
    with pytest.raises(InputError, match=SERVERS_FILE):
        _from_env({"AVATARLAB_HOME": str(tmp_path)})


def test_repr_shows_addresses_and_no_secret(tmp_path: Path) -> None:
    shown = repr(_from_env({**GIVEN, "AVATARLAB_HOME": str(tmp_path)}))
    assert "db:5433/avatarlab" in shown
    assert "docs:27017" in shown
    for secret in ("pgsecret", "mongosecret", "s3secret", "accesskey"):
        assert secret not in shown


@given(st.text(st.characters(exclude_characters="@/?#[]:", categories=["L", "N"]), min_size=12))
def test_redact_never_shows_a_password(password: str) -> None:
    assert password not in redact(f"postgresql://user:{password}@host:1/db?sslpassword={password}")
    assert password not in redact(f"host=db password={password}")
    assert password not in redact(f"postgresql://user:12/{password}@host:1/db")


def test_home_is_absolute_and_in_the_checkout_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert _reading(home_folder, {"AVATARLAB_HOME": "state"}) == tmp_path / "state"
    assert _reading(home_folder, {}) == Path(__file__).parents[2] / ".avatarlab"


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("AVATARLAB_PORT", "70000", "give a port number from 0"),
        ("AVATARLAB_BULK_GPU_TASKS", "many", "a whole number of tasks, from 1"),
        ("AVATARLAB_CPU_THREADS", "0", "threads of one engine, from 1"),
        ("AVATARLAB_BUDGET_GPU_S_PER_DAY", "nan", "write for example 7200"),
    ],
)
def test_a_wrong_variable_is_told_with_what_it_holds_and_what_is_allowed(
    name: str, value: str, allowed: str
) -> None:
    with pytest.raises(InputError, match=rf"{name} is '{value}' .*{allowed}"):
        _reading(environment.read, {name: value})


@pytest.mark.parametrize(
    "value",
    [
        "garbage",
        "61 * * * *",
        " ",
        "\N{FULLWIDTH DIGIT ZERO} 3 * * *",
        "0 0 30 2 *",
        "* * * *",
        "H 3 * * *",
        "@sometimes",
    ],
)
def test_a_wrong_schedule_is_told_by_its_variable(value: str) -> None:
    with pytest.raises(
        InputError, match=r"AVATARLAB_REGENERATE_CRON is .* five fields .*, or one of @hourly"
    ):
        _reading(environment.read, {"AVATARLAB_REGENERATE_CRON": value})


@pytest.mark.parametrize("value", ["0 3 * * *", "*/5 * * * mon-fri", "0 0 L * *", "* * * * * */30", "@daily"])
def test_a_schedule_stays_as_it_was_given(value: str) -> None:
    assert _reading(environment.read, {"AVATARLAB_REGENERATE_CRON": value}).regenerate_cron == value


def test_secrets_of_the_environment_are_not_shown() -> None:
    shown = repr(_reading(environment.read, GIVEN))
    for secret in ("pgsecret", "mongosecret", "s3secret", "accesskey"):
        assert secret not in shown
