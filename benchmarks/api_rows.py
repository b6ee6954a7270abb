"""A million renders as a list meets them, written in SQL: every thirty seconds one, the newest is number 0.

Most are published, one in a hundred failed; what is old differs from what is new: a campaign, an avatar, a
caller and the state `cancelled` are found among the oldest renders only. Plan and measures are those of one
real render.
"""

from __future__ import annotations

import sqlalchemy as sa

from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.catalog import engine

OLD = 5000  # renders
AVATARS = 200
ROWS = """
CREATE TEMPORARY TABLE model ON COMMIT DROP AS
    SELECT body, plan, measures, predicted FROM render JOIN request ON request.id = request_id
    WHERE render.id = :model;
CREATE TEMPORARY TABLE made ON COMMIT DROP AS
    SELECT i, now() - i * interval '30 seconds' AS at, i >= :count - :old AS old,
        to_char(now() - i * interval '30 seconds', 'YYYYMMDD-HH24MISS-') || lpad(to_hex(i), 8, '0') AS id,
        floor(:avatars * power(abs(hashint4(i)) / 2147483648.0, 2))::int AS a
    FROM generate_series(0, CAST(:count AS int) - 1) AS i;
INSERT INTO request (id, sha256, body, caller, idempotency_key, created_at)
    SELECT md5('request' || i), md5('request' || i), m.body
        || jsonb_build_object('avatar', jsonb_build_object('uri',
            's3://inputs/avatars/' || CASE WHEN old THEN 'old' ELSE a::text END || '.png'))
        || jsonb_build_object('labels', jsonb_build_object('order', i::text, 'team', 't' || i % 10,
            'campaign', CASE WHEN old THEN 'old' ELSE 'c' || i % 500 END)),
        CASE WHEN old THEN 'caller-old' ELSE 'caller-' || i % 3 END, 'key-' || i, at
    FROM made, model AS m ORDER BY i DESC;
INSERT INTO render (id, request_id, run_id, state, plan, code_version, measures, predicted, created_at,
        ended_at)
    SELECT id, md5('request' || i), 'render-' || id,
        CASE WHEN old AND i % 25 = 0 THEN 'cancelled' WHEN i % 100 = 1 THEN 'failed' ELSE 'published' END,
        m.plan, 'code', m.measures, m.predicted, at, at
    FROM made, model AS m ORDER BY i DESC;
INSERT INTO render_tag (kind, value, created_at, render_id)
    SELECT kind, value, at, render.id
    FROM made JOIN render USING (id) JOIN request ON request.id = request_id,
        LATERAL (SELECT 'caller', caller UNION ALL SELECT 'avatar', body -> 'avatar' ->> 'uri'
            UNION ALL SELECT 'label', key || ':' || one.value FROM jsonb_each_text(body -> 'labels') AS one
        ) AS tag (kind, value) ORDER BY 1, 2, 3, 4;
INSERT INTO published_file (render_id, name, uri, sha256, bytes)
    SELECT id, name, 's3://outputs/renders/' || id || '/' || name, md5(name || i), 500000
    FROM made, unnest(ARRAY['captions.vtt', 'manifest.json', 'poster.jpg', 'video.mp4']) AS name
    ORDER BY i DESC, 2
"""


def grow(settings: Settings, model: str, count: int) -> None:
    """Add so many renders like the render `model`, and let PostgreSQL count them."""
    values = {"model": model, "count": count, "old": OLD, "avatars": AVATARS}
    with engine(settings.pg_dsn).connect() as connection:
        connection.execute(sa.text("SET synchronous_commit = off"))
        connection.execute(sa.text("SET session_replication_role = replica"))
        for statement in ROWS.split(";\n"):
            connection.execute(sa.text(statement), values)
        connection.commit()
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.execute(sa.text("VACUUM (ANALYZE) request, render, render_tag, published_file"))
        connection.invalidate()
