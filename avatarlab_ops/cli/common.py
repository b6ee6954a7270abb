"""What several commands share: where things are, and how results are told."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from avatarlab_ops.cli.watch import SAID
from avatarlab_ops.errors import InputError
from avatarlab_ops.files import replacing, sha256_of
from avatarlab_ops.printable import escaped, one_line
from avatarlab_ops.states import StageState

if TYPE_CHECKING:
    from rich.console import Console

    from avatarlab_ops.cli.client import AirflowClient
    from avatarlab_ops.renders.status import Published, RenderStatus
    from avatarlab_ops.settings import Settings

REQUEST = click.argument("request_file", type=click.Path(exists=True, dir_okay=False, path_type=Path))


if TYPE_CHECKING:
    _Path = click.Path[Path]
else:
    _Path = click.Path  # of an older click, as Airflow's constraints may name it: no type to be given


class _Named(_Path):
    """A file that may be still to be written: click looks for none, and "" would be the working folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """See click.Path."""
        path = super().convert(value, param, ctx)
        if not path.name:
            self.fail(f"{value!r} names no file", param, ctx)
        return path


FILE = _Named(dir_okay=False, path_type=Path)
# What goes beside the video, by its own name.
BESIDE = (".json", ".srt", ".vtt", ".chapters.vtt", ".jpg", ".c2pa")

FORM = click.option(
    "--format", "form", type=click.Choice(("text", "json")), default="text", show_default=True,
    help="text for people, json for programs.",
)  # fmt: skip


def _of_a_video(_context: click.Context, _option: click.Parameter, out: Path | None) -> Path | None:
    if out and out.suffix in BESIDE:
        raise click.BadParameter(
            f"{', '.join(BESIDE)} are for the manifest, captions, chapters, poster and credentials beside "
            "the video; give it another ending"
        )
    return out


OUT = click.option(
    "--out",
    type=FILE,
    callback=_of_a_video,
    help="Where to put the video; captions, poster and manifest go beside it.",
)


def line_of_words(_context: click.Context, option: click.Parameter, text: str | None) -> str | None:
    """Callback of an option that takes a line of words, which others are shown."""
    if text is not None and text != escaped(text, kept=""):
        raise click.BadParameter(f"{option.opts[0]} holds a control character or a line end; remove it")
    return text


def echo(text: str = "", *, err: bool = False, nl: bool = True) -> None:
    """Print as click does, but nothing that a terminal would obey: whatever people wrote passes here."""
    click.echo(escaped(text), err=err, nl=nl)


def home() -> Path:
    """The folder that holds all local state."""
    from avatarlab_ops.home import home_folder

    return home_folder()


def known_stores() -> Settings:
    """Where the stores are; nothing is started."""
    from avatarlab_ops.settings import Settings

    return Settings.from_env()


def stores() -> Settings:
    """The stores, started where no address is configured."""
    from avatarlab_ops.embedded import servers

    return servers.ensure(home())


def prepared_stores() -> Settings:
    """The stores, with tables, buckets and collections in place."""
    from avatarlab_ops import pipeline
    from avatarlab_ops.stores import catalog

    settings = stores()
    if not catalog.is_current(settings.pg_dsn):
        pipeline.prepare_stores(settings)
    return settings


def airflow() -> AirflowClient:
    """Airflow's REST API, logged in."""
    from avatarlab_ops.cli.client import AirflowClient

    return AirflowClient.from_home(home())


def console() -> Console:
    """Standard error, for what people watch."""
    from rich.console import Console

    return Console(stderr=True)


def check_out(out: Path | None, *inputs: Path) -> None:
    """Refuse, before any work, a place for a result that cannot be written. InputError says why."""
    if out is None:
        return
    for place in (out, *(out.with_suffix(ending) for ending in BESIDE)):
        if any(place.exists() and place.samefile(given) for given in inputs):
            raise InputError(f"--out {out} would write over {place}, which is read; choose another name")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out.parent):
            pass
    except OSError as error:
        raise InputError(f"--out {out} cannot be written: {error.strerror}; choose another folder") from error


def read_request(path: Path, **given: dict[str, str]) -> dict[str, Any]:
    """The request in a file as it was written, with what is `given` beside it, checked by the contract."""
    from avatarlab_ops import strict_json
    from avatarlab_ops.request import AvatarRequest

    written = strict_json.loads(path.read_bytes())
    if isinstance(written, dict):
        written = {name: value for name, value in written.items() if name.partition(".")[0] not in given}
        written |= given
    AvatarRequest.from_json(json.dumps(written, ensure_ascii=False, separators=(",", ":")))
    return dict(written)


