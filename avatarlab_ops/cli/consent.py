"""Whose likeness and voice may be used: consent add, list, show, revoke."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from avatarlab_ops.cli.common import FORM, airflow, console, echo, line_of_words, prepared_stores
from avatarlab_ops.errors import InputError
from avatarlab_ops.files import sha256_of
from avatarlab_ops.printable import one_line
from avatarlab_ops.retention import MOST_LINK_DAYS, PERSON_LINK_DAYS

if TYPE_CHECKING:
    from avatarlab_ops.settings import Settings
    from avatarlab_ops.stores.catalog.tables import Consent
    from avatarlab_ops.trust.consent import Material, Scope

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
EVIDENCE = click.option("--evidence", type=_FILE, help="Document that proves the consent; it is stored.")
LICENCE = click.option("--licence", help="Text of the licence that stands for a document.")


@click.group(short_help="Consents: add, list, show, link, revoke")
def consent() -> None:
    """Record, show and revoke the consent to use a likeness or a voice."""


@consent.command(short_help="Record a consent and print its id")
@click.argument("what")
@click.option(
    "--kind",
    type=click.Choice(["likeness", "voice"]),
    default="likeness",
    show_default=True,
    help="What of the person may be used.",
)
@click.option("--subject", required=True, help="The person, or the rights holder, who agrees.")
@EVIDENCE
@LICENCE
@click.option("--from", "begins", type=click.DateTime(), help="When it begins, UTC; left out: now.")
@click.option("--until", type=click.DateTime(), help="When it ends, UTC; left out: never.")
@click.option("--language", "languages", multiple=True, help="Only for scripts in this language; repeatable.")
@click.option("--label", "labels", multiple=True, help="Only for requests labelled NAME=VALUE; repeatable.")
def add(
    *,
    what: str,
    kind: str,
    subject: str,
    evidence: Path | None,
    licence: str | None,
    begins: datetime | None,
    until: datetime | None,
    languages: tuple[str, ...],
    labels: tuple[str, ...],
) -> None:
    """Record a consent to use WHAT (an s3:// reference, a file, or ENGINE/VOICE) and print its id."""
    from avatarlab_ops.trust.consent import Scope

    settings = prepared_stores()
    scope = Scope(languages, dict(_pair(label) for label in labels))
    period = [moment.replace(tzinfo=UTC) if moment else None for moment in (begins, until)]
    material = _material(settings, what, kind)
    echo(record(settings, material, subject, evidence, licence, scope=scope, period=period))


def record(
    settings: Settings,
    material: Material,
    subject: str,
    evidence: Path | None,
    licence: str | None,
    *,
    scope: Scope | None = None,
    period: list[datetime | None] | None = None,
) -> str:
    """Store the evidence, write the record and return its id."""
    from avatarlab_ops.renders.intake import Leave, record_consent

    leave = Leave(subject, evidence, licence)
    return record_consent(settings, material, leave, scope=scope, period=period or (None, None))


def _pair(label: str) -> tuple[str, str]:
    name, equals, value = label.partition("=")
    if not equals:
        raise InputError(f"--label {label!r}: write NAME=VALUE")
    return name, value


def _material(settings: Settings, what: str, kind: str) -> Material:
    from avatarlab_ops import engines
    from avatarlab_ops.stages.context import workspace
    from avatarlab_ops.stores.objects import objects, split_or_refuse
    from avatarlab_ops.trust.consent import Material

    if what.startswith("s3://"):
        with workspace(settings, "consent") as folder:
            whole = folder / "object"
            bucket, key = split_or_refuse(what)
            sha256 = objects(settings).download(bucket, key, whole, sha256=None, max_bytes=1 << 40)
        return Material(kind, sha256, what)
    if Path(what).is_file():
        return Material(kind, sha256_of(Path(what)), what)
    engine, _, name = what.partition("/")
    if kind == "voice" and name in engines.info("speech", engine).voice_names:
        return Material(kind, what, what)
    raise InputError(
        f"{what} is not an s3:// reference, a file or a built-in voice (--kind voice ENGINE/VOICE)"
    )


@consent.command("list", short_help="List every consent with its state")
@FORM
def list_(form: str) -> None:
    """Show every record, newest first, with its state."""
    from avatarlab_ops.stores.catalog import consents, transaction

    with transaction(prepared_stores().pg_dsn) as db:
        found = [_whole(one) for one in consents.listed(db)]
    if form == "json":
        echo(json.dumps(found, indent=2, ensure_ascii=False, default=str))
    else:
        _show_table(found)


def _whole(record: Consent) -> dict[str, Any]:
    """Every column of a record, and its state."""
    from avatarlab_ops.trust import consent as rules

    columns = {column.name: getattr(record, column.name) for column in record.__table__.columns}
    return columns | {"state": rules.state_of(record)}


def _show_table(found: list[dict[str, Any]]) -> None:
    from rich.table import Column, Table
    from rich.text import Text

    table = Table(Column("id", no_wrap=True), "kind", "subject", "material", "proof", "state", box=None)
    for one in found:
        proof = f"document {one['document_sha256'][:12]}" if one["document_sha256"] else "licence"
        material = one["material"] if "/" in one["material"] else one["material"][:12]
        cells = (one["id"], one["kind"], one["subject"], material, proof, one["state"])
        table.add_row(*(Text(one_line(cell)) for cell in cells))  # brackets are no markup
    console().print(table)


@consent.command(short_help="Print a consent and the renders on it")
@click.argument("consent_id", metavar="ID")
def show(consent_id: str) -> None:
    """Print a record and the renders that rely on it, as JSON."""
    from avatarlab_ops.stores.catalog import consents, transaction

    with transaction(prepared_stores().pg_dsn) as db:
        whole = _whole(consents.find(db, consent_id))
        whole["renders"] = {name: state for name, state, _ in consents.renders_on(db, consent_id)}
    echo(json.dumps(whole, indent=2, default=str))


@consent.command(short_help="End a consent for good")
@click.argument("consent_id", metavar="ID")
@click.option(
    "--reason",
    callback=line_of_words,
    default="the subject withdrew it",
    show_default=True,
    help="Why it ends; kept with the record.",
)
@click.option("--unpublish", is_flag=True, help="Also remove what was published and made on it.")
def revoke(consent_id: str, reason: str, unpublish: bool) -> None:
    """End consent ID for good: renders that run on it fail, and its published videos are listed."""
    from avatarlab_ops.housekeeping import evict
    from avatarlab_ops.renders import withdrawal
    from avatarlab_ops.stores import outbox

    settings = prepared_stores()
    met = withdrawal.revoke(settings, consent_id, reason)
    for render_id in met.stopped:
        echo(f"stopped   {render_id}")
    why = f"consent {consent_id} was revoked: {reason}"
    asked = (*met.videos, *met.withdrawn) if unpublish else ()
    gone = set(withdrawal.withdraw_each(settings, asked, why))
    for render_id in met.videos:
        echo(f"{'withdrawn' if render_id in gone else 'published'} {render_id}")
    for render_id in (one for one in asked if one not in gone):
        echo(f"files of {render_id} may be there yet: revoke once more", err=True)
    if unpublish:
        removed, needed = evict.of_material(settings, met.material)
        echo(f"removed   {removed} intermediate results made from it")
        if needed:
            echo(f"{needed} intermediate results are still needed by other videos", err=True)
    for other in met.still_held:
        echo(f"consent {other} still allows the same material; revoke it too if it is meant", err=True)
    outbox.deliver(settings)


@consent.command(short_help="Print a link for the person who consented")
@click.argument("consent_id", metavar="ID")
@click.option(
    "--days", type=click.IntRange(1, MOST_LINK_DAYS), default=PERSON_LINK_DAYS, show_default=True,
    help="How long it lasts.",
)  # fmt: skip
def link(consent_id: str, days: int) -> None:
    """Print an address for the person of consent ID: what was made of them, and how they withdraw it.

    No login is asked for: give it to nobody else. It is shown this once.
    """
    with airflow() as client:
        echo(client.consent_link(consent_id, days))


COMMANDS = (consent,)
