"""What the supervisor promises without Airflow: a full disk, several starts at once, a failed migration."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from botocore.exceptions import ClientError
from kit.eventually import eventually

from avatarlab_ops.embedded import airflow, control
from avatarlab_ops.embedded import servers as embedded
from avatarlab_ops.embedded.process import boot_id
from avatarlab_ops.embedded.sessions import began
from avatarlab_ops.embedded.supervisor import read_state
from avatarlab_ops.errors import InputError, InvariantBroken, TransientError
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.objects import Objects

# One look of the supervisor for each line that it is sent; its signals need a main thread of their own.
LOOKING = """
import pathlib, sys
from avatarlab_ops.embedded import airflow, servers
from avatarlab_ops.embedded.supervisor import Supervisor
home = pathlib.Path(sys.argv[1])
servers.ensure(home)
supervisor = Supervisor(airflow.Site(home, "127.0.0.1", 9))
for _ in sys.stdin:
    supervisor._look()
    print("looked", flush=True)
"""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own; `_limit` makes it as small as what it holds, without writing gigabytes."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a file system")
    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4g", "none", place], check=False).returncode:
        pytest.skip("this container may not mount")
    try:
        yield place
    finally:
        embedded.stop(place / "home")
        subprocess.run(["umount", "--lazy", place], check=True)


@pytest.fixture
def large_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 20 GB of its own, sparse: what is allocated in it takes no space outside."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a file system")
    image, place = tmp_path / "image", tmp_path / "disk"
    place.mkdir()
    with image.open("wb") as file:
        file.truncate(20 << 30)
    options = ["-q", "-m0", "-O", "^has_journal", "-i", str(1 << 20)]
    for command in (["mkfs.ext4", *options, str(image)], ["mount", "-o", "loop", str(image), str(place)]):
        if not shutil.which(command[0]) or subprocess.run(command, check=False).returncode:
            pytest.skip(f"{command[0]} does not work here")
    try:
        yield place
    finally:
        embedded.stop(place / "home")
        subprocess.run(["umount", "--lazy", place], check=True)


def _limit(disk: Path, free_bytes: int) -> None:
    size = shutil.disk_usage(disk).used + free_bytes
    subprocess.run(["mount", "-o", f"remount,size={size}", disk], check=True)


def test_a_full_disk_kills_nothing_and_is_told(small_disk: Path) -> None:
    home = small_disk / "home"
    argv = [sys.executable, "-c", LOOKING, str(home)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as looking:
        _watch_a_disk_run_full(small_disk, home, looking)
    assert looking.returncode == 0
    settings = Settings.from_env(home)
    eventually(lambda: _takes_writes(settings), TransientError)  # the store looks for space now and then
    with psycopg.connect(settings.pg_dsn) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS written (at timestamptz)")


def test_a_large_disk_is_told_full_before_its_object_store_becomes_read_only(large_disk: Path) -> None:
    """SeaweedFS takes no writes with less than 1 % free, however many megabytes those are."""
    home = large_disk / "home"
    argv = [sys.executable, "-c", LOOKING, str(home)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as looking:
        assert _look(looking, home) == {"stores": "healthy"}
        spare = shutil.disk_usage(large_disk).free - (210 << 20)  # more than the 1 % of 20 GB
        subprocess.run(["fallocate", "-l", str(spare), large_disk / "spare"], check=True)
        told = _look(looking, home)["disk"]
        assert re.fullmatch(r"full: \d+ MB free under .*, \d+ MB are needed; free some space", told)
        (large_disk / "spare").unlink()
        assert _look(looking, home) == {"stores": "healthy"}
    assert looking.returncode == 0


def _look(looking: subprocess.Popen[str], home: Path) -> dict[str, str]:
    """Parts and their health after one look more of the supervisor in a process of its own."""
    assert looking.stdin
    assert looking.stdout
    print("look", file=looking.stdin, flush=True)
    assert looking.stdout.readline() == "looked\n", "the supervisor died"
    return dict(read_state(home)["parts"])


def _takes_writes(settings: Settings) -> bool:
    Objects(settings).check_writes()
    return True


def _watch_a_disk_run_full(disk: Path, home: Path, looking: subprocess.Popen[str]) -> None:
    assert _look(looking, home) == {"stores": "healthy"}
    before = {status.name: status.pid for status in embedded.status(home)}
    _limit(disk, 0)
    for _ in range(3):
        assert _look(looking, home)["disk"].startswith("full: 0 MB free under ")
    assert [psutil.pid_exists(pid) for pid in before.values() if pid] == [True] * 3

    _limit(disk, 2 << 30)
    assert _look(looking, home) == {"stores": "healthy"}


def test_a_command_on_a_full_disk_leaves_stores_alone_and_starts_no_dead_one(
    small_disk: Path,
) -> None:
    home = small_disk / "home"
    settings = embedded.ensure(home)
    before = {status.name: status.pid for status in embedded.status(home)}
    _limit(small_disk, 0)
    assert embedded.ensure(home) == settings
    pid = before["mongo"]
    assert pid, "the environment configures another mongod"
    os.kill(pid, signal.SIGKILL)
    eventually(
        lambda: "stopped" in [status.state for status in embedded.status(home) if status.name == "mongo"]
    )
    with pytest.raises(TransientError, match=r"mongo is not started: 0 MB free .* 64 MB are needed"):
        embedded.ensure(home)
    _limit(small_disk, 2 << 30)
    assert [status.pid for status in embedded.status(home)] == [before["postgres"], None, before["s3"]]


FOLDERS = range(32)  # the filer has eight indexes, and a folder's name chooses among them


def test_a_disk_that_was_full_for_a_moment_loses_no_folder_of_the_object_store(small_disk: Path) -> None:
    """goleveldb keeps its journal's first error, so some folders would refuse every write for ever."""
    settings = embedded.ensure(small_disk / "home")
    before = {status.name: status.pid for status in embedded.status(small_disk / "home")}
    _limit(small_disk, 0)
    refused_on_a_full_disk = _refused(settings)
    _limit(small_disk, 2 << 30)
    assert set(_refused(settings)) & set(refused_on_a_full_disk), "the index has recovered: nothing to mend"

    embedded.ensure(small_disk / "home")
    assert not _refused(settings)
    after = {status.name: status.pid for status in embedded.status(small_disk / "home")}
    assert {name for name in before if before[name] != after[name]} == {"s3"}
    embedded.ensure(small_disk / "home")
    assert after == {status.name: status.pid for status in embedded.status(small_disk / "home")}


