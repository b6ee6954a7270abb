"""The command line: the pipeline without Airflow, requests through Airflow, and the operator's commands.

One file per group of commands; each lists its own in COMMANDS.
"""

from __future__ import annotations

import errno
import os
import sys
import traceback
from typing import Any, NoReturn

import click

from avatarlab_ops.cli import (
    approval,
    backup,
    bulk,
    cache,
    consent,
    cost,
    feedback,
    housekeeping,
    lineage,
    metrics,
    models,
    operate,
    outbox,
    render,
    say,
    tables,
    verify,
)
from avatarlab_ops.cli.common import echo
from avatarlab_ops.errors import AvatarlabError, InputError, InvariantBroken, RenderCancelled, TransientError


class _Commands(click.Group):
    """Ends with the error's own exit code and message; a traceback is for defects only."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; leave the process by the error's exit code."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result
        except BrokenPipeError:  # as with `| head`: whoever reads has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(0)
        except AvatarlabError as error:
            if os.environ.get("AVATARLAB_TRACEBACK"):  # plain: the environment itself may be what is wrong
                raise
            echo(f"avatarlab: {error.code}: {error}", err=True)
            sys.exit(error.exit_code)
        except OSError as error:
            _end_for_the_disk(error)
            _end_for_a_defect()
        except KeyboardInterrupt:
            echo("avatarlab: interrupted", err=True)
            sys.exit(RenderCancelled.exit_code)
        except (click.ClickException, click.Abort, click.exceptions.Exit):  # how click itself ends
            raise
        except Exception:  # noqa: BLE001 (nobody else tells what went wrong)
            _end_for_a_defect()


FULL = (errno.ENOSPC, errno.EDQUOT)
CLOSED = (errno.EACCES, errno.EPERM, errno.EROFS)


def _end_for_the_disk(error: OSError) -> None:
    """End with what to do for a full disk, or a place that this user may not use; return for any other."""
    where = f" ({error.filename})" if error.filename else ""
    if error.errno in FULL:
        echo(f"avatarlab: {error.strerror}{where}: make room, then repeat the command", err=True)
        sys.exit(TransientError.exit_code)
    if error.errno in CLOSED and where:
        todo = "choose another place, or let this user read and write there"
        echo(f"avatarlab: {error.strerror}{where}: {todo}", err=True)
        sys.exit(InputError.exit_code)


def _end_for_a_defect() -> NoReturn:
    """End with the traceback of the error that is handled, and with the exit code that help promises."""
    echo(traceback.format_exc(), err=True, nl=False)
    sys.exit(InvariantBroken.exit_code)


@click.group(
    cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120}
)
@click.version_option(package_name="avatarlab")
def main() -> None:
    """A script, a likeness and a voice in; a published, traceable talking video out.

    Exit codes: 0 done, 1 a task's process was killed or somebody marked it as failed, 2 the request or its
    material is wrong, 3 out of memory, 4 a store or the network is away, 5 a stage took too long,
    6 cancelled, 7 the day's budget is spent, 8 too many orders wait, 70 a defect of Avatarlab.
    """


for _module in (
    render, approval, say, lineage, bulk, feedback, cache, operate, outbox, models, consent, housekeeping,
    verify, backup, tables, metrics, cost,
):  # fmt: skip
    for _command in _module.COMMANDS:
        main.add_command(_command)
