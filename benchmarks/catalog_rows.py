"""A catalog of published videos, written in SQL: rows, keys and bytes as the product itself writes.

Video 0 is the newest, each one before it is 30 seconds older. The first videos made what later ones share:
the preparation of 200 avatars and the speech of 20,000 scripts; a few avatars carry most of the videos. What
a row holds besides its keys (plan, facts, payloads) is that of one real render, the model.
"""

from __future__ import annotations

import sqlalchemy as sa

from avatarlab_ops import graph
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.catalog import engine

AVATARS, SCRIPTS = 200, 20_000
OUTBOX_KEPT = 20_160  # videos of a week: their delivered messages have not been forgotten yet
PROGRESS_KEPT = 2_880  # videos of a day
TABLES = ("input_object", "consent", "request", "render", "render_consent", "render_input",
          "artifact", "artifact_input", "stage_run", "published_file", "video_source", "outbox", "progress",
          "bulk_item")  # fmt: skip

# What every statement below reads: one row for each video from :first up to :last.
VIDEOS = """
CREATE TEMPORARY TABLE video ON COMMIT DROP AS
SELECT i, a, s, {digests}, to_char(at, 'YYYYMMDD-HH24MISS-') || lpad(to_hex(i), 8, '0') AS id, at,
    's3://inputs/avatars/' || a || '.png' AS uri, h('avatar' || a) AS likeness,
    'code-' || i / 20000 AS code, i % 10007 = 5 AS fixed
FROM (
    SELECT i, now() - i * interval '30 seconds' AS at, i % {scripts} AS s,
        CASE WHEN i < {avatars} THEN i ELSE floor({avatars} * power(abs(hashint4(i)) / 2147483648.0, 2))::int
        END AS a
    FROM generate_series(CAST(:first AS int), CAST(:last AS int) - 1) AS i
) AS numbered;
"""

HASH = """
CREATE OR REPLACE FUNCTION h(text) RETURNS text LANGUAGE sql IMMUTABLE RETURN encode(sha256($1::bytea), 'hex')
"""

# What is shared: (stage, whose number names it, which videos made it).
SHARED = (("face", "a", "i < {avatars}"), ("matte", "a", "i < {avatars}"), ("speech", "s", "i < {scripts}"))
TASKS = [stage for stage in graph.GRAPH if stage.within is None]
READ = {task.name: [one for one in task.after if graph.BY_NAME[one] in TASKS] for task in TASKS}
# Those that others read: of what a video is made from, not the video itself.
BEHIND = [task for task in READ if any(task in read for read in READ.values())]


def _videos() -> str:
    digests = [
        f"h({_name(stage)}) AS {stage}, h({_name(stage)} || 'content') AS {stage}_sha" for stage in READ
    ]
    return VIDEOS.format(avatars=AVATARS, scripts=SCRIPTS, digests=", ".join(digests))


def _number(stage: str) -> str:
    return next((number for name, number, _ in SHARED if name == stage), "i")


def _name(stage: str) -> str:
    """SQL of what a stage's artifact of a video is called."""
    return f"'{stage}' || {_number(stage)}"


def _makers(stage: str) -> str:
    """SQL of whether a video made the artifact, or found it."""
    made = next((made for name, _, made in SHARED if name == stage), "true")
    return made.format(avatars=AVATARS, scripts=SCRIPTS)


def _engine(stage: str) -> str:
    """SQL of the engine version; a few scripts were spoken by an engine that is rare."""
    model = f"(SELECT engine_version_id FROM model_artifact WHERE stage = '{stage}')"
    return f"CASE WHEN s % 5000 = 1 THEN 'rare' ELSE {model} END" if stage == "speech" else model


def _code(stage: str) -> str:
    """SQL of the code version that made the artifact; the rare one touched lip-sync only."""
    if stage == "lipsync":
        return "CASE WHEN fixed THEN 'code-rare' ELSE code END"
    number = _number(stage)
    return "code" if number == "i" else f"'code-' || {number} / 20000"


def _artifacts(stage: str) -> str:
    return f"""
    INSERT INTO artifact (fingerprint, stage, stage_version, engine_version_id, params, key, sha256, bytes,
        files, facts, code_version, compute_s, made_by, created_at, used_at)
    SELECT video.{stage}, '{stage}', m.stage_version, {_engine(stage)}, m.params,
        '{stage}/' || left(video.{stage}, 2) || '/' || video.{stage} || '/artifact.json',
        {stage}_sha, m.bytes, m.files, m.facts, {_code(stage)}, m.compute_s, id, at, at
    FROM video, model_artifact AS m WHERE m.stage = '{stage}' AND {_makers(stage)} ORDER BY 1;
    """


