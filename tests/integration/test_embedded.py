"""The embedded servers as their users meet them: started, killed, started again, the data still there."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import signal
import socketserver
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import boto3
import psutil
import psycopg
import pytest
from kit import anonymous
from kit.eventually import eventually
from pymongo import MongoClient

from avatarlab_ops.cli import doctor
from avatarlab_ops.embedded import servers as embedded
from avatarlab_ops.embedded.process import Daemon
from avatarlab_ops.embedded.s3 import ObjectStore
from avatarlab_ops.embedded.server import base_environment
from avatarlab_ops.errors import InputError
from avatarlab_ops.settings import SERVERS_FILE, VARIABLES, Settings

NAMES = ("postgres", "mongo", "s3")
ODD = """it's a "home", 9 % \\ 𝄞"""  # the name of a folder may hold whatever a path may

pytestmark = pytest.mark.skipif(
    any(name in os.environ for names in VARIABLES.values() for name in names),
    reason="AVATARLAB_* variables configure the stores: nothing is embedded",
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home of this file's own, whose servers may be killed; its name is what a path may be."""
    place = tmp_path_factory.mktemp("embedded") / ODD
    yield place
    embedded.stop(place)


def _pids(home: Path) -> dict[str, int | None]:
    return {status.name: status.pid for status in embedded.status(home)}


def _write(settings: Settings, text: str) -> None:
    with psycopg.connect(settings.pg_dsn) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS note (text text)")
        connection.execute("INSERT INTO note VALUES (%s)", (text,))
    with MongoClient(settings.mongo_uri) as client:
        client.get_default_database()["note"].insert_one({"text": text})
    _s3(settings).put_object(Bucket="artifacts", Key=f"note/{text}", Body=text.encode())


def _read(settings: Settings, text: str) -> tuple[bool, bool, bool]:
    with psycopg.connect(settings.pg_dsn) as connection:
        row = connection.execute("SELECT text FROM note WHERE text = %s", (text,)).fetchone()
    with MongoClient(settings.mongo_uri) as client:
        document = client.get_default_database()["note"].find_one({"text": text})
    body = _s3(settings).get_object(Bucket="artifacts", Key=f"note/{text}")["Body"].read()
    return row == (text,), document is not None, body == text.encode()


def _s3(settings: Settings):
    return boto3.client(
        "s3",
        endpoint_url=settings.s3_endpoint,
        aws_access_key_id=settings.s3_access_key,
        aws_secret_access_key=settings.s3_secret_key,
        region_name=settings.s3_region,
    )


def test_everything_promised_is_there(home: Path) -> None:
    settings = embedded.ensure(home)
    with psycopg.connect(settings.pg_dsn) as connection:
        databases = {row[0] for row in connection.execute("SELECT datname FROM pg_database")}
    assert {"avatarlab", "airflow"} <= databases
    with MongoClient(settings.mongo_uri) as client, client.start_session() as session:
        assert client.get_default_database().name == "avatarlab"
        session.with_transaction(lambda s: client["avatarlab"]["t"].insert_one({"a": 1}, session=s))
        assert client["avatarlab"]["t"].count_documents({}) == 1
    s3 = _s3(settings)
    assert {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]} == set(settings.buckets)
    assert s3.get_bucket_versioning(Bucket="outputs")["Status"] == "Enabled"
    assert all(not s3.list_objects_v2(Bucket=bucket).get("Contents") for bucket in settings.buckets)


def test_a_wrong_password_opens_nothing(home: Path) -> None:
    settings = embedded.ensure(home)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(_with_password(settings.pg_dsn))
    with (
        MongoClient(_with_password(settings.mongo_uri)) as client,
        pytest.raises(Exception, match="Authentication"),
    ):
        client.get_default_database()["note"].find_one()
    anonymous = "mongodb://" + settings.mongo_uri.split("@")[1]
    with MongoClient(anonymous) as client, pytest.raises(Exception, match="requires authentication"):
        client["avatarlab"]["note"].find_one()
    with pytest.raises(Exception, match=r"SignatureDoesNotMatch|AccessDenied|Forbidden"):
        _s3(_replace_secret(settings)).list_buckets()


def test_more_buckets_than_gigabytes_of_free_disk_take_objects(home: Path) -> None:
    s3 = _s3(embedded.ensure(home))
    count = min(shutil.disk_usage(home).free >> 30, 120) + 5
    for number in range(count):
        s3.create_bucket(Bucket=f"team-{number}")
        s3.put_object(Bucket=f"team-{number}", Key="one", Body=b"1")
    for number in range(count):
        assert s3.get_object(Bucket=f"team-{number}", Key="one")["Body"].read() == b"1"
        s3.delete_object(Bucket=f"team-{number}", Key="one")
        s3.delete_bucket(Bucket=f"team-{number}")


