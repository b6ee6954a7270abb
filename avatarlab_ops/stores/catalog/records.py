"""What is written and asked about renders. Every function works inside the caller's transaction."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NoReturn

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, aliased

from avatarlab_ops.canonical import Json, digest
from avatarlab_ops.errors import UNEXPECTED, KeyReused, ReferenceRefused, RenderCancelled
from avatarlab_ops.request import AvatarRequest
from avatarlab_ops.states import LIVE, OPEN, RenderState, StageState
from avatarlab_ops.stores.catalog import tables as m
from avatarlab_ops.version import code_version

RUNS = "runs"  # topic of the outbox: DAG runs that are to begin


def now() -> datetime:
    """Current time, UTC."""
    return datetime.now(UTC)


def new_id() -> str:
    """Id of a render to come."""
    return f"{now():%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:8]}"


def accept(
    db: Session, request: AvatarRequest, *, run_id: str | None, caller: str, render_id: str | None = None
) -> str:
    """Return the render of a request, a new one unless the same run or key has one that is not over.

    `render_id`: of a new one, from `new_id`. Raises KeyReused when the key was used for another request.
    """
    asked = _request(db, request, run_id=run_id, caller=caller)
    check_same(asked, request)
    values = {
        "id": render_id or new_id(),
        "request_id": asked.id,
        "run_id": run_id,
        "code_version": code_version(),
        "deadline": request.deadline,
    }
    live = sa.and_(m.Render.request_id == asked.id, m.Render.state.in_(LIVE))
    while True:  # the one that is in the way of a new one may end before it is read
        if made := _made(db, asked, values):
            return made
        if known := db.scalars(sa.select(m.Render.id).where(live)).first():
            break
    if run_id is None or asked.run_id != run_id:  # not the run that was begun for it, as it was ordered
        move_deadline(db, asked.id, request.deadline)
    return known


def _made(db: Session, asked: m.Request, values: Json) -> str | None:
    """The id of a new render, None where the request has one that is not over."""
    made = db.execute(
        insert(m.Render)
        .values(state=RenderState.ACCEPTED, **values)
        # Spelt out: a prepared statement's parameters match no index predicate.
        .on_conflict_do_nothing(index_elements=["request_id"], index_where=sa.text(m.LIVE_STATES))
        .returning(m.Render.id, m.Render.created_at)
    ).first()
    if made is None:
        return None
    of_it = {"render_id": made.id, "created_at": made.created_at}
    rows = [of_it | {"kind": kind, "value": value} for kind, value in _tags(asked)]
    db.execute(insert(m.RenderTag).values(rows))
    return str(made.id)


def _tags(asked: m.Request) -> list[tuple[str, str]]:
    """(kind, value) of all that the list finds a request's renders by."""
    labels = [("label", f"{name}:{value}") for name, value in asked.body.get("labels", {}).items()]
    return [("caller", asked.caller), ("avatar", asked.body["avatar"]["uri"]), *labels]


def check_same(asked: m.Request, request: AvatarRequest) -> None:
    """Raise KeyReused when what was asked under this key before is another request.

    Digests of an earlier version cover other fields, so where they differ the bodies decide.
    """
    if asked.sha256 != request.digest() and not request.repeats(asked.body):
        where = f"run {asked.run_id}" if asked.run_id else "without Airflow"
        raise KeyReused(
            f"idempotency_key {request.idempotency_key!r} was used for another request ({where}); choose a "
            "new key, or send the same request"
        )


def move_deadline(db: Session, request_id: str, deadline: datetime | None) -> None:
    """Give a request's open render another deadline, if one is given; it may be late, and told, anew."""
    if deadline is None:
        return
    other = sa.update(m.Render).where(
        m.Render.request_id == request_id, m.Render.state.in_(OPEN),
        m.Render.deadline.is_distinct_from(deadline),
    )  # fmt: skip
    db.execute(other.values(deadline=deadline, late_told_at=None))


def asked_before(db: Session, caller: str, key: str | None) -> m.Request | None:
    """What a caller asked for under an idempotency key."""
    mine = sa.and_(m.Request.caller == caller, m.Request.idempotency_key == key)
    return db.scalars(sa.select(m.Request).where(mine)).first() if key else None


def newest_render(db: Session, request_id: str) -> m.Render:
    """The newest render of a request."""
    mine = sa.select(m.Render).where(m.Render.request_id == request_id)
    found = db.scalars(mine.order_by(m.Render.created_at.desc())).first()
    return found or missing("render of request", request_id)