def _edges(stage: str) -> str:
    """An artifact's edges: to the avatar, where it reads that, and to the artifacts that it read."""
    rows = [f"SELECT video.{stage}, '{s}', {s}_sha, video.{s} FROM video"
            for s in READ[stage]]  # fmt: skip
    if "avatar" in graph.BY_NAME[stage].sources:
        rows.append(f"SELECT video.{stage}, 'avatar', likeness, NULL FROM video")
    made = [f"{row} WHERE {_makers(stage)}" for row in rows]
    if not made:
        return ""
    read = " UNION ALL ".join(made)
    return f"INSERT INTO artifact_input (artifact, role, sha256, source) {read} ORDER BY 1, 2;"


def _runs() -> str:
    """Stage runs: what was shared is cached, the rest was done."""
    stages = [f"""
        SELECT id, '{stage}', CASE WHEN {_makers(stage)} THEN 'done' ELSE 'cached' END, video.{stage}, at
        FROM video""" for stage in READ]  # fmt: skip
    stages += [f"SELECT id, '{stage}', 'done', NULL, at FROM video" for stage in ("admit", "publish")]
    return f"""
    INSERT INTO stage_run (render_id, stage, state, attempt, artifact, compute_s, host, started_at, ended_at)
    SELECT id, stage, state, 1, artifact, 5.0, 'worker', at, at
    FROM ({" UNION ALL ".join(stages)}) AS run (id, stage, state, artifact, at) ORDER BY 1, 2;
    """


def _sources() -> str:
    """What publication keeps of each video's ancestry: `lineage.SOURCES` of these videos."""
    rows = ["SELECT 'reference', uri, id FROM video", "SELECT 'input', likeness, id FROM video",
            "SELECT 'code', code, id FROM video",
            "SELECT 'code', 'code-rare', id FROM video WHERE fixed"]  # fmt: skip
    rows += [f"SELECT 'input', {stage}_sha, id FROM video" for stage in BEHIND]
    engines = [_engine(stage) for stage in BEHIND if graph.BY_NAME[stage].kind]
    rows += [f"SELECT 'engine', {engine}, id FROM video" for engine in engines]
    rows += [
        f"SELECT 'code', {_code(stage)}, id FROM video WHERE {_code(stage)} <> code"
        for stage in ("face", "speech")
    ]
    kept = "WHERE i % 100 <> 7"  # a withdrawn video is none that a change touches
    shown = [
        row.replace("FROM video WHERE", f"FROM video {kept} AND") if "WHERE" in row else f"{row} {kept}"
        for row in rows
    ]
    return f"""
    INSERT INTO video_source (kind, key, render_id)
    SELECT DISTINCT * FROM ({" UNION ALL ".join(shown)}) AS source (kind, key, id) ORDER BY 1, 2, 3;
    """


