"""Requests and renders: render, submit, status, watch, cancel, upload."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from avatarlab_ops.cli.common import (
    FORM,
    OUT,
    REQUEST,
    airflow,
    check_out,
    console,
    echo,
    is_render,
    known_stores,
    prepared_stores,
    read_request,
    render_id_of,
    still_running,
    stores,
    tell,
    tell_status,
    upload_file,
)
from avatarlab_ops.cli.consent import EVIDENCE, LICENCE
from avatarlab_ops.cli.consent import record as record_consent
from avatarlab_ops.errors import InputError
from avatarlab_ops.files import sha256_of
from avatarlab_ops.states import Priority, RenderState

if TYPE_CHECKING:
    from avatarlab_ops.settings import Settings

NOT_UPLOADED = "s3://inputs/narration"  # stands for a narration while the request is checked


@click.command(short_help="Render a request here, without Airflow")
@REQUEST
@click.option(
    "--narration",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Recording heard instead of a voice, of the script or without one; its use needs a consent.",
)
@OUT
def render(request_file: Path, narration: Path | None, out: Path | None) -> None:
    """Render REQUEST_FILE in this process, without Airflow."""
    from avatarlab_ops import pipeline
    from avatarlab_ops.cli.watch import Stages
    from avatarlab_ops.request import AvatarRequest

    heard = {"narration": {"uri": NOT_UPLOADED}} if narration else {}
    request = read_request(request_file, **heard)
    AvatarRequest.parse(request).check_deadline()
    check_out(out, request_file)
    settings = stores() if narration is None else prepared_stores()
    if narration is not None:
        request["narration"] = {"uri": upload_file(settings, narration, None)}
    with Stages(console()) as reporter:
        published = pipeline.render(settings, request, reporter=reporter, caller="cli")
    tell(settings, published, out)


@click.command(short_help="Order a render through Airflow")
@REQUEST
@click.option("--wait/--no-wait", default=False, help="Watch the render until it is final.")
@click.option(
    "--priority",
    type=click.Choice([one.name.lower() for one in Priority]),
    default="normal",
    show_default=True,
    help="interactive: somebody is watching; normal; bulk: no hurry.",
)
@OUT
def submit(request_file: Path, wait: bool, priority: str, out: Path | None) -> None:
    """Order REQUEST_FILE and print the run's id; an equal request is not rendered twice.

    One that has to wait in line is told with the time at which it is expected to begin.

    From any machine: AVATARLAB_AIRFLOW_URL and AVATARLAB_AIRFLOW_TOKEN say where and who.
    """
    from avatarlab_ops.cli.remote import finish, status_of
    from avatarlab_ops.cli.watch import in_line

    request = read_request(request_file)
    check_out(out, request_file)
    with airflow() as client:
        told = client.order(request, priority)
        echo(told["run_id"])
        if told["expected_start"]:
            echo(in_line(status_of(told)), err=True)
        if wait or out:
            finish(client, told["id"], console(), out)


@click.command(short_help="State of a render, with a link to its video")
@click.argument("run")
@FORM
def status(run: str, form: str) -> None:
    """Print what is known of RUN (a run's or a render's id); a published video with a link that opens it."""
    from avatarlab_ops.renders import status

    settings = known_stores()
    found = status.of(settings, render_id_of(run))
    if form == "json":
        echo(json.dumps(asdict(found), indent=2, default=str))
    else:
        tell_status(settings, found)


@click.command(short_help="Follow a render until it has ended")
@click.argument("run")
@OUT
def watch(run: str, out: Path | None) -> None:
    """Show the progress of RUN (a run's or a render's id) until it is final."""
    from avatarlab_ops.cli.watch import check_published, follow
    from avatarlab_ops.renders import status

    check_out(out)
    settings = known_stores()
    render_id = render_id_of(run)
    check_published(follow(lambda: status.of(settings, render_id), console(), alive=still_running(run)))
    if published := status.published(settings, render_id):
        tell(settings, published, out)


@click.command(short_help="End a render and its tasks")
@click.argument("run")
def cancel(run: str) -> None:
    """End RUN (a run's or a render's id) and, with it, the tasks of its Airflow run."""
    from avatarlab_ops import pipeline
    from avatarlab_ops.renders import status

    settings = known_stores()
    render_id = run if is_render(run) else next(iter(status.renders_of_run(settings, run)), None)
    run_id = status.of(settings, run).run_id if is_render(run) else run
    reason = "cancelled by `avatarlab cancel`"
    ended = render_id is not None and pipeline.cancel(settings, render_id, reason)
    if run_id:
        with airflow() as client:
            ended = client.cancel(run_id, reason) or ended
    state = status.of(settings, render_id).state if render_id else RenderState.FAILED
    echo(f"{run} cancelled" if ended else f"{run} had ended before: {state}")


@click.command(short_help="Put a file into the bucket of inputs")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--as", "key", help="Key in the inputs bucket; left out: one made of the content and the name.")
@click.option(
    "--consent-subject", "subject", help="Who agrees to the use of their likeness or voice in FILE."
)
@click.option(
    "--kind",
    type=click.Choice(["likeness", "voice"]),
    help="What of them FILE is given for; left out: voice for a sound, else likeness.",
)
@EVIDENCE
@LICENCE
def upload(
    *,
    file: Path,
    key: str | None,
    subject: str | None,
    kind: str | None,
    evidence: Path | None,
    licence: str | None,
) -> None:
    """Put FILE into the inputs bucket and print its reference; with a subject, record the consent.

    FILE is a picture, a clip, a sound, a lexicon (.csv, .pls), or the rows or the template of a bulk run.
    """
    from avatarlab_ops.stores.catalog import transaction
    from avatarlab_ops.trust import consent

    if bool(subject) != bool(evidence or licence):
        raise InputError("--consent-subject needs --evidence FILE or --licence TEXT, and the other way round")
    held = _holds(file)
    if kind and kind not in held:
        raise InputError(f"--kind {kind}: {file.name} holds {' and '.join(held) or 'nothing of people'}")
    settings = prepared_stores()
    uri = upload_file(settings, file, key)
    if "likeness" in held:
        _tell_of_face(settings, uri)
    material = consent.Material(kind or next(iter(held), "likeness"), sha256_of(file), uri)
    if subject:
        consent_id = record_consent(settings, material, subject, evidence, licence)
        echo(f"consent {consent_id} of {subject} recorded", err=True)
    elif held:
        with transaction(settings.pg_dsn) as db:
            agreed = consent.is_held(db, material)
        if not agreed:
            echo(f"no consent is recorded: until then it is refused as a {material.kind}. Record one "
                       f"with: {consent.command(material)}", err=True)  # fmt: skip
    echo(uri)


def _tell_of_face(settings: Settings, uri: str) -> None:
    """What admission will say of it as an avatar; it may be meant as a background."""
    from avatarlab_ops.stages.inspection import inspect

    source, look, objection = inspect(settings, uri)
    for note in (*source.notes, *(look.notes if look else ())):
        echo(f"note: {note}", err=True)
    if objection:
        echo(f"as an avatar it will be refused: {objection}", err=True)


def _holds(file: Path) -> tuple[str, ...]:
    """likeness, voice; nothing for a file of a bulk run, or a lexicon.

    Raises MediaRefused or RequestInvalid for what no request takes.
    """
    from avatarlab_ops.bulk import text_files
    from avatarlab_ops.media import foreign
    from avatarlab_ops.trust import consent

    if text_files.is_one(file.name):
        with file.open("rb") as stream:
            text_files.check(file.name, file.stat().st_size, stream)
        return ()
    found = foreign.probe(file, allow=("image", "video", "audio"))
    return consent.holds(found.kind, sound=found.has_audio)


COMMANDS = (render, submit, status, watch, cancel, upload)