def _request(db: Session, request: AvatarRequest, *, run_id: str | None, caller: str) -> m.Request:
    fresh = uuid.uuid4().hex
    statement = insert(m.Request).values(
        id=fresh, sha256=request.digest(), body=request.canonical(), caller=caller,
        idempotency_key=request.idempotency_key, run_id=run_id,
    )  # fmt: skip
    db.execute(statement.on_conflict_do_nothing())
    mine: list[sa.ColumnElement[bool]] = [m.Request.id == fresh]
    if run_id is not None:
        mine.append(m.Request.run_id == run_id)
    if request.idempotency_key is not None:
        same_key = m.Request.idempotency_key == request.idempotency_key
        mine.append(sa.and_(m.Request.caller == caller, same_key))
    return db.scalars(
        sa.select(m.Request).where(sa.or_(*mine)).order_by(m.Request.created_at)
    ).first() or missing("request", fresh)


def missing(kind: str, name: str) -> NoReturn:
    """Raise ReferenceRefused: there is no such render, request or stage of a render."""
    raise ReferenceRefused(
        f"there is no {kind} {name!r}; the Studio's list and `GET /renders` show all renders"
    )


def find(db: Session, render_id: str) -> m.Render:
    """The render. Raises ReferenceRefused when there is none."""
    return db.get(m.Render, render_id) or missing("render", render_id)


def request_of(db: Session, render: m.Render) -> m.Request:
    """The request that a render answers."""
    return db.get(m.Request, render.request_id) or missing("request", render.request_id)


def check_open(db: Session, render_id: str) -> m.Render:
    """The render, while work on it makes sense. Raises RenderCancelled if it was cancelled or has failed."""
    render = find(db, render_id)
    if render.state == RenderState.CANCELLED:
        raise RenderCancelled(f"render {render_id} was cancelled")
    if render.state == RenderState.FAILED:
        raise RenderCancelled(f"render {render_id} has failed ({render.error}); submit the request again")
    return render


def begin_stage(db: Session, render_id: str, stage: str) -> m.Render:
    """Note that a stage starts (again). Raises RenderCancelled like `check_open`."""
    render = check_open(db, render_id)
    if render.state == RenderState.ACCEPTED:
        guard = sa.and_(m.Render.id == render_id, m.Render.state == RenderState.ACCEPTED)
        db.execute(sa.update(m.Render).where(guard).values(state=RenderState.RUNNING))
    if render.state != RenderState.PUBLISHED:
        fresh: Json = {
            "state": StageState.RUNNING,
            "error": None,
            "error_code": None,
            "started_at": now(),
            "ended_at": None,
        }
        values = fresh | {"render_id": render_id, "stage": stage, "attempt": 1, "host": socket.gethostname()}
        tried = sa.case(
            (m.StageRun.state.in_((StageState.WAITING, StageState.AWAITING)), m.StageRun.attempt),
            else_=m.StageRun.attempt + 1,
        )
        again = fresh | {"attempt": tried, "host": values["host"]}
        statement = insert(m.StageRun).values(values)
        db.execute(statement.on_conflict_do_update(index_elements=["render_id", "stage"], set_=again))
    return render


def end_stage(
    db: Session,
    render_id: str,
    stage: str,
    state: str,
    *,
    artifact: str | None = None,
    compute_s: float = 0.0,
    energy_j: float | None = None,
    error: BaseException | None = None,
) -> None:
    """Note how a stage ended, or that it need not start: waiting, done, cached, not_needed or failed."""
    values: Json = {"state": state, "artifact": artifact, "ended_at": now()}
    values |= {"compute_s": compute_s, "energy_j": energy_j}
    if error is not None:
        values |= {"error": describe(error), "error_code": code_of(error)}
    fresh = values | {"render_id": render_id, "stage": stage, "attempt": 0, "host": socket.gethostname()}
    statement = insert(m.StageRun).values(fresh)
    db.execute(statement.on_conflict_do_update(index_elements=["render_id", "stage"], set_=values))


def describe(error: BaseException | str) -> str:
    """The reason as people read it."""
    if isinstance(error, str):
        return error
    text = str(error)
    return text if hasattr(error, "code") and text else f"{type(error).__name__}: {text}"


def code_of(error: BaseException | str) -> str:
    """Stable name of the reason; UNEXPECTED for what errors.py does not know, "error" for words."""
    return str(getattr(error, "code", UNEXPECTED)) if isinstance(error, BaseException) else "error"


def record_inputs(db: Session, render_id: str, plan: Json, inputs: Mapping[str, Json]) -> None:
    """Keep the plan and which bytes each role is."""
    db.execute(sa.update(m.Render).where(m.Render.id == render_id).values(plan=plan))
    for role, source in inputs.items():
        values = {"uri": source["uri"], "sha256": source["sha256"], "bytes": source["bytes"]}
        statement = insert(m.RenderInput).values(render_id=render_id, role=role, **values)
        db.execute(statement.on_conflict_do_update(index_elements=["render_id", "role"], set_=values))


