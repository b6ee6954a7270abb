"""The workers' broker as `up --workers` starts it: closed to strangers, and a kill loses nothing queued."""

from __future__ import annotations

import os
import signal
import stat
from collections.abc import Iterator

import psutil
import pytest
import redis
from kit import anonymous

from avatarlab_ops.embedded.redis import Redis
from avatarlab_ops.embedded.server import free_ports, new_password
from avatarlab_ops.embedded.workers import health


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    home = tmp_path_factory.mktemp("broker") / """it's a "home", 9 % \\ 𝄞"""
    (home / "run").mkdir(parents=True)
    (home / "logs").mkdir()
    server = Redis(home, free_ports(Redis.port_names), new_password())
    try:
        server.ensure()
        yield server
    finally:
        server.stop()


def test_its_port_is_on_loopback_and_asks_who_you_are(broker: Redis) -> None:
    [port] = anonymous.ports(pid(broker))
    assert port.host == "127.0.0.1"
    assert anonymous.obtained(port, "") == []


def test_its_password_is_only_in_a_private_file(broker: Redis) -> None:
    assert broker.password not in " ".join(psutil.Process(pid(broker)).cmdline())
    assert broker.password not in broker.daemon.log.read_text()
    assert stat.S_IMODE((broker.folder / "valkey.conf").stat().st_mode) == 0o600


def test_a_kill_loses_nothing_that_was_acknowledged(broker: Redis) -> None:
    with redis.Redis.from_url(broker.addresses()["broker_url"]) as client:
        for number in range(200):
            client.rpush("queued", number)
    os.kill(pid(broker), signal.SIGKILL)
    broker.ensure()
    with redis.Redis.from_url(broker.addresses()["broker_url"]) as client:
        assert client.llen("queued") == 200


def test_a_worker_that_is_not_there_is_not_healthy(broker: Redis) -> None:
    assert health(broker.addresses()["broker_url"], ["worker-1"]) == {}
    assert health("redis://127.0.0.1:1/0", ["worker-1"]) == {}


def test_a_broker_that_is_silent_is_told_as_workers_that_are_not_healthy(broker: Redis) -> None:
    os.kill(pid(broker), signal.SIGSTOP)
    try:
        assert health(broker.addresses()["broker_url"], ["worker-1"]) == {}
    finally:
        os.kill(pid(broker), signal.SIGCONT)


def pid(broker: Redis) -> int:
    found = broker.daemon.pid()
    assert found
    return found
