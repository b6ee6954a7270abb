"""The command line: the pipeline without Airflow, requests through Airflow, and the operator's commands."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from avatarlab_ops.errors import AvatarlabError, InputError, RenderCancelled

if TYPE_CHECKING:
    from rich.console import Console

    from avatarlab_ops.client import AirflowClient
    from avatarlab_ops.pipeline import Published, RenderStatus
    from avatarlab_ops.settings import Settings

ROOT = Path(os.environ.get("AVATARLAB_ROOT") or Path(__file__).resolve().parents[1])


class _Commands(click.Group):
    """Ends with the error's own exit code and message; a traceback is for defects only."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except AvatarlabError as error:
            if os.environ.get("AVATARLAB_TRACEBACK"):
                raise
            click.echo(f"avatarlab: {error.code}: {error}", err=True)
            sys.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo("avatarlab: interrupted", err=True)
            sys.exit(RenderCancelled.exit_code)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="avatarlab")
def main() -> None:
    """A script, a likeness and a voice in; a published, traceable talking video out.

    Exit codes: 0 done, 2 the request or its material is wrong, 3 out of memory, 4 a store or the network is
    away, 5 a stage took too long, 6 cancelled, 70 a defect of Avatarlab.
    """


REQUEST = click.argument("request_file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
FILE = click.Path(dir_okay=False, path_type=Path)
OUT = click.option("--out", type=FILE, help="Where to put a copy of the video.")


@main.command()
@REQUEST
@OUT
def render(request_file: Path, out: Path | None) -> None:
    """Render REQUEST_FILE in this process, without Airflow."""
    from avatarlab_ops import pipeline
    from avatarlab_ops.watch import Stages

    request = _request(request_file)
    settings = _stores()
    with Stages(_console()) as reporter:
        published = pipeline.render(settings, request, reporter=reporter, caller="cli")
    _tell(settings, published, out)


@main.command()
@REQUEST
@click.option("--wait/--no-wait", default=False, help="Watch the render until it is final.")
@OUT
@click.pass_context
def submit(context: click.Context, request_file: Path, wait: bool, out: Path | None) -> None:
    """Send REQUEST_FILE to Airflow and print the run's id; an equal request is not rendered twice."""
    with _airflow() as client:
        run_id = client.submit(_request(request_file))
    click.echo(run_id)
    if wait or out:
        context.invoke(watch, run=run_id, out=out)


@main.command()
@click.argument("run")
def status(run: str) -> None:
    """Print what is known of RUN (a run's or a render's id) as JSON."""
    from dataclasses import asdict

    found = _status(_settings(), _render_id(run))
    click.echo(json.dumps(asdict(found), indent=2, default=str))


@main.command()
@click.argument("run")
@OUT
def watch(run: str, out: Path | None) -> None:
    """Show the progress of RUN (a run's or a render's id) until it is final."""
    from avatarlab_ops import pipeline
    from avatarlab_ops.watch import RenderFailedError, follow

    settings = _settings()
    render_id = _render_id(run)
    final = follow(settings, _console(), render_id, alive=_still_running(run))
    if final.state != "published":
        told = final.error or f"the render ended as {final.state}"
        raise RenderFailedError(final.error_code or final.state, told)
    if published := pipeline.published(settings, render_id):
        _tell(settings, published, out)


@main.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--as", "key", help="Key in the inputs bucket; left out: one made of the content and the name.")
def upload(file: Path, key: str | None) -> None:
    """Put FILE into the inputs bucket and print its reference."""
    click.echo(_upload(_stores(), file, key))


@main.command()
def up() -> None:
    """Start the stores and Airflow, and print the address and the login once everything is healthy."""
    from avatarlab_ops.embedded import control

    home = _home()
    state = control.up(home, lambda line: click.echo(f"  {line}"))
    click.echo(_login(home, state.address))


@main.command()
def down() -> None:
    """Stop Airflow and the stores; all data is kept."""
    from avatarlab_ops.embedded import control

    click.echo("stopped" if control.down(_home()) else "nothing was running")


@main.command()
def doctor() -> None:
    """Check every dependency, server, engine, weight file and pool, and say what to do."""
    from rich.table import Table

    from avatarlab_ops.doctor import examine

    table = Table("", "what", "found", "what to do", box=None)
    wrong = 0
    for finding in examine(_home()):
        wrong += not finding.right
        mark = "[green]ok[/]" if finding.right else "[red]NO[/]"
        advice = "" if finding.right else finding.advice
        table.add_row(mark, f"{finding.group}: {finding.name}", finding.detail, advice)
    _console().print(table)
    if wrong:
        raise InputError(f"{wrong} thing{'s' if wrong > 1 else ''} to do, see above")


@main.command()
@click.option("--out", "folder", type=click.Path(file_okay=False, path_type=Path), default=ROOT / "out")
@click.pass_context
def demo(context: click.Context, folder: Path) -> None:
    """Render the demo request through Airflow, from start-up to the finished file."""
    context.invoke(up)
    home, settings = _home(), _settings()
    _upload(settings, ROOT / "demo" / "astronaut.png", "demo/astronaut.png")
    request = _request(ROOT / "demo" / "request.json")
    with _airflow() as client:
        run_id = client.submit(request)
    context.invoke(watch, run=run_id, out=folder / "demo.mp4")
    address = json.loads((home / "supervisor.json").read_text())["address"]
    click.echo(_login(home, address))


def _home() -> Path:
    from avatarlab_ops.settings import home_folder

    return home_folder()


def _settings() -> Settings:
    from avatarlab_ops.settings import Settings

    return Settings.from_env()


def _stores() -> Settings:
    from avatarlab_ops.embedded import servers

    return servers.ensure(_home())


def _airflow() -> AirflowClient:
    from avatarlab_ops.client import AirflowClient

    return AirflowClient.from_home(_home())


def _console() -> Console:
    from rich.console import Console

    return Console(stderr=True)


def _request(path: Path) -> dict[str, Any]:
    """The request in a file, checked against the contract, as it was written."""
    from avatarlab_ops.request import AvatarRequest

    text = path.read_bytes()
    AvatarRequest.from_json(text)
    return dict(json.loads(text))


def _render_id(run: str) -> str:
    """Render id of an Airflow run; a render's own id is returned as it is."""
    from avatarlab_ops.watch import render_of

    if _is_render(run):
        return run
    with _airflow() as client:
        return render_of(client, run)


def _is_render(run: str) -> bool:
    """Whether an id has the form of a render's; a run's id is whatever its caller chose."""
    return re.fullmatch(r"\d{8}-\d{6}-[0-9a-f]{8}", run) is not None


def _still_running(run: str) -> Callable[[], None]:
    """End a watch when Airflow's run has failed and the catalog does not say so (a killed machine, say)."""
    from avatarlab_ops.watch import reason

    if _is_render(run):
        return lambda: None
    client = _airflow()
    failed = 0

    def look() -> None:
        nonlocal failed
        failed = failed + 1 if client.run(run)["state"] == "failed" else 0
        if failed > 5:  # the catalog has had ten seconds to hear of it
            raise reason(client, run)

    return look


def _status(settings: Settings, render_id: str) -> RenderStatus:
    from avatarlab_ops import pipeline

    return pipeline.status(settings, render_id)


def _upload(settings: Settings, file: Path, key: str | None) -> str:
    import hashlib

    from avatarlab_ops.stores.objects import objects

    with file.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    wanted = key or f"uploads/{sha256[:12]}/{file.name}"
    stored = objects(settings).put_if_absent(settings.bucket_inputs, wanted, file)
    if stored.sha256 != sha256:
        raise InputError(f"{stored.uri} exists with other content; choose another key with --as")
    return stored.uri


def _fetch(settings: Settings, uri: str, path: Path) -> None:
    """Copy an object to a file, whole or not at all."""
    from avatarlab_ops.request import split_reference
    from avatarlab_ops.stores.objects import objects

    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        objects(settings).download(*split_reference(uri), draft, sha256=None, max_bytes=1 << 40)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _tell(settings: Settings, published: Published, out: Path | None) -> None:
    """Print where the video and its manifest are, after copying them when asked."""
    if out:
        _fetch(settings, published.video_uri, out)
        _fetch(settings, published.manifest_uri, out.with_suffix(".json"))
        click.echo(f"video     {out}\nmanifest  {out.with_suffix('.json')}")
    click.echo(f"published {published.video_uri} ({published.duration_s:.1f} s)")
    click.echo(f"          {published.manifest_uri}")


def _login(home: Path, address: str) -> str:
    password = json.loads((home / "airflow" / "passwords.json").read_text())["admin"]
    return f"Airflow   {address}\nlogin     admin / {password}"


if __name__ == "__main__":
    main()