def record_prediction(db: Session, render_id: str, predicted: Mapping[str, float]) -> None:
    """Keep the seconds of work that each stage with work to do is expected to take."""
    db.execute(sa.update(m.Render).where(m.Render.id == render_id).values(predicted=dict(predicted)))


def find_input(db: Session, uri: str, etag: str) -> m.InputObject | None:
    """What is known of this version of an input object."""
    return db.get(m.InputObject, (uri, etag))


def record_input(db: Session, uri: str, etag: str, media: Json) -> None:
    """Keep the digest and the measurements of an input object (`plan.Source` as JSON)."""
    values = {"sha256": media["sha256"], "bytes": media["bytes"], "media": media}
    statement = insert(m.InputObject).values(uri=uri, etag=etag, **values)
    db.execute(statement.on_conflict_do_update(index_elements=["uri", "etag"], set_=values))


def record_look(db: Session, uri: str, etag: str, part: str, look: Json) -> None:
    """Keep what was seen of the face in a part of this version of an input object (`plan.Look` as JSON)."""
    rows = sa.and_(m.InputObject.uri == uri, m.InputObject.etag == etag)
    looks = m.InputObject.looks.concat({part: look})
    db.execute(sa.update(m.InputObject).where(rows).values(looks=looks))


def find_artifact(db: Session, fingerprint: str) -> m.Artifact | None:
    """The artifact, if it was ever made."""
    return db.get(m.Artifact, fingerprint)


def use_artifact(db: Session, fingerprint: str) -> m.Artifact | None:
    """The artifact, if it is in the store, noted as used: housekeeping leaves it alone for a while."""
    mine = sa.and_(m.Artifact.fingerprint == fingerprint, m.Artifact.evicted_at.is_(None))
    change = sa.update(m.Artifact).where(mine).values(used_at=now()).returning(m.Artifact)
    return db.scalars(change, execution_options={"synchronize_session": False}).first()


def record_artifact(db: Session, document: Json, key: str) -> None:
    """Write what artifact.json says: engine, weights, the artifact and its edges. Twice is harmless."""
    engine_id = _record_engine(db, document["engine"]) if document["engine"] else None
    columns = ("fingerprint", "stage", "stage_version", "params", "sha256", "bytes", "files", "facts")
    values: Json = {name: document[name] for name in (*columns, "code_version", "compute_s")}
    values |= {"key": key, "engine_version_id": engine_id, "made_by": document["render_id"]}
    values |= {"created_at": datetime.fromisoformat(document["created_at"])}
    if not exists(db, document["render_id"]):  # adopted from a store that outlived its catalog
        values["made_by"] = None
    back = values | {"used_at": now(), "evicted_at": None}  # made again after its objects were removed
    artifact = insert(m.Artifact).values(values)
    evicted = m.Artifact.evicted_at.is_not(None)
    written = artifact.on_conflict_do_update(index_elements=["fingerprint"], set_=back, where=evicted)
    if db.scalars(written.returning(m.Artifact.fingerprint)).first() is None:
        return
    for role, edge in document["inputs"].items():
        # An artifact whose record was lost may have been made from one that is lost too; its digest stays.
        source = sa.select(m.Artifact.fingerprint).where(m.Artifact.fingerprint == edge.get("fingerprint"))
        edge_values = {"role": role, "sha256": edge["sha256"], "source": source.scalar_subquery()}
        statement = insert(m.ArtifactInput).values(artifact=document["fingerprint"], **edge_values)
        db.execute(statement.on_conflict_do_update(index_elements=["artifact", "role"], set_=edge_values))


def _record_engine(db: Session, engine: Json) -> str:
    engine_id = digest(engine)
    row = {name: engine[name] for name in ("kind", "name", "version")}
    db.execute(insert(m.EngineVersion).values(id=engine_id, **row).on_conflict_do_nothing())
    for name, sha256 in engine["weights"].items():
        weight = insert(m.EngineWeight).values(engine_version_id=engine_id, name=name, sha256=sha256)
        db.execute(weight.on_conflict_do_nothing())
    return engine_id


def artifacts_of(db: Session, render_id: str) -> dict[str, m.Artifact]:
    """Stage name to artifact, of the stages that are done."""
    query = sa.select(m.StageRun.stage, m.Artifact).where(m.StageRun.render_id == render_id)
    rows = db.execute(query.join(m.Artifact, m.Artifact.fingerprint == m.StageRun.artifact))
    return {row.stage: row.Artifact for row in rows}


def stage_runs(db: Session, render_id: str) -> dict[str, m.StageRun]:
    """Stage name to how it went."""
    rows = db.scalars(sa.select(m.StageRun).where(m.StageRun.render_id == render_id))
    return {row.stage: row for row in rows}


