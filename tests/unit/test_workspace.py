"""A stage's folder among others of the machine: no other's presence or end fails the work."""

from __future__ import annotations

from pathlib import Path

import pytest

from avatarlab_ops.settings import Settings
from avatarlab_ops.stages import context


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings("postgresql://h/d", "mongodb://h/d", "http://h", "key", "secret", tmp_path)


def test_what_cannot_be_opened_in_the_work_folder_fails_no_stage(settings: Settings) -> None:
    loop = settings.home / "work" / "loop"  # refused to root, too, who runs some of these tests
    loop.parent.mkdir()
    loop.symlink_to(loop)
    with context.workspace(settings, "speech") as folder:
        assert folder.is_dir()
    assert loop.is_symlink()
