"""`--help` can be read: whole lines on a narrow terminal, a text for every command and option."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from avatarlab_ops.cli import main


def _commands(
    command: click.Command, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name, one in command.commands.items():
            yield from _commands(one, (*path, name))


COMMANDS = dict(_commands(main))


@pytest.mark.parametrize(
    "path", [path for path, one in COMMANDS.items() if isinstance(one, click.Group)], ids=" ".join
)
def test_a_list_of_commands_is_not_cut_at_80_columns(path: tuple[str, ...]) -> None:
    told = CliRunner().invoke(main, [*path, "--help"], terminal_width=80, env={"COLUMNS": "80"}).output
    assert not [line for line in told.splitlines() if line.endswith("...") and not line.startswith("Usage:")]
    group = COMMANDS[path]
    assert isinstance(group, click.Group)
    words = [line.split() for line in told.splitlines()]
    alone = [name for name in group.commands if not any(line[:1] == [name] and line[2:] for line in words)]
    assert alone == []  # each stands beside a few words on its own line


def test_every_option_and_command_says_what_it_is_for() -> None:
    silent = [path for path, one in COMMANDS.items() if not one.help]
    silent += [
        (*path, option.opts[0])
        for path, one in COMMANDS.items()
        for option in one.params
        if isinstance(option, click.Option) and not option.help
    ]
    assert silent == []
