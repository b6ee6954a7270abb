"""Damaged files of every accepted type pass or are refused; nothing else comes out. `make fuzz` goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from kit import damage

from avatarlab_ops.media import sniff
from avatarlab_ops.media.probe import probe

ROUNDS = 10  # of each file: a hundred and seventy


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return damage.originals(tmp_path_factory.mktemp("originals"))


@pytest.fixture(scope="module")
def judge() -> Iterator[damage.Judge]:
    with damage.Judge() as judge:
        yield judge


def test_every_accepted_type_is_damaged(tmp_path: Path, originals: dict[str, bytes]) -> None:
    assert damage.TYPES.keys() == sniff.TYPES.keys()
    for label, names in damage.TYPES.items():
        for name in names:
            (tmp_path / name).write_bytes(originals[name])
            assert probe(tmp_path / name, allow=damage.ANY).format == label


@pytest.mark.parametrize("name", damage.NAMES)
def test_damage_is_refused_or_survived(
    tmp_path: Path, originals: dict[str, bytes], judge: damage.Judge, name: str
) -> None:
    path = tmp_path / name
    path.write_bytes(originals[name])
    judge.cost(path, name)
    for number in range(ROUNDS):
        path.write_bytes(damage.damaged(originals[name], number))
        judge.cost(path, f"damage.damaged({name}, {number})")
