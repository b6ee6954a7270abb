"""A folder is closed to others where it is ours to close; one that others use is left open, and refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from avatarlab_ops.backup import write_withdrawals
from avatarlab_ops.backup.folder import Folder
from avatarlab_ops.embedded import control, servers
from avatarlab_ops.errors import InputError
from avatarlab_ops.settings import Settings


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A folder as /tmp or /srv/shared is: others enter it, and something of theirs is in it."""
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o755)
    (folder / "thesis.txt").write_text("years of work")
    return folder


def mode(folder: Path) -> int:
    return folder.stat().st_mode & 0o777


def test_a_home_that_others_use_is_refused_and_left_as_it_is(shared: Path) -> None:
    with pytest.raises(InputError, match="shared holds other files, and others may enter it"):
        control.running(shared)
    assert mode(shared) == 0o755
    assert [entry.name for entry in shared.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    "held", [(), ("models", "lost+found"), ("run", "logs"), ("servers.json", "anything")]
)
def test_a_home_of_our_own_is_closed(tmp_path: Path, held: tuple[str, ...]) -> None:
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(0o755)
    for name in held:
        (home / name).mkdir()
    assert control.running(home) is None
    assert mode(home) == 0o700


def test_a_home_that_is_closed_already_may_hold_other_things(shared: Path) -> None:
    shared.chmod(0o700)
    assert control.running(shared) is None


def test_a_home_of_no_servers_of_ours_keeps_its_mode(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mount of Kubernetes belongs to somebody else, who alone may change it."""
    given = {
        "AVATARLAB_PG_DSN": "postgresql://db/d",
        "AVATARLAB_MONGO_URI": "mongodb://docs/d",
        "AVATARLAB_S3_ENDPOINT": "http://s3",
        "AVATARLAB_S3_ACCESS_KEY": "key",
        "AVATARLAB_S3_SECRET_KEY": "secret",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert servers.ensure(shared).pg_dsn == given["AVATARLAB_PG_DSN"]
    assert (mode(shared), len(list(shared.iterdir()))) == (0o755, 1)


def test_a_first_backup_that_was_killed_may_be_taken_again(tmp_path: Path) -> None:
    for name in ("manifest.json.new", "withdrawals.jsonl.lock", "lock"):
        (tmp_path / name).touch()
    Folder(tmp_path).claim()


def test_withdrawals_go_to_no_folder_of_other_things(shared: Path) -> None:
    stores = Settings("postgresql://127.0.0.1:1/d", "mongodb://h/d", "http://h", "key", "secret", shared)
    with pytest.raises(InputError, match="shared holds other files: name an empty folder"):
        write_withdrawals(stores, shared)
    assert mode(shared) == 0o755