# The statements of one round of growth, in the order of their foreign keys.
ROWS = f"""
INSERT INTO input_object (uri, etag, sha256, bytes, media, looks)
    SELECT uri, 'etag', likeness, 500000, m.media, m.looks
    FROM video, (SELECT media, looks FROM input_object ORDER BY created_at LIMIT 1) AS m WHERE i < {AVATARS};
INSERT INTO consent (id, subject, kind, material, terms, valid_from)
    SELECT 'consent-' || a, 'person ' || a, 'likeness', likeness, 'release', at FROM video
    WHERE i < {AVATARS};
INSERT INTO request (id, sha256, body, caller, idempotency_key, run_id, created_at)
    SELECT md5('request' || i), h('request' || i),
        m.body || jsonb_build_object('avatar', jsonb_build_object('uri', uri),
            'labels', jsonb_build_object('campaign', 'c' || i % 500)
                || CASE WHEN i % 1000 = 3 THEN '{{"retention": "3650d"}}' ELSE '{{}}' END::jsonb),
        'caller-' || i % 20, CASE WHEN i % 2 = 0 THEN 'key-' || i END,
        CASE WHEN i % 2 = 1 THEN 'manual-' || i END, at
    FROM video, model AS m ORDER BY 1;
INSERT INTO render (id, request_id, run_id, state, plan, code_version, measures, predicted, created_at,
        ended_at, withdrawn_at)
    SELECT id, md5('request' || i), CASE WHEN i % 2 = 1 THEN 'manual-' || i END, 'published', m.plan, code,
        m.measures, m.predicted, at, at, CASE WHEN i % 100 = 7 THEN at END
    FROM video, model AS m ORDER BY 1;
INSERT INTO render_consent (render_id, consent_id)
    SELECT id, 'consent-' || a FROM video UNION ALL SELECT id, 'licence-voice-hibari-heart' FROM video
    ORDER BY 1, 2;
INSERT INTO render_input (render_id, role, uri, sha256, bytes)
    SELECT id, 'avatar', uri, likeness, 500000 FROM video ORDER BY 1;
{"".join(_artifacts(stage) for stage in READ)}
{"".join(_edges(stage) for stage in READ)}
{_runs()}
INSERT INTO published_file (render_id, name, uri, sha256, bytes)
    SELECT id, name, 's3://outputs/renders/' || id || '/' || name, h(name || i), 500000
    FROM video,
        unnest(ARRAY['captions.srt', 'captions.vtt', 'manifest.json', 'poster.jpg', 'video.mp4']) AS name
    ORDER BY 1, 2;
{_sources()}
INSERT INTO outbox (topic, key, payload, render_id, attempts, delivered_at, created_at)
    SELECT topic, id || ':' || number, payload, id, 1, at, at FROM video, model_message
    WHERE i < {OUTBOX_KEPT} ORDER BY i DESC, number;
INSERT INTO progress (render_id, stage, done, total, unit, rate, updated_at)
    SELECT id, stage, 200, 200, 'frames', 10.0, at
    FROM video, unnest(ARRAY{list(READ)}) AS stage
    WHERE i < {PROGRESS_KEPT};
INSERT INTO bulk_item (bulk_id, number, key, request, batch, predicted_gpu_s, state, render_id)
    SELECT 'bench', i, i, m.body, i / 2500, 5.0, 'published', id FROM video, model AS m WHERE i % 100 = 0;
"""

# The model: rows of the one real render that is there before.
MODEL = """
CREATE TEMPORARY TABLE model ON COMMIT DROP AS
    SELECT body, plan, measures, predicted FROM render JOIN request ON request.id = request_id
    WHERE render.id = :model;
CREATE TEMPORARY TABLE model_artifact ON COMMIT DROP AS
    SELECT artifact.* FROM artifact JOIN stage_run ON stage_run.artifact = fingerprint
    WHERE render_id = :model;
CREATE TEMPORARY TABLE model_message ON COMMIT DROP AS
    SELECT topic, payload, row_number() OVER (ORDER BY id) AS number FROM outbox WHERE render_id = :model;
"""
ONCE = """
INSERT INTO engine_version (id, kind, name, version) VALUES ('rare', 'speech', 'rare', '1')
    ON CONFLICT DO NOTHING;
INSERT INTO engine_weight VALUES ('rare', 'rare.onnx', repeat('ab', 32)) ON CONFLICT DO NOTHING;
INSERT INTO bulk_run (id, caller, spec, spec_sha256, problems, counts)
    VALUES ('bench', 'bench', '{}', '', '{}', '{}') ON CONFLICT DO NOTHING;
"""
INDEXES = """
SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename = ANY(:tables)
    AND indexname NOT IN (SELECT conname FROM pg_constraint) AND indexdef NOT LIKE 'CREATE UNIQUE%'
"""


def grow(settings: Settings, model: str, first: int, last: int) -> None:
    """Add the videos `first` up to `last`, like the render `model`, and let PostgreSQL count them."""
    with engine(settings.pg_dsn).connect() as connection:
        for step in ("SET synchronous_commit = off", "SET session_replication_role = replica",
                     "SET maintenance_work_mem = '512MB'", "SET work_mem = '256MB'"):  # fmt: skip
            connection.execute(sa.text(step))
        _load(connection, model, first, last)
        connection.commit()
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.execute(sa.text(f"VACUUM (ANALYZE) {', '.join(TABLES)}"))
        connection.execute(sa.text("CHECKPOINT"))
        connection.invalidate()


def _load(connection: sa.Connection, model: str, first: int, last: int) -> None:
    """Rows in the order of their primary keys, other indexes made anew afterwards."""
    indexes = connection.execute(sa.text(INDEXES), {"tables": list(TABLES)}).all()
    many = last - first > 50_000
    values = {"model": model, "first": first, "last": last}
    setup = [HASH, *MODEL.split(";\n"), _videos(), *ONCE.split(";\n")]
    dropped = [f"DROP INDEX {name}" for name, _ in indexes] if many else []
    made = [definition for _, definition in indexes] if many else []
    for statement in filter(str.strip, (*setup, *dropped, *ROWS.split(";\n"), *made)):
        connection.execute(sa.text(statement), values)
