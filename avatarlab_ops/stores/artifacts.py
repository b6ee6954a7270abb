"""Artifacts: immutable objects of the store, each with its record; found and kept by what made them.

The object `artifact.json` decides: once it is there the artifact exists, and a record that a crash lost is
made anew from it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy.orm import Session

from avatarlab_ops.canonical import Json, canonical_json, digest
from avatarlab_ops.files import sha256_of
from avatarlab_ops.graph import DOCUMENTS
from avatarlab_ops.recipe import Recipe
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores import outbox
from avatarlab_ops.stores.catalog import records, transaction
from avatarlab_ops.stores.catalog.tables import Artifact
from avatarlab_ops.stores.objects import Stored, objects
from avatarlab_ops.version import code_version, environment


@dataclass(frozen=True)
class Product:
    """What a stage made: files by name, and the figures worth keeping.

    `passed` are files of earlier artifacts that it passes on as they are: name to {key, sha256, bytes}.
    """

    files: Mapping[str, Path]
    facts: Json = field(default_factory=dict)
    passed: Mapping[str, Json] = field(default_factory=dict)


def find(settings: Settings, recipe: Recipe) -> Artifact | None:
    """The artifact if it exists. One whose record was lost with a crash is taken back into the catalog."""
    if objects(settings).head(settings.bucket_artifacts, recipe.key) is None:
        return None
    with transaction(settings.pg_dsn) as db:
        known = records.use_artifact(db, recipe.fingerprint)
    if known is not None:
        return known
    document = _load(settings, recipe)
    return _record(settings, recipe, document) if document else None


def keep(
    settings: Settings, recipe: Recipe, product: Product, *, render_id: str, compute_s: float
) -> Artifact:
    """Put an artifact's files, then artifact.json, then its record; return what exists now.

    File keys hold their content's digest, so two processes that make the same artifact never mix their files;
    the conditional PUT of artifact.json decides whose it is.
    """
    made = {name: _put(settings, recipe, path) for name, path in sorted(product.files.items())}
    files = {**product.passed, **made}
    document: Json = {
        "fingerprint": recipe.fingerprint,
        "stage": recipe.stage,
        "stage_version": recipe.stage_version,
        "engine": recipe.engine,
        "params": recipe.params,
        "inputs": dict(recipe.inputs),
        "files": files,
        "sha256": digest({name: file["sha256"] for name, file in files.items()}),
        "bytes": sum(file["bytes"] for file in made.values()),
        "facts": product.facts,
        "compute_s": round(compute_s, 3),
        "render_id": render_id,
        "code_version": code_version(),
        "environment": environment(),
        "created_at": records.now().isoformat(),
    }
    return _record(settings, recipe, _decide(settings, recipe, document))


def _decide(settings: Settings, recipe: Recipe, document: Json) -> Json:
    """Put artifact.json unless another process did; return the one that counts."""
    bucket = settings.bucket_artifacts
    written = objects(settings).put_if_absent(bucket, recipe.key, canonical_json(document))
    return document if written.created else _load(settings, recipe) or document


def _put(settings: Settings, recipe: Recipe, path: Path) -> Json:
    sha256 = sha256_of(path)
    key = f"{recipe.prefix}/{sha256[:16]}/{path.name}"
    stored = objects(settings).put_if_absent(settings.bucket_artifacts, key, path)
    return {"key": stored.key, "sha256": sha256, "bytes": stored.bytes}


def _load(settings: Settings, recipe: Recipe) -> Json | None:
    """artifact.json, None while the artifact does not exist."""
    store_ = objects(settings)
    if store_.head(settings.bucket_artifacts, recipe.key) is None:
        return None
    found: Json = json.loads(store_.read(settings.bucket_artifacts, recipe.key))
    return found


def file(settings: Settings, artifact: Artifact, name: str) -> Stored:
    """The object behind a file of an artifact."""
    kept = artifact.files[name]
    return Stored(settings.bucket_artifacts, kept["key"], kept["bytes"], "", kept["sha256"])


def _record(settings: Settings, recipe: Recipe, document: Json) -> Artifact:
    with transaction(settings.pg_dsn) as db:
        records.record_artifact(db, document, recipe.key)
        _post(db, document)
        found = records.find_artifact(db, recipe.fingerprint)
        assert found is not None  # noqa: S101 (written above)
        return found


def _post(db: Session, document: Json) -> None:
    render_id = document["render_id"] if records.exists(db, document["render_id"]) else None
    report = {name: document[name] for name in ("stage", "fingerprint", "sha256", "facts", "compute_s")}
    report |= {name: document[name] for name in ("engine", "params", "inputs", "environment", "code_version")}
    facts = dict(document["facts"])
    apart = {collection: facts.pop(fact) for fact, collection in DOCUMENTS.items() if fact in facts}
    report["facts"] = facts
    for collection, content in {"stage_reports": report, **apart}.items():
        outbox.post(db, collection, document["fingerprint"], content, render_id)
