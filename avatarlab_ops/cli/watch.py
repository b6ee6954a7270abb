"""Live progress of one render on a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from avatarlab_ops.errors import AvatarlabError, TransientError, of_code
from avatarlab_ops.places import ADMIT_TASK, REFUSAL, RENDER_ID
from avatarlab_ops.printable import one_line
from avatarlab_ops.states import FINAL, SETTLED, RenderState, StageState

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

    from avatarlab_ops.cli.client import AirflowClient
    from avatarlab_ops.progress import Report
    from avatarlab_ops.renders.status import RenderStatus, StageStatus

POLL_S = 0.4  # progress rows change at most twice a second
BEGUN_S = 600.0  # how long a run may take to begin
AWAY_S = 120.0  # how long a server may be away before a watch ends
WAITING = "waiting for equal work"
AWAITING = "waiting for approval"
SAID: dict[str, str] = {StageState.WAITING: WAITING, StageState.AWAITING: AWAITING}
_MARK: dict[str, str] = {
    StageState.DONE: "[green]done",
    StageState.WAITING: f"[yellow]{WAITING}",
    StageState.AWAITING: f"[yellow]{AWAITING}",
    StageState.CACHED: "[cyan]reused",
    StageState.NOT_NEEDED: "[dim]not needed",
    StageState.FAILED: "[red]failed",
}


class RenderFailedError(AvatarlabError):
    """The watched render ended without a video; the message is the reason it gave."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code  # type: ignore[misc]
        self.exit_code = of_code(code).exit_code  # type: ignore[misc]


def bars(console: Console) -> Progress:
    """Progress bars with percent, rate and remaining time; plain lines where there is no terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    return Progress(
        TextColumn("{task.description:<10}"), BarColumn(bar_width=28), MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"), TimeElapsedColumn(), console=console,
    )  # fmt: skip


class Board:
    """One line per stage."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.progress = bars(console)
        self.lines: dict[str, TaskID] = {}
        self.said: dict[str, str] = {}
        self.announced = self.queued = False

    def show(self, status: RenderStatus) -> None:
        """Bring the lines up to date."""
        if status.expected_start and not self.queued:
            self.queued = True
            self.console.print(in_line(status), highlight=False)
        if status.expected_end and status.predicted_s is not None and not self.announced:
            self.announced = True
            self.console.print(
                f"expected end {status.expected_end.astimezone():%H:%M:%S} "
                f"({status.predicted_s:.1f} s of work, {status.predicted_gpu_s:.1f} of them GPU-seconds)",
                highlight=False,
            )
        for stage in status.stages:
            if self.said.get(stage.stage) != stage.state and not self.console.is_terminal:
                said = SAID.get(stage.state, stage.state)
                self.console.print(f"{stage.stage}: {said}", highlight=False)
            self.said[stage.stage] = stage.state
            if stage.stage not in self.lines:
                self.lines[stage.stage] = self.progress.add_task(
                    stage.stage, total=None, start=False, note=""
                )
            self._line(stage)

    def _line(self, stage: StageStatus) -> None:
        line = self.lines[stage.stage]
        if stage.state == StageState.RUNNING and not self.progress.tasks[line].started:
            self.progress.start_task(line)
        if stage.state in _MARK and stage.state not in SAID and not self.progress.tasks[line].stop_time:
            self.progress.start_task(line)
            self.progress.stop_task(line)  # once: each call would set its clock to the present
        speed = f"{stage.rate:.0f} {stage.unit}/s" if stage.rate else ""
        done = stage.state in SETTLED
        total = stage.total or (1 if done else None)
        self.progress.update(
            line, completed=total if done else stage.done, total=total, note=_MARK.get(stage.state, speed)
        )


def in_line(status: RenderStatus) -> str:
    """What is said of a render that waits in line: when it is expected to begin and to end."""
    times = {"begins": status.expected_start, "ends": status.expected_end}
    told = (f"{what} about {at.astimezone():%Y-%m-%d %H:%M:%S}" for what, at in times.items() if at)
    return f"waits in line: {', '.join(told)}"


class Stages:
    """Bars for stages that run in this process: gives each stage its `Report`."""

    def __init__(self, console: Console) -> None:
        self.progress = bars(console)

    def __enter__(self) -> Callable[[str], Report]:
        self.progress.start()
        return self.reporter

    def __exit__(self, *_: object) -> None:
        self._stop_clock()
        self.progress.stop()

    def _stop_clock(self) -> None:
        """Stages follow one another: the one before ends where the next begins."""
        if self.progress.task_ids:
            self.progress.stop_task(self.progress.task_ids[-1])

    def reporter(self, stage: str) -> Report:
        """Begin a line for the stage and return what moves it."""
        self._stop_clock()
        line = self.progress.add_task(stage, total=None, note="")

        def report(done: int, total: int, unit: str) -> None:
            self.progress.update(line, completed=done, total=total, note=unit)

        return report


def follow(
    look: Callable[[], RenderStatus],
    console: Console,
    *,
    alive: Callable[[], Any] = lambda: None,
    every_s: float = POLL_S,
) -> RenderStatus:
    """Show the render that `look` tells of until it is final, and return its last status.

    `alive` is called every two seconds and may raise to end the watch, e.g. when nobody works on the render.
    A server that is away ends it after two minutes only: the render goes on without being watched.
    """
    board = Board(console)
    looked, lost = 0.0, None
    with board.progress:
        while True:
            try:
                seen = look()
                board.show(seen)
                if seen.state in FINAL:
                    return seen
                if time.monotonic() - looked > 2:
                    alive()
                    looked = time.monotonic()
                lost = None
            except TransientError as error:
                lost = lost or _lost(console, error)
                if time.monotonic() - lost > AWAY_S:
                    raise
            time.sleep(every_s)


def check_published(final: RenderStatus) -> None:
    """Raise RenderFailedError for a render that ended without a video, or whose video was withdrawn."""
    if final.state != RenderState.PUBLISHED:
        told = final.error or f"the render ended as {final.state}"
        raise RenderFailedError(final.error_code or final.state, told)
    if final.withdrawn_at:
        raise RenderFailedError("withdrawn", f"the video was withdrawn: {one_line(final.withdrawn_reason)}")


def _lost(console: Console, error: TransientError) -> float:
    """Say once that a server is away, and return when that was seen (time.monotonic)."""
    console.print(f"{error}; the render goes on, and this waits", style="yellow", markup=False)
    return time.monotonic()


def render_of(client: AirflowClient, run_id: str) -> str:
    """Render id of an Airflow run, once its task `admit` has accepted the request.

    Raises RenderFailedError with the reason when the run ends before, TransientError when it does not begin.
    """
    deadline = time.monotonic() + BEGUN_S
    while time.monotonic() < deadline:
        if render_id := client.xcom(run_id, ADMIT_TASK, RENDER_ID):
            return str(render_id)
        if client.run(run_id)["state"] == "failed":
            raise reason(client, run_id)
        time.sleep(POLL_S)
    raise TransientError(f"run {run_id} did not begin within {BEGUN_S:.0f} s; look at Airflow's grid")


def reason(client: AirflowClient, run_id: str) -> RenderFailedError:
    """Why a run failed, as its failing task said it."""
    for task, state in client.tasks(run_id).items():
        if state == "failed":
            told = client.xcom(run_id, task, REFUSAL) or {}
            text = told.get("reason") or f"task {task} failed; its log in Airflow says why"
            return RenderFailedError(told.get("code", "error"), text)
    return RenderFailedError("error", f"run {run_id} failed; Airflow's grid shows where")
