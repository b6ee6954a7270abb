"""Where a render came from, and which published videos a change touches: one query each.

The graph is `stage_run` (render to artifact), `artifact_input` (artifact to what it was made from) and
`render_input`. ANCESTRY walks it backward from one render, a handful of rows. Forward from a widely used
engine it would be as long as the catalog, so what the walk finds is kept per video at publication
(`video_source`), and IMPACT reads a page off that table's primary key. Every function works inside the
caller's transaction.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from avatarlab_ops.canonical import Json
from avatarlab_ops.graph import DOCUMENTS
from avatarlab_ops.states import RenderState
from avatarlab_ops.stores.catalog import tables as m

# Every artifact behind a render: those of its stages, and recursively what each was made from. An artifact
# that equal content led to twice is shared, so the ancestry may hold artifacts of other renders' stages.
# OFFSET 0 keeps each look-up one of its own, along an index: the planner expects an ancestry of thousands,
# for which it would read a large table whole.
ANCESTRY = """
WITH RECURSIVE ancestry (fingerprint) AS (
    SELECT artifact FROM stage_run WHERE render_id = :render_id AND artifact IS NOT NULL
    UNION
    SELECT edge.source FROM ancestry CROSS JOIN LATERAL (
        SELECT source FROM artifact_input
        WHERE artifact = ancestry.fingerprint AND source IS NOT NULL OFFSET 0
    ) AS edge
)"""
EDGES = """ancestry CROSS JOIN LATERAL (
    SELECT sha256 FROM artifact_input WHERE artifact = ancestry.fingerprint OFFSET 0
) AS edge"""
MADE = """ancestry CROSS JOIN LATERAL (
    SELECT * FROM artifact WHERE fingerprint = ancestry.fingerprint OFFSET 0
) AS artifact"""


def _of_ancestry(query: str) -> str:
    return ANCESTRY + query.replace("{EDGES}", EDGES).replace("{MADE}", MADE)


# All that is recorded of a render and its ancestry, as one row of JSON columns. Of a consent's document the
# digest alone: every reader is told this, and a release is often called after a person.
LINEAGE = _of_ancestry(""",
made AS (
    SELECT artifact.fingerprint, artifact.stage, artifact.stage_version, artifact.sha256, artifact.bytes,
        artifact.params, artifact.files, artifact.facts - CAST(:apart AS text[]) AS facts,
        artifact.code_version, artifact.compute_s, artifact.created_at, artifact.made_by,
        maker.run_id AS made_by_run,
        CASE WHEN engine.id IS NOT NULL THEN jsonb_build_object(
            'kind', engine.kind, 'name', engine.name, 'version', engine.version,
            'weights', coalesce((SELECT jsonb_object_agg(weight.name, weight.sha256)
                FROM engine_weight AS weight WHERE weight.engine_version_id = engine.id), '{}'))
        END AS engine,
        coalesce((SELECT jsonb_object_agg(edge.role,
                jsonb_build_object('sha256', edge.sha256, 'fingerprint', edge.source))
            FROM artifact_input AS edge WHERE edge.artifact = artifact.fingerprint), '{}') AS inputs
    FROM {MADE}
    LEFT JOIN engine_version AS engine ON engine.id = artifact.engine_version_id
    LEFT JOIN render AS maker ON maker.id = artifact.made_by
)
SELECT to_jsonb(render) - 'request_id' AS render, to_jsonb(request) AS request,
    coalesce((SELECT jsonb_object_agg(role, to_jsonb(given) - 'render_id' - 'role')
        FROM render_input AS given WHERE given.render_id = render.id), '{}') AS inputs,
    coalesce((SELECT jsonb_object_agg(stage, to_jsonb(run) - 'render_id' - 'stage')
        FROM stage_run AS run WHERE run.render_id = render.id), '{}') AS stages,
    coalesce((SELECT jsonb_object_agg(consent.id, to_jsonb(consent) - 'id' - 'document_uri')
        FROM render_consent AS relied JOIN consent ON consent.id = relied.consent_id
        WHERE relied.render_id = render.id), '{}') AS consents,
    coalesce((SELECT jsonb_object_agg(item.bulk_id,
            jsonb_build_object('number', item.number, 'key', item.key, 'source', item.source,
                'run_id', bulk.run_id))
        FROM bulk_item AS item JOIN bulk_run AS bulk ON bulk.id = item.bulk_id
        WHERE item.render_id = render.id), '{}') AS bulk_runs,
    coalesce((SELECT jsonb_object_agg(fingerprint, to_jsonb(made)) FROM made), '{}') AS artifacts,
    coalesce((SELECT jsonb_object_agg(name, to_jsonb(file) - 'render_id' - 'name')
        FROM published_file AS file WHERE file.render_id = render.id), '{}') AS files
