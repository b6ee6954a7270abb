"""Which published videos to make anew: by what they are, and by what would be made otherwise today."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session, aliased

from avatarlab_ops import engines
from avatarlab_ops.bulk import template
from avatarlab_ops.bulk.contract import BulkRequest
from avatarlab_ops.bulk.rows import check_size
from avatarlab_ops.canonical import Json
from avatarlab_ops.errors import EngineUnavailable, InputError, RequestInvalid
from avatarlab_ops.graph import GRAPH, PUBLISH
from avatarlab_ops.renders import feedback
from avatarlab_ops.request import OF_ONE_ORDER
from avatarlab_ops.retention import retention_of
from avatarlab_ops.settings import Settings
from avatarlab_ops.states import ItemState, RenderState
from avatarlab_ops.stores.catalog import records
from avatarlab_ops.stores.catalog import tables as m
from avatarlab_ops.stores.objects import objects, split_or_refuse
from avatarlab_ops.trust import callers
from avatarlab_ops.version import code_version

Condition = sa.ColumnElement[bool]
Changed = dict[tuple[str, str], Json | str]  # (address, digest it had) to a template, or why it is none
PAGE = 500
TRIES, TRIED = 3, timedelta(days=30)  # of the clock with one video and one code


@dataclass(frozen=True)
class Chosen:
    """A published video and the request that makes it anew. `variables`: of its template, if it had one."""

    render_id: str
    body: Json
    variables: Json | None = None
    refusal: str | None = None  # why its template of today makes no request


def choose(db: Session, settings: Settings, asked: BulkRequest, caller: str) -> Iterator[Chosen]:
    """Yield what the filters select, oldest first.

    Left out: what was withdrawn, is past its retention, or was made anew already; by the clock also what
    failed `TRIES` times within `TRIED` by this code, which only costs more of the same.
    """
    conditions = _filters(asked)
    if caller == callers.CLOCK:
        conditions.append(_failures() < TRIES)
    if asked.rated_below:
        badly_rated = sa.literal(feedback.rated_below(settings, asked.rated_below), ARRAY(sa.Text))
        conditions.append(m.Render.id == sa.any_(badly_rated))
    refilled = _changed_templates(db, settings) if "template" in asked.stale else {}
    if asked.stale:
        looks = {"engine": _engines, "weights": _weights, "code": _code, "input": _inputs}
        stale = [look(db, settings) for reason, look in looks.items() if reason in asked.stale]
        stale += [_from_templates(refilled)] if "template" in asked.stale else []
        conditions.append(sa.or_(*stale))
    query = (
        sa.select(m.Render.id, m.Render.ended_at, m.Request.body)
        .join(m.Request, m.Request.id == m.Render.request_id)
        .where(m.Render.state == RenderState.PUBLISHED, m.Render.withdrawn_at.is_(None), *conditions)
        .order_by(m.Render.ended_at, m.Render.id)
    )
    for row in db.execute(query.execution_options(yield_per=PAGE)):
        kept = retention_of(row.body.get("labels", {}))
        if kept is None or row.ended_at + kept > records.now():
            yield _chosen(db, row.id, row.body, refilled)


def _failures() -> sa.ScalarSelect[int]:
    """How often making a video anew failed lately, by the code of today."""
    anew = aliased(m.Render)
    mine = sa.and_(m.BulkItem.source == m.Render.id, m.BulkItem.state == ItemState.FAILED)
    lately = sa.and_(m.BulkItem.ended_at > records.now() - TRIED, anew.code_version == code_version())
    query = sa.select(sa.func.count()).select_from(m.BulkItem).join(anew, anew.id == m.BulkItem.render_id)
    return query.where(mine, lately).correlate(m.Render).scalar_subquery()


def _filters(asked: BulkRequest) -> list[Condition]:
    anew = sa.select(m.BulkItem.number).where(
        m.BulkItem.source == m.Render.id, m.BulkItem.state.in_((ItemState.WAITING, ItemState.PUBLISHED))
    )
    found: list[Condition] = [~anew.exists()]
    if asked.renders:
        found.append(m.Render.id.in_(asked.renders))
    if asked.labels:
        found.append(m.Request.body["labels"].contains(asked.labels))
    if asked.language:
        found.append(m.Render.plan["language"].astext == asked.language)
    if asked.avatar:
        found.append(m.Request.body["avatar"]["uri"].astext == asked.avatar)
    if asked.published_from:
        found.append(m.Render.ended_at >= asked.published_from)
    if asked.published_before:
        found.append(m.Render.ended_at < asked.published_before)
    return found


def _made_with(engine_versions: list[str]) -> Condition:
    """Published videos that depend on one of these engine versions."""
    source = m.VideoSource
    used = sa.select(source.key).where(source.kind == "engine", source.key.in_(engine_versions))
    return used.where(source.render_id == m.Render.id).exists()


def _engines(db: Session, settings: Settings) -> Condition:  # noqa: ARG001
    """Made by an engine whose version is another one today, or that exists no more."""
    old = [
        engine.id for engine, now in _engine_versions(db) if now is None or now["version"] != engine.version
    ]
    return _made_with(old)


def _weights(db: Session, settings: Settings) -> Condition:  # noqa: ARG001
    """Made with weights that are others today."""
    old = []
    for engine, now in _engine_versions(db):
        rows = db.scalars(sa.select(m.EngineWeight).where(m.EngineWeight.engine_version_id == engine.id))
        if now is not None and now["weights"] != {row.name: row.sha256 for row in rows}:
            old.append(engine.id)
    return _made_with(old)


def _engine_versions(db: Session) -> Iterator[tuple[m.EngineVersion, Json | None]]:
    """Every engine version ever used, with the engine of its name as it is today."""
    for engine in db.scalars(sa.select(m.EngineVersion)):
        try:
            yield engine, engines.identity(engine.kind, engine.name)
        except EngineUnavailable:
            yield engine, None


def _code(db: Session, settings: Settings) -> Condition:  # noqa: ARG001
    """Made by a stage whose code version is another one today."""
    today = {(stage.name, stage.version) for stage in (*GRAPH, PUBLISH)}
    made = db.execute(sa.select(m.Artifact.stage, m.Artifact.stage_version).distinct())
    old = [pair for pair in map(tuple, made) if pair not in today]
    used = sa.select(m.StageRun.stage).join(m.Artifact, m.Artifact.fingerprint == m.StageRun.artifact)
    used = used.where(sa.tuple_(m.Artifact.stage, m.Artifact.stage_version).in_(old))
    return used.where(m.StageRun.render_id == m.Render.id).exists()


def _inputs(db: Session, settings: Settings) -> Condition:
    """Made from an object of the inputs bucket that holds other bytes today."""
    pairs = db.execute(sa.select(m.RenderInput.uri, m.RenderInput.sha256).distinct()).all()
    now = {uri: _digest_now(db, settings, uri) for uri in {uri for uri, _ in pairs}}
    changed = [(uri, sha256) for uri, sha256 in pairs if now[uri] not in (None, sha256)]
    used = sa.select(m.RenderInput.role).where(m.RenderInput.render_id == m.Render.id)
    return used.where(sa.tuple_(m.RenderInput.uri, m.RenderInput.sha256).in_(changed)).exists()


def _digest_now(db: Session, settings: Settings, uri: str) -> str | None:
    """Digest of the object, "" while these bytes were never read, None when there is no object."""
    found = objects(settings).head(*split_or_refuse(uri))
    if found is None:
        return None
    known = records.find_input(db, uri, found.etag)
    return found.sha256 or (known.sha256 if known else "")


def _changed_templates(db: Session, settings: Settings) -> Changed:
    """Every template that was changed, as it is today; of one that is none any more, what is wrong with it.

    That refuses its own videos: those that are stale for another reason are made anew nonetheless.
    """
    used = sa.select(m.BulkRun.template_uri, m.BulkRun.template_sha256).distinct()
    changed: Changed = {}
    for uri, sha256 in db.execute(used.where(m.BulkRun.template_uri.is_not(None))):
        assert uri is not None  # noqa: S101 (by the condition)
        assert sha256 is not None  # noqa: S101 (written together)
        if _digest_now(db, settings, uri) not in (None, sha256):
            changed[uri, sha256] = _template_today(settings, uri)
    return changed


def _template_today(settings: Settings, uri: str) -> Json | str:
    place = split_or_refuse(uri)
    try:
        if (found := objects(settings).head(*place)) is not None:
            check_size(found.bytes, "the template")
        return template.parse(objects(settings).read(*place))
    except InputError as error:
        return f"{uri}: {error}"


def _from_templates(changed: Changed) -> Condition:
    items = sa.select(m.BulkItem.number).join(m.BulkRun, m.BulkRun.id == m.BulkItem.bulk_id)
    made = sa.tuple_(m.BulkRun.template_uri, m.BulkRun.template_sha256).in_(list(changed))
    return items.where(m.BulkItem.render_id == m.Render.id, made).exists()


def _chosen(db: Session, render_id: str, body: Json, refilled: Changed) -> Chosen:
    """The request as it was, or as the template of today with the old variables makes it."""
    if refilled:
        made = sa.select(m.BulkItem.variables, m.BulkRun.template_uri, m.BulkRun.template_sha256).join(
            m.BulkRun, m.BulkRun.id == m.BulkItem.bulk_id
        )
        for variables, uri, sha256 in db.execute(made.where(m.BulkItem.render_id == render_id)):
            if variables is not None and (uri, sha256) in refilled:
                return _refilled(render_id, refilled[uri, sha256], variables)
    return Chosen(render_id, {name: value for name, value in body.items() if name not in OF_ONE_ORDER})


def _refilled(render_id: str, today: Json | str, variables: Json) -> Chosen:
    if isinstance(today, str):
        return Chosen(render_id, {}, variables, today)
    try:
        body = template.request(today, variables)
    except RequestInvalid as error:
        return Chosen(render_id, {}, variables, str(error))
    return Chosen(render_id, body, variables)
