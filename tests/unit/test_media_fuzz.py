"""Damaged files of every accepted type pass or are refused; nothing else comes out. `make fuzz` goes on."""

from __future__ import annotations

from pathlib import Path

import pytest
from kit import damage

ROUNDS = 36  # of each type: some four hundred files


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return damage.originals(tmp_path_factory.mktemp("originals"))


@pytest.mark.parametrize("name", damage.TYPES)
def test_damage_is_refused_or_survived(tmp_path: Path, originals: dict[str, bytes], name: str) -> None:
    path = tmp_path / name
    path.write_bytes(originals[name])
    damage.use(path)
    for number in range(ROUNDS):
        path.write_bytes(damage.damaged(originals[name], number))
        damage.use(path)
