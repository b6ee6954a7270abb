"""docs/ways-in.md names every way in and a test that exists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click

from avatarlab_ops.cli import main

ROOT = Path(__file__).parents[2]
LIST = (ROOT / "docs" / "ways-in.md").read_text()


def commands(group: click.Command, name: str) -> Iterator[str]:
    """Every command that does something, with the groups before it."""
    if not isinstance(group, click.Group):
        yield name
        return
    for child, command in group.commands.items():
        yield from commands(command, f"{name} {child}")


def test_every_command_target_and_dag_is_listed() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    dags = [path.stem for path in (ROOT / "dags").glob("avatar_*.py")]
    wanted = {*commands(main, "avatarlab"), *(f"make {name}" for name in targets), *dags}
    assert wanted - set(re.findall(r"`([^`]+)`", LIST)) == set()


def test_every_test_that_is_named_exists() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", LIST)
    assert len(named) > 25
    for file, function in named:
        source = (ROOT / file).read_text()
        assert not function or f"def {function}(" in source, f"{file}::{function}"


def test_every_command_that_readme_names_exists() -> None:
    known = set(commands(main, "avatarlab"))
    groups = {name.rsplit(" ", 1)[0] for name in known}
    named = re.findall(r"(?:^|`|; )(avatarlab [a-z]+(?: [a-z-]+)?)", (ROOT / "README.md").read_text(), re.M)
    assert len(named) > 15
    for words in named:
        assert words in known | groups or words.rsplit(" ", 1)[0] in known, words
