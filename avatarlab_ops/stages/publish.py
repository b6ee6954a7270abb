"""The finished files to the outputs bucket, and one transaction that makes them the render's video.

What is published is an artifact of its own, for this render alone: `run` signs it, the last change to the
bytes, and a lost file is brought back from there.

Objects first, then the transaction: a process that dies in between leaves files that nobody refers to, and
the next attempt finds them in place. The manifest is written once; a second attempt takes the first one's.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from sqlalchemy.orm import Session

from avatarlab_ops import events
from avatarlab_ops.canonical import Json, canonical_json
from avatarlab_ops.errors import ConsentError, InvariantBroken, RenderCancelled
from avatarlab_ops.graph import DOCUMENTS, GRAPH, PUBLISH, SPEECH, recipe, shown
from avatarlab_ops.plan import ROLES, Plan
from avatarlab_ops.progress import silent
from avatarlab_ops.settings import Settings
from avatarlab_ops.stages import deadline, prints, runner
from avatarlab_ops.stages.context import Context
from avatarlab_ops.states import Event, RenderState
from avatarlab_ops.stores import artifacts as store
from avatarlab_ops.stores import outbox
from avatarlab_ops.stores.artifacts import Product
from avatarlab_ops.stores.catalog import ancestry, consents, lock, notes, records, tables, transaction
from avatarlab_ops.stores.objects import Stored, objects, split_or_refuse
from avatarlab_ops.trust import consent, credentials, signing
from avatarlab_ops.version import code_version, environment

WAIT_S = 600.0
UNSIGNED = "no content credentials: AVATARLAB_CONTENT_CREDENTIALS is off"
DEVELOPMENT = "signed with a development certificate: nobody outside can tell whose it is"
UNSTAMPED = "no time stamp: AVATARLAB_TIMESTAMP_URL names no authority"


def publish(settings: Settings, render_id: str) -> float:
    """Publish a render exactly once; return seconds of work.

    Raises RenderCancelled when it has ended otherwise.
    """
    started = time.monotonic()
    with lock(settings.pg_dsn, f"publish {render_id}", wait_s=WAIT_S):
        with transaction(settings.pg_dsn) as db:
            if records.check_open(db, render_id).state == RenderState.PUBLISHED:
                return 0.0
            render, artifacts = records.find(db, render_id), records.artifacts_of(db, render_id)
            request = records.request_of(db, render)
            held = [consent.provenance(one) for one in _consents(db, render, request)]
        own = _make(settings, render, artifacts)
        film = next(one for name, one in shown(artifacts).items() if name.startswith("video."))
        prints.keep_sound_print(settings, artifacts[SPEECH.name])
        prints.keep_picture_print(settings, film)
        artifacts[PUBLISH.name] = own
        with transaction(settings.pg_dsn) as db:
            behind = {made.stage: made for made in ancestry.ancestry(db, render_id)} | artifacts
            made = {stage: _provenance(db, artifact) for stage, artifact in behind.items()}
        # No transaction is inside: what was begun there is decided, one way or the other.
        with deadline.in_time(f"{PUBLISH.name} (copying its files)", film.compute_s):
            files = _place(settings, render_id, own)
            manifest = _manifest(render, request, artifacts, files)
            manifest |= {"artifacts": made, "consents": held, "credentials": own.facts["credentials"]}
            manifest, files["manifest.json"] = _keep(settings, render_id, manifest)
        try:
            spent_s = time.monotonic() - started
            _commit(settings, render_id, manifest, files, artifact=own.fingerprint, spent_s=spent_s)
        except (RenderCancelled, ConsentError):
            _remove(settings, render_id, files)
            raise
    return time.monotonic() - started


def _consents(db: Session, render: tables.Render, request: tables.Request) -> list[tables.Consent]:
    """The consents that hold now, until the transaction ends. Raises ConsentError."""
    plan = Plan.model_validate(render.plan)
    # As it was accepted: an earlier version may have taken what today's contract refuses.
    return consent.check(db, consent.materials(plan), plan.language, request.body.get("labels", {}))


def _make(
    settings: Settings, render: tables.Render, artifacts: Mapping[str, tables.Artifact]
) -> tables.Artifact:
    """The artifact that is published; a second attempt takes the first one's and does not sign anew."""
    plan = Plan.model_validate(render.plan)
    wanted = recipe(PUBLISH, plan, artifacts)
    if wanted is None:
        raise InvariantBroken(f"{PUBLISH.name} was called before {' and '.join(PUBLISH.after)}")
    wanted = replace(wanted, params={"render_id": render.id})
    made, _, _ = runner.make(
        settings, render.id, plan, wanted,
        artifacts=artifacts, report=silent, wait=True, budget_s=deadline.budget_s(),
    )  # fmt: skip
    return made


def run(work: Context) -> Product:
    """What people will look at: the finished files, some with bytes of this render's own."""
    made = shown(work.artifacts)
    own, facts = signed(work, made)
    passed = {name: one.files[name] for name, one in made.items() if name not in own}
    return Product(own, facts={"credentials": facts}, passed=passed)


