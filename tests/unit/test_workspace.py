"""A stage's folder among others of the machine: no other's presence or end fails the work."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from avatarlab_ops.housekeeping.chore import Job, Rules
from avatarlab_ops.housekeeping.clean import work_folders
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


def test_a_sweep_at_the_end_of_a_long_stage_takes_nothing_from_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove = shutil.rmtree

    def others_first(path: Path, **how: Any) -> None:
        if not how:  # the owner's own
            assert context.sweep(settings) == 0
        remove(path, **how)

    with context.workspace(settings, "lipsync") as folder:
        os.utime(folder, (0, 0))  # nothing new in it for long
        monkeypatch.setattr(shutil, "rmtree", others_first)
    assert not folder.exists()


def test_a_work_folder_that_goes_while_it_is_counted_fails_no_chore(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = settings.home / "work" / "lipsync-killed"
    left.mkdir(parents=True)
    (left / "video.mp4").write_bytes(b"left")
    os.utime(left, (0, 0))

    def was_there(path: Path) -> bool:
        path.unlink()
        return True

    monkeypatch.setattr(Path, "is_file", was_there)
    assert work_folders(Job(settings, Rules(), True, lambda _: None)).found == 1
