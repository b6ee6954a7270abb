"""Catalogs made up row by row: what lineage and impact are held against."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from avatarlab_ops.stores.catalog import ancestry
from avatarlab_ops.stores.catalog import tables as m


def sha(name: str) -> str:
    """A digest that stands for this name."""
    return hashlib.sha256(name.encode()).hexdigest()


def add_engine(db: Session, name: str, version: str, weights: dict[str, str]) -> str:
    """An engine version with its weights files."""
    engine_id = sha(f"{name}@{version}")
    db.add(m.EngineVersion(id=engine_id, kind="k", name=name, version=version))
    db.flush()
    db.add_all(m.EngineWeight(engine_version_id=engine_id, name=n, sha256=s) for n, s in weights.items())
    return engine_id


def add_artifact(
    db: Session,
    name: str,
    *,
    engine: str | None = None,
    code: str = "c0",
    sources: Iterable[str] = (),
    inputs: Iterable[str] = (),
) -> str:
    """An artifact made from other artifacts (by name) and from input objects (by name)."""
    fingerprint = sha(f"artifact {name}")
    empty: dict[str, Any] = {}
    db.add(m.Artifact(
        fingerprint=fingerprint, stage="s", stage_version="1", engine_version_id=engine, params=empty,
        key=name, sha256=sha(f"content {name}"), bytes=1, files=empty, facts=empty, code_version=code,
        compute_s=0.0,
    ))  # fmt: skip
    db.flush()
    for number, source in enumerate(sources):
        edge = m.ArtifactInput(artifact=fingerprint, role=f"a{number}", sha256=sha(f"content {source}"))
        edge.source = sha(f"artifact {source}")
        db.add(edge)
    for number, given in enumerate(inputs):
        db.add(m.ArtifactInput(artifact=fingerprint, role=f"i{number}", sha256=sha(given)))
    return fingerprint


def add_render(
    db: Session,
    name: str,
    *,
    artifacts: Iterable[str] = (),
    inputs: dict[str, str] | None = None,
    state: str = "published",
    code: str = "c0",
) -> str:
    """A render whose stages led to these artifacts, given these input objects (address to name).

    The state "withdrawn" is published, and shown no longer.
    """
    request = m.Request(id=f"request {name}", sha256=sha(name), body={}, caller="test")
    db.add(request)
    db.flush()
    ended = datetime.now(UTC)
    withdrawn = ended if state == "withdrawn" else None
    state = "published" if withdrawn else state
    render = m.Render(id=name, request_id=request.id, state=state, code_version=code, ended_at=ended)
    render.withdrawn_at = withdrawn
    db.add(render)
    db.flush()
    for number, artifact in enumerate(artifacts):
        run = m.StageRun(render_id=name, stage=f"s{number}", state="cached", attempt=0, host="h")
        run.artifact = sha(f"artifact {artifact}")
        db.add(run)
    for number, (uri, given) in enumerate((inputs or {}).items()):
        db.add(m.RenderInput(render_id=name, role=f"r{number}", uri=uri, sha256=sha(given), bytes=1))
    if state == "published":
        uri = f"s3://outputs/renders/{name}/video.mp4"
        db.add(m.PublishedFile(render_id=name, name="video.mp4", uri=uri, sha256=sha(uri), bytes=1))
        db.flush()
        ancestry.record_sources(db, name)
    return name