def _refused(settings: Settings) -> list[int]:
    """Folders in which no upload can be begun: only the index is written."""
    client, refused = Objects(settings).client, []
    for folder in FOLDERS:
        try:
            client.create_multipart_upload(Bucket=settings.bucket_artifacts, Key=f"{folder}/object")
        except ClientError:
            refused.append(folder)
    return refused


def test_several_starts_at_once_end_alike(tmp_path: Path) -> None:
    """None of them can succeed here, and each says why; tests/e2e/test_starts.py has those that succeed."""
    nowhere = {
        "AVATARLAB_HOME": str(tmp_path / "home"), "AVATARLAB_PORT": "0",
        "AVATARLAB_PG_DSN": "postgresql://a:b@127.0.0.1:9/avatarlab",
        "AVATARLAB_MONGO_URI": "mongodb://127.0.0.1:9/avatarlab",
        "AVATARLAB_S3_ENDPOINT": "http://127.0.0.1:9",
        "AVATARLAB_S3_ACCESS_KEY": "a", "AVATARLAB_S3_SECRET_KEY": "b",
    }  # fmt: skip
    starts = [
        subprocess.Popen(
            [sys.executable, "-m", "avatarlab_ops.cli", "up"], env=os.environ | nowhere,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(3)
    ]  # fmt: skip
    ends = {(start.communicate(timeout=300)[1].splitlines()[-1], start.returncode) for start in starts}
    assert len(ends) == 1, ends
    assert "http://127.0.0.1:9" in ends.pop()[0]


def test_a_start_ends_with_the_word_of_a_bucket_that_takes_no_object(tmp_path: Path) -> None:
    home = tmp_path / "home"
    try:
        settings = embedded.ensure(home)
        store = Objects(settings)
        store.ensure_buckets()
        nobody = {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject"}
        closed = nobody | {"Resource": f"arn:aws:s3:::{settings.bucket_evidence}/*"}
        policy = {"Version": "2012-10-17", "Statement": [closed]}
        store.client.put_bucket_policy(Bucket=settings.bucket_evidence, Policy=json.dumps(policy))
        done = subprocess.run(
            [sys.executable, "-m", "avatarlab_ops.cli", "up"], capture_output=True, text=True, timeout=300,
            env=os.environ | {"AVATARLAB_HOME": str(home), "AVATARLAB_PORT": "0"}, check=False,
        )  # fmt: skip
    finally:
        control.down(home)
    assert done.returncode
    assert "the bucket evidence takes no object" in done.stderr.splitlines()[-1]


def test_a_failed_migration_tells_its_last_line(
    servers: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = servers.pg_dsn.replace("avatarlab:", "avatarlab:not-", 1)
    monkeypatch.setenv("AVATARLAB_AIRFLOW_DSN", wrong)
    with pytest.raises(InvariantBroken, match=r"db migrate` ended with exit code 1: .*password auth"):
        airflow.set_up(airflow.Site(tmp_path / "state", "127.0.0.1", 9), servers)


def test_every_user_has_a_password_before_airflow_would_print_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = airflow.Site(tmp_path, "127.0.0.1", 9)
    monkeypatch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS", "admin:admin, anna:user")
    site.home.mkdir()
    known = airflow._passwords(site)
    assert set(known) == {"admin", "anna"}
    assert airflow._passwords(site) == known
    assert control.running(tmp_path) is None


def test_a_start_has_the_port_that_parts_of_a_killed_supervisor_still_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    holding = "import socket, sys; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], flush=True); sys.stdin.read()"  # fmt: skip # noqa: E501
    argv = [sys.executable, "-c", holding, "airflow", "api-server"]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as left:
        assert left.stdout
        port = int(left.stdout.readline())
        monkeypatch.setenv("AVATARLAB_PORT", str(port))
        with pytest.raises(InputError, match=f"port {port} is in use"):
            control.choose_site(tmp_path)
        known = {"sessions": {"api-server": left.pid}, "started": {"api-server": began(left.pid)}}
        control.end_left(known | {"boot": boot_id()})
        assert control.choose_site(tmp_path)[0].port == port