def _with_password(address: str) -> str:
    scheme, rest = address.split("://")
    return f"{scheme}://avatarlab:wrong@{rest.split('@')[1]}"


def _replace_secret(settings: Settings) -> Settings:
    from dataclasses import replace

    return replace(settings, s3_secret_key="wrong")


def test_only_the_owner_reads_secrets(home: Path) -> None:
    embedded.ensure(home)
    private = (home / SERVERS_FILE, home / "mongo/keyfile", home / "s3/identity.json")
    assert [stat.S_IMODE(path.stat().st_mode) for path in private] == [0o600] * 3
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert not (home / "postgres/password").exists()
    secrets = [
        part["password"]
        for part in json.loads((home / SERVERS_FILE).read_text()).values()
        if "password" in part
    ]
    assert len(set(secrets)) == 3
    logs = "".join(path.read_text(errors="replace") for path in (home / "logs").glob("*.log"))
    command_lines = " ".join(
        " ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])
    )
    assert not [secret for secret in secrets if secret in logs or secret in command_lines]


def test_every_port_is_on_loopback_and_asks_who_you_are(home: Path) -> None:
    _write(embedded.ensure(home), "mine")
    got = {}
    for name, pid in _pids(home).items():
        listening = anonymous.ports(pid)
        assert listening, name
        assert {port.host for port in listening} == {"127.0.0.1"}, name
        got |= {port: anonymous.obtained(port, "artifacts/note/mine") for port in listening}
    assert {port: answers for port, answers in got.items() if answers} == {}


def test_every_unix_socket_is_its_owners(home: Path) -> None:
    """Of the embedded servers: SeaweedFS's filer asks nobody who comes by its socket."""
    embedded.ensure(home)
    found = {path for pid in _pids(home).values() for path in anonymous.sockets(pid)}
    assert home / "s3/filer.sock" in found
    assert [path for path in found if stat.S_IMODE(path.stat().st_mode) & 0o077] == []
    assert [path for path in found if anonymous.lets_others_in(path)] == []
    assert stat.S_IMODE((home / "s3").stat().st_mode) == 0o700


def test_a_store_that_was_started_with_open_ports_is_closed(home: Path) -> None:
    settings = embedded.ensure(home)
    _write(settings, "before")
    embedded.stop(home)
    (home / "s3/.seaweedfs/security.toml").unlink()
    stored = json.loads((home / SERVERS_FILE).read_text())["s3"]
    older = ObjectStore(home, stored["ports"], stored["password"])
    argv, environment = older.command()
    older.daemon.start(argv, cwd=older.folder, env={**base_environment(), **environment})
    assert older._await_ready()
    filer = anonymous.Port("weed", "127.0.0.1", stored["ports"]["filer"])
    assert anonymous.obtained(filer, "artifacts/note/before"), "the test's own start was not an open one"

    assert embedded.ensure(home) == settings
    assert anonymous.obtained(filer, "artifacts/note/before") == []
    assert _read(settings, "before") == (True, True, True)


def test_a_folder_that_others_could_enter_is_closed(home: Path) -> None:
    embedded.ensure(home)
    for folder in (home, home / "logs", home / "run"):
        folder.chmod(0o755)
    embedded.ensure(home)
    assert [stat.S_IMODE((home / name).stat().st_mode) for name in (".", "logs", "run")] == [0o700] * 3


