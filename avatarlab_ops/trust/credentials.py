"""Content credentials (C2PA 2) of a video: who made it, with what and from what, signed over its bytes.

An MP4 carries them, a WebM has them in a file beside it. Signing is the last change to the bytes: the draft
is signed, read back and only then has the video's name.
"""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from avatarlab_ops import engines
from avatarlab_ops.canonical import Json
from avatarlab_ops.errors import InputError, InvariantBroken, TransientError
from avatarlab_ops.media.credentials import RENDER, Credentials, read
from avatarlab_ops.plan import ROLES, Plan
from avatarlab_ops.trust.signing import Identity

SIDECAR = "credentials.c2pa"
SYSTEM = "Avatarlab"
SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
RELATIONS = {"backdrop": "componentOf"}  # seen as it is; what else is given is worked on


def claim(render_id: str, plan: Plan, provider: str) -> Json:
    """What is signed: a C2PA manifest definition.

    Inputs are named by digest, without thumbnails and file names: a face or a name is no part of it.
    """
    system, now = version("avatarlab"), datetime.now(UTC).isoformat(timespec="seconds")
    created = {
        "action": "c2pa.created",
        "when": now,
        "softwareAgent": {"name": SYSTEM, "version": system},
        "digitalSourceType": SOURCE_TYPES + source_type(plan),
    }
    render = {  # with the four fields of California's SB 942
        "provider": provider,
        "system": SYSTEM,
        "system_version": system,
        "created": now,
        "render_id": render_id,
    }
    return {
        "claim_generator_info": [{"name": SYSTEM, "version": system}],
        "title": render_id,
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": [created]}},
            {"label": RENDER, "kind": "Json", "data": render},
        ],
        "ingredients": [_ingredient(role, plan) for role in ROLES if getattr(plan, role)],
    }


def _ingredient(role: str, plan: Plan) -> Json:
    source = getattr(plan, role)
    told = {
        "title": role,
        "format": f"{source.kind}/*",
        "instance_id": f"urn:sha256:{source.sha256}",
        "relationship": RELATIONS.get(role, "inputTo"),
    }
    if source.marks:  # by its label: whose they are may be a person's name
        told["description"] = f"It came with content credentials {source.marks.manifest}."
    return told


def source_type(plan: Plan) -> str:
    """IPTC's name for how the video came to be.

    A real picture is always part of it, so it is a composite, never `trainedAlgorithmicMedia`. What speaks
    or moves the lips is in most engines a model trained on recordings; a warp that follows rules is not one.
    Of a narration the engine's speech is not heard.
    """
    learned = engines.info("lipsync", plan.engines.lipsync).learned or (
        plan.narration is None and engines.info("speech", plan.engines.speech).learned
    )
    return "compositeWithTrainedAlgorithmicMedia" if learned else "compositeSynthetic"


def sign(video: Path, folder: Path, claimed: Json, signer: Identity) -> tuple[dict[str, Path], Credentials]:
    """New files by name in `folder`, and what they say when they are read back.

    `video.mp4` becomes a signed copy; for a WebM its credentials are made. Raises InputError when the
    certificate does not do, TransientError when the time-stamp authority does not answer.
    """
    embedded = video.suffix == ".mp4"
    draft = folder / f"unchecked{video.suffix}"
    manifest = _write(video, draft, claimed, signer, embedded=embedded)
    if not embedded:
        draft.unlink()
        draft.write_bytes(manifest)
    found = _check(draft if embedded else video, None if embedded else manifest, signer)
    made = folder / f"signed-{video.name}" / (video.name if embedded else SIDECAR)
    made.parent.mkdir()
    draft.rename(made)
    return {made.name: made}, found


def _write(video: Path, draft: Path, claimed: Json, signer: Identity, *, embedded: bool) -> bytes:
    """The manifest, which the draft carries if it can."""
    import c2pa

    plain = c2pa.Settings.from_dict({"builder": {"thumbnail": {"enabled": False}}})
    info = c2pa.C2paSignerInfo(signer.algorithm, signer.chain, signer.key, signer.timestamp_url)
    try:
        with c2pa.Context(plain) as context, c2pa.Builder(claimed, context) as builder:
            if not embedded:
                builder.set_no_embed()
            with c2pa.Signer.from_info(info) as by, video.open("rb") as source, draft.open("w+b") as target:
                return bytes(builder.sign(by, f"video/{video.suffix[1:]}", source, target))
    except c2pa.C2paError.Signature as error:
        if signer.timestamp_url and "http" in str(error):
            raise TransientError(
                f"the time-stamp authority {signer.timestamp_url} did not give a time stamp ({error}); "
                "nothing is published without it while AVATARLAB_TIMESTAMP_URL names it"
            ) from error
        raise InputError(
            f"the certificate of {signer.provider} cannot sign content credentials: {error}"
        ) from error


def _check(video: Path, manifest: bytes | None, signer: Identity) -> Credentials:
    found = read(video, manifest, anchor=signer.anchor)
    if found is None or not (found.signed and found.intact):
        raise InvariantBroken(f"{video.name} was signed, but its credentials do not hold: {found}")
    if not found.trusted:
        raise InputError(
            f"the certificate of {signer.provider} is not one for content credentials: {found.failures}"
        )
    return found
