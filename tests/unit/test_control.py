"""What `up` says while the supervisor that it follows cannot become healthy."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from avatarlab_ops.embedded import control
from avatarlab_ops.embedded.process import boot_id
from avatarlab_ops.embedded.sessions import began
from avatarlab_ops.embedded.supervisor import State, state_file
from avatarlab_ops.errors import TransientError

FULL = "full: 5 MB free under /home, 64 MB are needed; free some space"


@pytest.mark.parametrize(
    ("scheduler", "word"), [("healthy", f"the disk is {FULL}"), ("starting", "not everything was healthy")]
)
def test_up_ends_when_all_but_the_disk_is_well(
    scheduler: str, word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "START_S", 1.0)
    parts = {"stores": "healthy", "scheduler": scheduler, "disk": FULL}
    mine = {"supervisor": began(os.getpid())}
    state = State(os.getpid(), "http://127.0.0.1:9", parts=parts, started=mine, boot=boot_id())
    state_file(tmp_path).write_text(json.dumps(vars(state)))
    said: list[str] = []
    with pytest.raises(TransientError, match=word):
        control._until_healthy(tmp_path, None, said.append, {})
    assert f"disk: {FULL}" in said
