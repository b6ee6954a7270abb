"""The evidence pack of a video: all that an auditor asks for, as one ZIP of files that anybody can read.

manifest.json as it was published, lineage as data, text and drawing (Mermaid), the consents with the digests
of what proves them (the proofs themselves stay where they are), the model files with digest and licence,
hints for platforms, a page for people, the digest of each file, and a signature over those digests by the key
that signs content credentials, with its certificates beside it.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any

from avatarlab_ops.canonical import Json
from avatarlab_ops.engines.pinned import PINNED, PinnedFile
from avatarlab_ops.engines.published import PUBLISHED, PublishedFile
from avatarlab_ops.errors import InputError
from avatarlab_ops.label_texts import texts
from avatarlab_ops.lineage import drawing
from avatarlab_ops.lineage.query import trace
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.catalog import records, transaction
from avatarlab_ops.stores.objects import objects, split_or_refuse
from avatarlab_ops.trust import seal, signing

SUMS, SIGNATURE, CHAIN = "SHA256SUMS", "SHA256SUMS.sig", "signer.pem"
MOST_BYTES = 256 << 20


def write(settings: Settings, video: str, target: Path) -> list[str]:
    """Write the pack of a video (see `lineage.query.trace`) to a new file; return the names in it.

    Raises ReferenceRefused when there is no such video, InputError when it is not published.
    """
    document = trace(settings, video)
    render, kept = document["render"], document["files"].get("manifest.json")
    if kept is None:
        raise InputError(
            f"the render {render['id']} is {render['state']}: only what was published has evidence"
        )
    manifest = objects(settings).read(*split_or_refuse(kept["uri"]))
    contents = dict(_contents(document, manifest)) | _approval(settings, render["id"])
    sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in contents.items())
    contents[SUMS] = sums.encode()
    if signer := signing.identity(settings.home):
        contents |= {SIGNATURE: seal.sign(contents[SUMS], signer), CHAIN: signer.chain}
    with zipfile.ZipFile(target, "x", zipfile.ZIP_DEFLATED) as pack:
        for name, data in contents.items():
            pack.writestr(name, data)
    return list(contents)


def _approval(settings: Settings, render_id: str) -> dict[str, bytes]:
    """Who let the video be published, and when, where somebody had to."""
    with transaction(settings.pg_dsn) as db:
        render = records.find(db, render_id)
    if render.approved_at is None:
        return {}
    return {"approval.json": _json({"by": render.approved_by, "at": render.approved_at})}


def check(pack: Path) -> str:
    """Say who signed a pack that is whole. Raises InputError for one that is not, or that nobody signed."""
    try:
        with zipfile.ZipFile(pack) as opened:
            if (size := sum(one.file_size for one in opened.infolist())) > MOST_BYTES:
                raise InputError(f"{pack} unpacks to {size:,} bytes; a pack has at most {MOST_BYTES:,}")
            held = {name: opened.read(name) for name in opened.namelist()}
    except (OSError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{pack} is not a whole ZIP: {error}") from error
    sums, signature, chain = (held.pop(name, b"") for name in (SUMS, SIGNATURE, CHAIN))
    lines = (line.partition("  ") for line in sums.decode(errors="replace").splitlines())
    told = {name: digest for digest, _, name in lines}
    wrong = {name for name in held.keys() | told.keys()
             if name not in held or hashlib.sha256(held[name]).hexdigest() != told.get(name)}  # fmt: skip
    if wrong:
        raise InputError(f"{pack} was changed: {', '.join(sorted(wrong))}; ask for another copy")
    if not signature:
        raise InputError(f"{pack} is whole, but nobody signed it: who made it is not known")
    who, serial = seal.check(sums, signature, chain)
    return f"whole, signed by {who} (certificate {serial})"


def _contents(document: Json, manifest: bytes) -> Iterator[tuple[str, bytes]]:
    models = _models(document)
    yield "index.html", _page(document, json.loads(manifest), models).encode()
    yield "manifest.json", manifest
    yield "lineage.json", _json(document)
    yield "lineage.txt", drawing.as_text(document).encode()
    yield "lineage.mmd", drawing.as_mermaid(document).encode()
    yield "consents.json", _json(document["consents"])
    yield "models.json", _json(models)
    yield "publish-hints.json", _json(hints(json.loads(manifest)["plan"]["language"]))


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True, default=str).encode()


def hints(language: str) -> Json:
    """What platforms ask about synthetic media, as their interfaces spell it; the label to show with it."""
    return {
        "label": texts(language).sentence,
        "youtube": {"status": {"containsSyntheticMedia": True}},  # videos.insert, videos.update
        "tiktok": {"post_info": {"is_aigc": True}},  # Content Posting API
    }


def _models(document: Json) -> list[Json]:
    """The model files behind a video, each with its digest, licence and what that asks for."""
    known: Mapping[str, PinnedFile | PublishedFile] = {**PINNED, **PUBLISHED}
    found = {}
    for artifact in document["artifacts"].values():
        engine = artifact["engine"] or {"weights": {}}
        for name, sha256 in engine["weights"].items():
            file = known.get(name)
            found[name, sha256] = {
                "name": name,
                "sha256": sha256,
                "engine": f"{engine['name']}@{engine['version']}",
                "licence": file.licence if file else "not known here: see the engine's package",
                "consequence": file.consequence if file else "",
            }
    return [found[key] for key in sorted(found)]


def _page(document: Json, manifest: Json, models: list[Json]) -> str:
    render, request = document["render"], document["request"]
    withdrawn = [("withdrawn", f"{render['withdrawn_at']}: {render['withdrawn_reason']}")]
    facts = [
        ("render", render["id"]), ("published", render["ended_at"]),
        ("asked for by", request["caller"]), ("code", render["code_version"]),
        *(withdrawn if render["withdrawn_at"] else []),
        ("content credentials", "; ".join(_credentials(manifest.get("credentials", {})))),
    ]  # fmt: skip
    files = [(name, file["sha256"]) for name, file in sorted(document["files"].items())]
    inputs = [(role, given["sha256"]) for role, given in sorted(document["inputs"].items())]
    consents = [(f"{one['kind']} of {one['subject']}", _proof(one)) for one in document["consents"].values()]
    used = [(one["name"], f"{one['licence']}; sha256 {one['sha256']}") for one in models]
    tables = {
        "Video": facts, "Published files (sha256)": files, "Inputs (sha256)": inputs, "Consents": consents,
        "Model files": used, "Warnings": [("", note) for note in manifest.get("warnings", [])],
    }  # fmt: skip
    body = "".join(_table(title, rows) for title, rows in tables.items() if rows)
    lineage = f"<h2>Lineage</h2><pre>{escape(drawing.as_text(document))}</pre>"
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(render["id"])}</title>'
    return f"{head}<h1>Evidence of a synthetic video</h1>{body}{lineage}</html>\n"


def _credentials(kept: Json) -> list[str]:
    if not kept.get("signed"):
        return ["none", *kept.get("notes", [])]
    return [f"signed by {kept['issuer']}, certificate {kept['serial']}", kept["manifest"], *kept["notes"]]


def _proof(consent: Json) -> str:
    proof = (
        f"document sha256 {consent['document_sha256']}" if consent["document_sha256"] else consent["terms"]
    )
    return f"{proof}; revoked {consent['revoked_at']}" if consent["revoked_at"] else str(proof)


def _table(title: str, rows: list[tuple[str, Any]]) -> str:
    lines = "".join(f"<tr><th>{escape(name)}<td>{escape(str(value))}" for name, value in rows)
    return f"<h2>{escape(title)}</h2><table>{lines}</table>"
