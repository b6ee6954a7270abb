"""Our own Airflow before it starts: what its configuration says, and who may log in."""

from __future__ import annotations

import errno
import json
import os
import socket
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest

from avatarlab_ops.cli import common
from avatarlab_ops.cli.client import AirflowClient
from avatarlab_ops.embedded import airflow, control, workers
from avatarlab_ops.errors import AvatarlabError, InputError, TransientError
from avatarlab_ops.settings import Settings


def _started(home: Path) -> airflow.Site:
    """What a start leaves in the home for the commands that follow."""
    site = airflow.Site(home, "127.0.0.1", 9)
    site.home.mkdir(exist_ok=True)
    (site.home / "airflow.cfg").write_text(airflow.render_config(site))
    airflow._passwords(site)
    (home / "supervisor.json").write_text(json.dumps({"address": site.address}))
    return site


def test_a_folder_may_have_any_name(tmp_path: Path) -> None:
    site = airflow.Site(tmp_path / "100 %, or %(home)s", "127.0.0.1", 9)
    config = ConfigParser()
    config.read_string(airflow.render_config(site))
    assert config["core"]["simple_auth_manager_passwords_file"] == f"{site.home}/passwords.json"
    assert config["logging"]["base_log_folder"] == f"{site.logs}/tasks"


def test_a_folder_whose_name_celery_would_change_is_refused_by_name() -> None:
    assert "/srv/9 % or 100%/worker-1.pid" in workers.words("worker-1", "/srv/9 % or 100%")
    with pytest.raises(InputError, match="per cent sign before a letter: move /srv/100%off"):
        workers.words("worker-1", "/srv/100%off")


@pytest.mark.parametrize(
    ("users", "name"),
    [
        (None, "admin"),
        ("ann:admin", "ann"),
        ("vera:viewer, Ann:ADMIN,bob:admin", "Ann"),
        ("ann:admin,admin:admin", "admin"),
        ("admin:viewer,ann:admin", "ann"),
    ],
)
def test_commands_log_in_as_an_administrator_whatever_the_name(
    users: str | None, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also from a shell that knows nothing of the users with which Airflow was started."""
    monkeypatch.delenv("AVATARLAB_AIRFLOW_URL", raising=False)
    monkeypatch.delenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS", raising=False)
    if users:
        with monkeypatch.context() as start:
            start.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS", users)
            site = _started(tmp_path)
    else:
        site = _started(tmp_path)
    password = json.loads((site.home / "passwords.json").read_text())[name]
    assert common.login(tmp_path, site.address).endswith(f"\nlogin     {name} / {password}")
    with AirflowClient.from_home(tmp_path) as client:
        assert client._login == {"username": name, "password": password}


def test_without_an_administrator_it_is_said_what_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS", "vera:viewer,\nmax:op")
    site = _started(tmp_path)
    with pytest.raises(InputError, match=r"role admin.* add NAME:admin to AIRFLOW__CORE__SIMPLE_AUTH"):
        common.login(tmp_path, site.address)


@pytest.mark.parametrize(
    ("address", "kind", "reason"),
    [
        ("postgresql://ann:s3cret@127.0.0.1:1/avatarlab", TransientError, "127.0.0.1:1/avatarlab.*refused"),
        (
            "postgresql://ann:s3cr%zzet@127.0.0.1:1/avatarlab",
            InputError,
            "127.0.0.1:1/avatarlab is no address",
        ),
        ("postgresql://ann:12/s3cret@127.0.0.1:1/avatarlab", TransientError, r"\*\*\*"),
    ],
)
def test_a_database_that_is_away_is_named_without_its_password(
    address: str, kind: type[AvatarlabError], reason: str, tmp_path: Path
) -> None:
    settings = Settings(address, "mongodb://localhost", "http://localhost", "key", "secret", tmp_path)
    with pytest.raises(kind, match=reason) as refused:
        airflow.set_up(airflow.Site(tmp_path, "127.0.0.1", 9), settings)
    assert "s3cr" not in str(refused.value)


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("nowhere.invalid", "nowhere.invalid, port 0: .*name.*"),
        ("127.0.0.3", "127.0.0.3, port 0: Cannot assign requested address"),
        ("local..host", "local..host, port 0: no name of a host"),
    ],
)
def test_a_host_without_a_port_to_listen_on_is_not_told_as_a_port_in_use(
    host: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up = socket.getaddrinfo

    def resolve(name: str, *rest: Any, **others: Any) -> Any:
        if name == "nowhere.invalid":  # whatever this machine's network says of it
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return looked_up(name, *rest, **others)

    def bind(_: socket.socket, address: tuple[str, int]) -> None:
        raise OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket.socket, "bind", bind)
    monkeypatch.setenv("AVATARLAB_HOST", host)
    monkeypatch.setenv("AVATARLAB_PORT", "0")
    with pytest.raises(InputError, match=rf"(?i)cannot listen on {reason}; set AVATARLAB_HOST"):
        control.choose_site(tmp_path)


def test_a_port_that_this_user_may_not_have_is_not_told_as_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(socket.socket, "bind", refuse)  # root may have any
    monkeypatch.setenv("AVATARLAB_PORT", "80")
    with pytest.raises(InputError, match="port 80: Permission denied"):
        control.choose_site(tmp_path)


def test_airflow_can_listen_on_ipv6(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("no IPv6 here")
    monkeypatch.setenv("AVATARLAB_HOST", "::1")
    with listener:
        port = listener.getsockname()[1]
        monkeypatch.setenv("AVATARLAB_PORT", str(port))
        with pytest.raises(InputError, match=f"port {port} is in use"):
            control.choose_site(tmp_path)
    site, note = control.choose_site(tmp_path)
    assert (site.address, note) == (f"http://[::1]:{port}", "")