def test_a_second_ensure_adopts_also_from_another_process(home: Path) -> None:
    first, pids = embedded.ensure(home), _pids(home)
    code = (
        "import sys, pathlib; from avatarlab_ops.embedded import servers;"
        "print(servers.ensure(pathlib.Path(sys.argv[1])).pg_dsn)"
    )
    starts = [
        subprocess.Popen([sys.executable, "-c", code, str(home)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    assert [start.communicate(timeout=60)[0].strip() for start in starts] == [first.pg_dsn] * 2
    assert _pids(home) == pids


def test_a_restart_keeps_data_ports_and_passwords(home: Path) -> None:
    before = embedded.ensure(home)
    _write(before, "restart")
    pids = _pids(home)
    embedded.stop(home)
    assert {status.state for status in embedded.status(home)} == {"stopped"}
    assert not [pid for pid in pids.values() if pid and psutil.pid_exists(pid) and _still(pid)]
    after = embedded.ensure(home)
    assert after == before
    assert _read(after, "restart") == (True, True, True)


@pytest.mark.parametrize("name", NAMES)
def test_a_killed_server_comes_back_with_its_data(
    home: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    before = embedded.ensure(home)
    _write(before, f"kill-{name}")
    pids = _pids(home)
    os.kill(pids[name], signal.SIGKILL)
    with caplog.at_level("INFO", "avatarlab_ops.embedded"):  # as the supervisor's log
        after = embedded.ensure(home)
    assert after == before
    assert caplog.messages == [f"{name} does not run; it is started"]
    assert _read(after, f"kill-{name}") == (True, True, True)
    now = _pids(home)
    assert now[name] != pids[name]
    assert {other: now[other] for other in NAMES if other != name} == {
        other: pids[other] for other in NAMES if other != name
    }


def test_all_killed_at_once_come_back(home: Path) -> None:
    before = embedded.ensure(home)
    _write(before, "all")
    for pid in _pids(home).values():
        os.kill(pid, signal.SIGKILL)
    assert _read(embedded.ensure(home), "all") == (True, True, True)


def test_a_taken_port_is_avoided_and_the_data_follow(home: Path) -> None:
    before = embedded.ensure(home)
    _write(before, "moved")
    embedded.stop(home)
    stored = json.loads((home / SERVERS_FILE).read_text())
    taken = [
        stored["postgres"]["ports"]["postgres"],
        stored["mongo"]["ports"]["mongo"],
        stored["s3"]["ports"]["s3"],
    ]
    guests = [_occupy(port) for port in taken]
    try:
        after = embedded.ensure(home)
        assert not {after.pg_dsn, after.mongo_uri, after.s3_endpoint} & {
            before.pg_dsn,
            before.mongo_uri,
            before.s3_endpoint,
        }
        assert _read(after, "moved") == (True, True, True)
        assert Settings.from_env(home) == after
    finally:
        for guest in guests:
            guest.shutdown()
            guest.server_close()


def test_an_object_store_whose_inner_port_is_taken_at_its_start_leaves_that_port_alone(home: Path) -> None:
    """It would serve without that part, and end two minutes later; its address stays, which others know."""
    settings = embedded.ensure(home)
    _write(settings, "stays")
    embedded.stop(home)
    stored = json.loads((home / SERVERS_FILE).read_text())["s3"]
    guest = _occupy(stored["ports"]["admin"])
    try:
        unlucky = ObjectStore(home, stored["ports"], stored["password"])
        assert not unlucky._start(), "as if the port had been taken just after the look"
        assert embedded.ensure(home) == settings
        assert _read(settings, "stays") == (True, True, True)
        ports = json.loads((home / SERVERS_FILE).read_text())["s3"]["ports"]
        assert [name for name, port in ports.items() if port != stored["ports"][name]] == ["admin"]
    finally:
        guest.shutdown()
        guest.server_close()


def test_an_object_store_leaves_a_port_whose_socket_in_the_temporary_folder_is_anothers(home: Path) -> None:
    """Another user's cannot be removed there, and its parts would call that one; so a full folder here."""
    settings = embedded.ensure(home)
    _write(settings, "kept")
    embedded.stop(home)
    before = json.loads((home / SERVERS_FILE).read_text())["s3"]["ports"]
    anothers = ObjectStore(home, before, "")._sockets()["volume.grpc"]
    anothers.mkdir()
    (anothers / "file").touch()
    try:
        assert embedded.ensure(home) == settings
        assert _read(settings, "kept") == (True, True, True)
        after = json.loads((home / SERVERS_FILE).read_text())["s3"]["ports"]
        assert [name for name, port in after.items() if port != before[name]] == ["volume.grpc"]
        assert anothers.exists()
    finally:
        shutil.rmtree(anothers)


def _occupy(port: int) -> socketserver.TCPServer:
    """Listen on a port and hang up on callers: mongod asks its old address first, and would wait 30 s."""
    guest = socketserver.TCPServer(
        ("127.0.0.1", port), socketserver.BaseRequestHandler, bind_and_activate=False
    )
    guest.allow_reuse_address = True
    guest.server_bind()
    guest.server_activate()
    threading.Thread(target=guest.serve_forever, daemon=True).start()
    return guest


def test_a_server_without_its_record_is_found_and_replaced(home: Path) -> None:
    """Its starter was killed between the start and the record: the lock still shows the process."""
    embedded.ensure(home)
    lost = _pids(home)["mongo"]
    (home / "run/mongo.lock").write_text("")
    after = embedded.ensure(home)
    assert not _still(lost)
    assert _pids(home)["mongo"] not in (None, lost)
    _write(after, "found")
    assert _read(after, "found") == (True, True, True)


def test_a_stopped_home_leaves_no_process(home: Path) -> None:
    embedded.ensure(home)
    daemons = [Daemon(name, home / f"run/{name}.lock", home / f"logs/{name}.log") for name in NAMES]
    held = [pid for daemon in daemons for pid in daemon.holders()]
    assert len(held) >= 3
    embedded.stop(home)
    assert not [pid for daemon in daemons for pid in daemon.holders()]
    assert not [pid for pid in held if _still(pid)]
    assert not [p for p in psutil.process_iter(["cmdline"]) if str(home) in " ".join(p.info["cmdline"] or [])]


def test_data_whose_password_is_lost_is_not_overwritten(home: Path) -> None:
    embedded.ensure(home)
    embedded.stop(home)
    file = home / SERVERS_FILE
    content = file.read_text()
    file.unlink()
    try:
        with pytest.raises(InputError, match="does not know its password"):
            embedded.ensure(home)
    finally:
        file.write_text(content)
        file.chmod(0o600)
    _write(embedded.ensure(home), "kept")


def test_what_the_environment_configures_is_not_started(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = embedded.ensure(home)
    monkeypatch.setenv("AVATARLAB_PG_DSN", given.pg_dsn)
    monkeypatch.setenv("AVATARLAB_S3_ENDPOINT", given.s3_endpoint)
    monkeypatch.setenv("AVATARLAB_S3_ACCESS_KEY", given.s3_access_key)
    monkeypatch.setenv("AVATARLAB_S3_SECRET_KEY", given.s3_secret_key)
    other = tmp_path / "other"
    try:
        settings = embedded.ensure(other)
        assert (settings.pg_dsn, settings.s3_endpoint) == (given.pg_dsn, given.s3_endpoint)
        assert settings.mongo_uri != given.mongo_uri
        states = {status.name: status.state for status in embedded.status(other)}
        assert states == {"postgres": "external", "mongo": "running", "s3": "external"}
        monkeypatch.setenv("AVATARLAB_HOME", str(other))
        assert [one.detail for one in doctor._stores(other) if not one.right] == []
        assert not (other / "postgres").exists()
    finally:
        embedded.stop(other)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can work in a folder that nobody else may enter")
def test_root_under_a_folder_closed_to_others() -> None:
    """A checkout under /root: PostgreSQL runs as another account, which may not enter by its own right."""
    place = Path(tempfile.mkdtemp(dir="/root"))
    place.chmod(0o700)
    try:
        settings = embedded.ensure(place / ".avatarlab")
        _write(settings, "root")
        assert _read(settings, "root") == (True, True, True)
        pid = _pids(place / ".avatarlab")["postgres"]
        assert psutil.Process(pid).uids().effective != 0
    finally:
        embedded.stop(place / ".avatarlab")
        shutil.rmtree(place)


def _still(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_start_waits_for_a_fork_that_holds_the_lock_for_a_moment(tmp_path: Path) -> None:
    """A child that another thread forks has every descriptor of ours until it executes its program."""
    daemon = Daemon("sleeper", tmp_path / "sleeper.lock", tmp_path / "sleeper.log")
    fork = os.open(daemon.lock, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(fork, fcntl.LOCK_EX)
    release = threading.Timer(0.2, os.close, [fork])
    release.start()
    try:
        pid = daemon.start(["sleep", "600"], cwd=tmp_path)
        assert daemon.pid() == pid
    finally:
        release.join()
        daemon.kill()


def test_not_each_look_at_mongodb_is_logged(home: Path) -> None:
    """The supervisor looks each two seconds: what one look logs is 43,000 times as much a day."""
    embedded.ensure(home)
    before = _connections_logged(home)
    for _ in range(20):
        embedded.ensure(home)
    assert _connections_logged(home) - before < 20  # the first looks may connect


def test_only_errors_of_the_object_store_stand_in_our_log(home: Path) -> None:
    """Its worker for maintenance warns every five seconds, from its start on, that it finds no admin."""
    embedded.stop(home)
    embedded.ensure(home)
    log = Daemon("s3", home / "run/s3.lock", home / "logs/s3.log")
    told = eventually(lambda: text if "Press Ctrl+C" in (text := log.told_lately()) else None, end_s=60)
    assert not [line for line in told.splitlines() if re.match(r"[IW]\d{4} ", line)]


def _connections_logged(home: Path) -> int:
    log = (home / "logs" / "mongo.log").read_text()
    return sum(log.count(event) for event in ("Connection accepted", "client metadata", "Connection ended"))