def render_id_of(run: str) -> str:
    """Render id of an Airflow run; a render's own id is returned as it is."""
    from avatarlab_ops.cli.watch import render_of

    if is_render(run):
        return run
    with airflow() as client:
        return render_of(client, run)


def is_render(run: str) -> bool:
    """Whether an id has the form of a render's; a run's id is whatever its caller chose."""
    return re.fullmatch(r"\d{8}-\d{6}-[0-9a-f]{8}", run) is not None


def still_running(run: str) -> Callable[[], None]:
    """End a watch when Airflow's run has failed and the catalog does not say so (a killed machine, say)."""
    from avatarlab_ops.cli.watch import reason

    if is_render(run):
        return lambda: None
    client = airflow()
    failed = 0

    def look() -> None:
        """Raise the run's reason once it has been failed for ten seconds."""
        nonlocal failed
        failed = failed + 1 if client.run(run)["state"] == "failed" else 0
        if failed > 5:  # the catalog has had ten seconds to hear of it
            raise reason(client, run)

    return look


def upload_file(settings: Settings, file: Path, key: str | None) -> str:
    """Put a file into the bucket of inputs and return its reference. InputError: the key is taken."""
    from avatarlab_ops.stores.objects import objects
    from avatarlab_ops.trust import inputs

    sha256 = sha256_of(file)
    wanted = key or f"uploads/{sha256[:12]}/{file.name}"
    place = inputs.place(settings, f"s3://{settings.bucket_inputs}/{wanted}", "--as")
    stored = objects(settings).put_if_absent(*place, file)
    if stored.sha256 != sha256:
        raise InputError(f"{stored.uri} exists with other content; choose another key with --as")
    return stored.uri


def fetch(settings: Settings, uri: str, path: Path) -> None:
    """Copy an object to a file, whole or not at all."""
    from avatarlab_ops.fields import split_reference
    from avatarlab_ops.stores.objects import objects

    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as draft:
        objects(settings).download(*split_reference(uri), draft, sha256=None, max_bytes=1 << 40)


def tell(settings: Settings, published: Published, out: Path | None) -> None:
    """Print where the video is, with what was noted; first copy it and what belongs to it when asked."""
    from avatarlab_ops.fields import split_reference
    from avatarlab_ops.stores.objects import objects

    if out:
        for name, uri in sorted(published.files.items(), key=lambda file: file[1] != published.video_uri):
            what, ending = name.split(".")
            beside = f".{name}" if what == "chapters" else f".{ending}"  # there may be captions, too
            place = out if uri == published.video_uri else out.with_suffix(beside)
            fetch(settings, uri, place)
            echo(f"{what:<9} {place}")
    for warning in json.loads(objects(settings).read(*split_reference(published.manifest_uri)))["warnings"]:
        echo(f"warning   {warning}", err=True)
    echo(f"published {published.video_uri} ({published.duration_s:.1f} s)")
    echo(f"          {published.manifest_uri}")


def tell_status(settings: Settings, found: RenderStatus) -> None:
    """Print a render in a few lines: state, stages at work, reason, link, warnings."""
    from avatarlab_ops.fields import split_reference
    from avatarlab_ops.stores.objects import objects

    told = {StageState.RUNNING, StageState.FAILED, *SAID}
    echo(f"{found.state:<9} {found.render_id}" + (f" of run {found.run_id}" if found.run_id else ""))
    for stage in found.stages:
        if stage.state in told:
            done = f" {stage.done} of {stage.total} {stage.unit}" if stage.total else ""
            echo(f"{stage.stage:<9} {SAID.get(stage.state, stage.state)}{done}")
    if found.expected_start:
        echo(f"begins    {found.expected_start.astimezone():%Y-%m-%d %H:%M:%S}")
    if found.expected_end:
        echo(f"expected  {found.expected_end.astimezone():%Y-%m-%d %H:%M:%S}")
    if found.error:
        echo(f"reason    {found.error_code}: {one_line(found.error)}")
    if found.withdrawn_at:
        when = f"{found.withdrawn_at.astimezone():%Y-%m-%d %H:%M:%S}"
        echo(f"withdrawn {when}: {one_line(found.withdrawn_reason)}")
    for warning in found.warnings:
        echo(f"warning   {warning}")
    if found.energy_j is not None:
        echo(f"energy    {found.energy_j:.0f} J, its share of what its devices used")
    if found.video_uri:
        echo(f"video     {found.video_uri} ({found.measures.get('duration_s', 0):.1f} s)")
        echo(f"link      {objects(settings).link(*split_reference(found.video_uri))} (for an hour)")


def login(folder: Path, address: str) -> str:
    """How to log in to Airflow, as two lines."""
    from avatarlab_ops.embedded import logins

    return f"Airflow   {address}\nlogin     {' / '.join(logins.login(folder))}"