def signed(work: Context, made: Mapping[str, tables.Artifact]) -> tuple[Mapping[str, Path], Json]:
    """Files with content credentials of this render, by name, and what the catalog keeps of their signature.

    `made` has the artifact that holds each file. Raises InputError for a certificate that does not do.
    """
    signer = signing.identity(work.settings.home)
    if signer is None:
        return {}, {"signed": False, "notes": [UNSIGNED]}
    name = next(name for name in made if name.startswith("video."))
    video = work.artifact(made[name].stage, name).rename(work.new(name))
    started = time.monotonic()
    claimed = credentials.claim(work.render_id, work.plan, signer.provider)
    files, found = credentials.sign(video, work.workspace, claimed, signer)
    kept = {"signed": True, "manifest": found.manifest, "issuer": found.issuer, "serial": found.serial}
    kept |= {"anchor": signer.anchor, "time_stamp": found.signed_at, "notes": _notes(signer)}
    return files, kept | {"sign_s": round(time.monotonic() - started, 3)}


def _notes(signer: signing.Identity) -> list[str]:
    told = {DEVELOPMENT: signer.development, UNSTAMPED: signer.timestamp_url is None}
    return [note for note, holds in told.items() if holds]


def published(artifacts: Mapping[str, tables.Artifact]) -> dict[str, tables.Artifact]:
    """Name of each published file to the artifact that holds its bytes.

    A video that was published before publication kept an artifact is the composite, byte for byte.
    """
    own = artifacts.get(PUBLISH.name)
    return dict.fromkeys(own.files, own) if own else shown(artifacts)


def _place(settings: Settings, render_id: str, artifact: tables.Artifact) -> dict[str, Json]:
    """Copy what people look at to its lasting place."""
    placed: dict[str, Json] = {}
    for name in sorted(artifact.files):
        source = store.file(settings, artifact, name)
        copy = objects(settings).copy(source, settings.bucket_outputs, f"renders/{render_id}/{name}")
        placed[name] = {"uri": copy.uri, "sha256": source.sha256, "bytes": copy.bytes}
    return placed


def _manifest(
    render: tables.Render,
    request: tables.Request,
    artifacts: dict[str, tables.Artifact],
    files: dict[str, Json],
) -> Json:
    """The whole provenance of one video."""
    plan = render.plan or {}
    sources = {role: plan[role] for role in ROLES if plan.get(role)}
    return {
        "manifest_version": 1,
        "render_id": render.id,
        "run_id": render.run_id,
        "published_at": records.now().isoformat(),
        "caller": request.caller,
        "request": {"sha256": request.sha256, "body": request.body, "at": request.created_at.isoformat()},
        "plan": plan,
        "inputs": sources,
        "outputs": dict(files),
        "measures": measures(artifacts),
        "warnings": notes.told(plan, (made.facts for made in artifacts.values())),
        "code_version": code_version(),
        "environment": environment(),
    }


def _provenance(db: Session, artifact: tables.Artifact) -> Json:
    facts = {name: value for name, value in artifact.facts.items() if name not in DOCUMENTS}
    return {
        "fingerprint": artifact.fingerprint,
        "sha256": artifact.sha256,
        "stage_version": artifact.stage_version,
        "engine": records.engine_of(db, artifact),
        "params": artifact.params,
        "inputs": records.edges_of(db, artifact),
        "files": artifact.files,
        "facts": facts,
        "code_version": artifact.code_version,
        "compute_s": artifact.compute_s,
        "made_by": artifact.made_by,
        "created_at": artifact.created_at.isoformat(),
    }


def measures(artifacts: dict[str, tables.Artifact]) -> Json:
    """The figures of a render that people compare: seconds, LUFS, milliseconds, shares."""
    found: Json = {}
    for stage in GRAPH:
        facts = artifacts[stage.name].facts if stage.name in artifacts else {}
        found |= {name: facts[fact] for name, fact in stage.measures.items() if fact in facts}
    return found


def _keep(settings: Settings, render_id: str, manifest: Json) -> tuple[Json, Json]:
    """Write the manifest unless an earlier attempt did; return the one that counts, and its file."""
    store, key = objects(settings), f"renders/{render_id}/manifest.json"
    kept: Stored = store.put_if_absent(settings.bucket_outputs, key, canonical_json(manifest))
    if not kept.created:
        manifest = json.loads(store.read(settings.bucket_outputs, key))
    return manifest, {"uri": kept.uri, "sha256": kept.sha256, "bytes": kept.bytes}


def _commit(
    settings: Settings,
    render_id: str,
    manifest: Json,
    files: dict[str, Json],
    *,
    artifact: str,
    spent_s: float,
) -> None:
    with transaction(settings.pg_dsn) as db:
        render = records.check_open(db, render_id)
        if render.state == RenderState.PUBLISHED:  # by another try, whose files these are
            return
        held = _consents(db, render, records.request_of(db, render))  # a revocation waits, or has ended it
        if not records.end_render(db, render_id, RenderState.PUBLISHED, measures=manifest["measures"]):
            db.expire_all()
            records.check_open(db, render_id)  # cancelled or failed meanwhile: says so
            return
        consents.rely(db, render_id, [one.id for one in held])
        records.record_files(db, render_id, files)
        events.stage_done(db, settings, render_id, PUBLISH.name, artifact=artifact, compute_s=spent_s)
        ancestry.record_sources(db, render_id)
        outbox.post(db, "manifests", render_id, manifest, render_id)
        events.tell(db, settings, render_id, Event.PUBLISHED, files)


def _remove(settings: Settings, render_id: str, files: dict[str, Json]) -> None:
    """Take back what was placed for a render that ended otherwise meanwhile; another try may publish it."""
    with transaction(settings.pg_dsn) as db:
        if records.find(db, render_id).state == RenderState.PUBLISHED:
            return
    for file in files.values():
        objects(settings).delete(*split_or_refuse(file["uri"]))