FROM render JOIN request ON request.id = render.request_id WHERE render.id = :render_id
""")

# What a video depends on, as rows of video_source: see models.VideoSource.
SOURCES = _of_ancestry("""
SELECT 'reference' AS kind, uri AS key, render_id FROM render_input WHERE render_id = :render_id
UNION SELECT 'input', sha256, render_id FROM render_input WHERE render_id = :render_id
UNION SELECT 'input', edge.sha256, CAST(:render_id AS text) FROM {EDGES}
UNION SELECT 'engine', engine_version_id, :render_id FROM {MADE} WHERE engine_version_id IS NOT NULL
UNION SELECT 'code', code_version, :render_id FROM {MADE}
UNION SELECT 'code', code_version, id FROM render WHERE id = :render_id
""")

RECORD = "\n".join(("INSERT INTO video_source (kind, key, render_id)", SOURCES, "ON CONFLICT DO NOTHING"))

# A page of the videos that depend on any of :keys, in the order of their ids, after :after. Each key gives at
# most a page from its own range of the primary key; what several keys lead to is one video. LIMIT 1 tells the
# planner that single rows are looked up, however little it knows of a key.
IMPACT = """
WITH page AS (
    SELECT DISTINCT touched.*
    FROM unnest(CAST(:keys AS text[])) AS wanted (key)
    CROSS JOIN LATERAL (
        SELECT source.render_id, video.run_id, video.ended_at FROM video_source AS source
        CROSS JOIN LATERAL (
            SELECT run_id, ended_at FROM render
            WHERE id = source.render_id AND state = 'published' AND withdrawn_at IS NULL LIMIT 1
        ) AS video
        WHERE source.kind = :kind AND source.key = wanted.key AND source.render_id > :after
        ORDER BY source.render_id LIMIT :size
    ) AS touched
    ORDER BY touched.render_id LIMIT :size
)
SELECT page.*, video.uri, video.sha256
FROM page LEFT JOIN LATERAL (
    SELECT uri, sha256 FROM published_file AS file
    WHERE file.render_id = page.render_id AND file.name IN ('video.mp4', 'video.webm') LIMIT 1
) AS video ON true
ORDER BY page.render_id
"""


def lineage(db: Session, render_id: str) -> Json | None:
    """All that is recorded of a render and its ancestry, None when there is no such render.

    Keys: render, request, inputs (role to object), stages (name to run), consents (id to record), bulk_runs
    (id to the item that it was), artifacts (fingerprint to artifact with engine, weights, params, inputs and
    files), files (name to published file).
    """
    values = {"render_id": render_id, "apart": list(DOCUMENTS)}
    row = db.execute(sa.text(LINEAGE), values).mappings().one_or_none()
    return dict(row) if row else None


def ancestry(db: Session, render_id: str) -> list[m.Artifact]:
    """Every artifact behind a render, those too that no stage of its own led to."""
    behind = sa.text(_of_ancestry("SELECT fingerprint FROM ancestry"))
    found = db.scalars(behind, {"render_id": render_id}).all()
    return list(db.scalars(sa.select(m.Artifact).where(m.Artifact.fingerprint.in_(found))))


def record_sources(db: Session, render_id: str) -> None:
    """Keep what a video depends on; called in the transaction that publishes it."""
    db.execute(sa.text(RECORD), {"render_id": render_id})


def forget_sources(db: Session, render_id: str) -> None:
    """No change touches a video that is shown no longer; called in the transaction that withdraws it."""
    db.execute(sa.delete(m.VideoSource).where(m.VideoSource.render_id == render_id))


def touched(db: Session, kind: str, keys: Sequence[str], *, after: str, size: int) -> list[Json]:
    """At most `size` published videos that depend on any of the keys, by render id, later than `after`.

    Each is {render_id, run_id, ended_at, uri, sha256}.
    """
    values = {"kind": kind, "keys": list(keys), "after": after, "size": size}
    return [dict(row) for row in db.execute(sa.text(IMPACT), values).mappings()]


def touched_ids(db: Session, kind: str, keys: Sequence[str], caller: str | None) -> list[str]:
    """Every published video that depends on any of the keys, by id; of one caller if given."""
    return list(db.scalars(_all_touched(kind, keys, caller).order_by(m.VideoSource.render_id)))


def touched_count(db: Session, kind: str, keys: Sequence[str], caller: str | None) -> int:
    """How many those are."""
    return db.scalar(sa.select(sa.func.count()).select_from(_all_touched(kind, keys, caller).subquery())) or 0


def _all_touched(kind: str, keys: Sequence[str], caller: str | None) -> sa.Select[str]:
    query = (
        sa.select(m.VideoSource.render_id)
        .join(m.Render, m.Render.id == m.VideoSource.render_id)
        .where(m.VideoSource.kind == kind, m.VideoSource.key.in_(keys))
        .where(m.Render.state == RenderState.PUBLISHED, m.Render.withdrawn_at.is_(None))
    )
    if caller is not None:
        query = query.join(m.Request, m.Request.id == m.Render.request_id).where(m.Request.caller == caller)
    return query.distinct()


def engines_named(db: Session, name: str, version: str | None) -> list[str]:
    """Ids of the engine versions of this name, and of this version if one is given."""
    query = sa.select(m.EngineVersion.id).where(m.EngineVersion.name == name)
    return list(db.scalars(query.where(m.EngineVersion.version == version) if version else query))


def engines_with(db: Session, weights: str) -> list[str]:
    """Ids of the engine versions that load a weights file of this name or sha256."""
    named = sa.or_(m.EngineWeight.name == weights, m.EngineWeight.sha256 == weights)
    return list(db.scalars(sa.select(m.EngineWeight.engine_version_id).where(named).distinct()))


def engines_known(db: Session) -> dict[str, set[str]]:
    """Every engine that ever made an artifact, as NAME@VERSION, with the names of its weights files."""
    query = sa.select(m.EngineVersion.name, m.EngineVersion.version, m.EngineWeight.name.label("file"))
    rows = db.execute(query.outerjoin(m.EngineWeight, m.EngineWeight.engine_version_id == m.EngineVersion.id))
    known: dict[str, set[str]] = {}
    for name, version, file in rows:
        known.setdefault(f"{name}@{version}", set()).update({file} if file else ())
    return known


def render_of_file(db: Session, uri: str) -> str | None:
    """The render that published this s3:// address."""
    return db.scalar(sa.select(m.PublishedFile.render_id).where(m.PublishedFile.uri == uri))