def stage_run(db: Session, render_id: str, stage: str) -> m.StageRun:
    """How a stage went, as it stands now. Raises ReferenceRefused when it was never begun."""
    found = db.get(m.StageRun, (render_id, stage), populate_existing=True)
    return found or missing(f"stage {stage} begun of render", render_id)


def progress_of(db: Session, render_id: str) -> dict[str, m.Progress]:
    """Stage name to its last report."""
    rows = db.scalars(sa.select(m.Progress).where(m.Progress.render_id == render_id))
    return {row.stage: row for row in rows}


def report_progress(db: Session, render_id: str, stage: str, report: Json) -> None:
    """Write the last report of a stage. Raises RenderCancelled like `check_open`."""
    values = report | {"updated_at": now()}
    statement = insert(m.Progress).values(render_id=render_id, stage=stage, **values)
    db.execute(statement.on_conflict_do_update(index_elements=["render_id", "stage"], set_=values))
    check_open(db, render_id)


def end_render(
    db: Session,
    render_id: str,
    state: str,
    *,
    error: BaseException | str | None = None,
    stage: str | None = None,
    measures: Json | None = None,
) -> bool:
    """Bring a render to its terminal state; False when it had one. The row's lock decides a race."""
    values: Json = {"state": state, "ended_at": now(), "measures": measures}
    if error is not None:
        values |= {"error": describe(error), "error_code": code_of(error), "error_stage": stage}
    guard = sa.and_(m.Render.id == render_id, m.Render.state.in_(OPEN))
    ended = db.scalars(sa.update(m.Render).where(guard).values(values).returning(m.Render.id)).first()
    return ended is not None


def record_files(db: Session, render_id: str, files: Mapping[str, Json]) -> None:
    """Keep name -> {uri, sha256, bytes} of a published video."""
    for name, file in files.items():
        db.add(m.PublishedFile(render_id=render_id, name=name, **file))


def published_files(db: Session, render_id: str) -> dict[str, m.PublishedFile]:
    """Name to published file."""
    rows = db.scalars(sa.select(m.PublishedFile).where(m.PublishedFile.render_id == render_id))
    return {row.name: row for row in rows}


def open_runs(db: Session) -> dict[str, str]:
    """Render id to run id of the renders of DAG runs that have begun and not ended."""
    waiting = sa.and_(m.Outbox.delivered_at.is_(None), m.Outbox.dead_at.is_(None))
    ordered = sa.and_(m.Outbox.render_id == m.Render.id, m.Outbox.topic == RUNS, waiting)
    mine = sa.and_(m.Render.state.in_(OPEN), m.Render.run_id.is_not(None))
    query = sa.select(m.Render).where(mine, ~sa.exists().where(ordered))
    return {render.id: str(render.run_id) for render in db.scalars(query)}


def renders_of_run(db: Session, run_id: str) -> list[str]:
    """Render ids of one DAG run, newest first."""
    query = sa.select(m.Render.id).where(m.Render.run_id == run_id).order_by(m.Render.created_at.desc())
    return list(db.scalars(query))


def exists(db: Session, render_id: str) -> bool:
    """Whether there is such a render."""
    return db.get(m.Render, render_id) is not None


def inputs_of(db: Session, render_id: str) -> list[m.RenderInput]:
    """Which bytes a render was given."""
    return list(db.scalars(sa.select(m.RenderInput).where(m.RenderInput.render_id == render_id)))


def engine_of(db: Session, artifact: m.Artifact) -> Json | None:
    """The engine that made an artifact, as {kind, name, version, weights}."""
    engine = db.get(m.EngineVersion, artifact.engine_version_id) if artifact.engine_version_id else None
    if engine is None:
        return None
    weights = db.scalars(sa.select(m.EngineWeight).where(m.EngineWeight.engine_version_id == engine.id))
    named = {weight.name: weight.sha256 for weight in weights}
    return {"kind": engine.kind, "name": engine.name, "version": engine.version, "weights": named}


def edges_of(db: Session, artifact: m.Artifact) -> dict[str, Json]:
    """What an artifact was made from: role to {sha256, fingerprint}."""
    rows = db.scalars(sa.select(m.ArtifactInput).where(m.ArtifactInput.artifact == artifact.fingerprint))
    return {row.role: {"sha256": row.sha256, "fingerprint": row.source} for row in rows}


def sources_of(db: Session, artifact: m.Artifact) -> list[tuple[str, str | None]]:
    """What an artifact was made from, by role: (sha256, key of the artifact; None for an input object)."""
    source = aliased(m.Artifact)
    query = sa.select(m.ArtifactInput.sha256, source.key)
    query = query.outerjoin(source, source.fingerprint == m.ArtifactInput.source)
    mine = query.where(m.ArtifactInput.artifact == artifact.fingerprint)
    return [(row.sha256, row.key) for row in db.execute(mine.order_by(m.ArtifactInput.role))]
