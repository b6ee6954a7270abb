"""Migrations: up, down and up again, across releases with data, to exactly what the models declare."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from kit.eventually import eventually

from avatarlab_ops.settings import Settings
from avatarlab_ops.stores import catalog
from avatarlab_ops.stores.catalog import ancestry, tables
from avatarlab_ops.stores.documents import INDEXES, VALIDATORS, documents

# One published and one failed render as release 0001 wrote them; the film was made from a face track.
FIRST_RELEASE = """
INSERT INTO request (id, sha256, body, caller, run_id) VALUES
    ('q1', 'aa', '{"script": "Hi.", "avatar": {"uri": "s3://inputs/a.png"}, "labels": {"for": "all"}}',
        'airflow', 'run-1'),
    ('q2', 'bb', '{}', 'cli', NULL);
INSERT INTO render (id, request_id, run_id, state, code_version, measures) VALUES
    ('r1', 'q1', 'run-1', 'published', 'code-r', '{"duration_s": 1}'),
    ('r2', 'q2', NULL, 'failed', 'code-r', NULL);
INSERT INTO render_input (render_id, role, uri, sha256, bytes) VALUES
    ('r1', 'avatar', 's3://inputs/a.png', 'in-a', 5), ('r2', 'avatar', 's3://inputs/b.png', 'in-b', 5);
INSERT INTO engine_version (id, kind, name, version) VALUES ('e1', 'face', 'landmarker', '1');
INSERT INTO engine_weight (engine_version_id, name, sha256) VALUES ('e1', 'face.task', 'ww');
INSERT INTO artifact (fingerprint, stage, stage_version, engine_version_id, params, key, sha256, bytes, files,
    facts, code_version, compute_s, made_by) VALUES
    ('face', 'face', '1', 'e1', '{}', 'k', 'face-sha', 1, '{}', '{}', 'code-f', 1, 'r2'),
    ('film', 'composite', '1', NULL, '{"fps": 25}', 'k', 'film-sha', 1, '{}', '{}', 'code-c', 1, 'r1');
INSERT INTO artifact_input (artifact, role, sha256, source) VALUES
    ('face', 'avatar', 'in-a', NULL), ('film', 'face', 'face-sha', 'face');
INSERT INTO stage_run (render_id, stage, state, attempt, artifact, host) VALUES
    ('r1', 'composite', 'done', 1, 'film', 'h'), ('r2', 'face', 'done', 1, 'face', 'h');
INSERT INTO published_file (render_id, name, uri, sha256, bytes) VALUES
    ('r1', 'video.mp4', 's3://outputs/renders/r1/video.mp4', 'vv', 9);
INSERT INTO outbox (topic, key, payload, render_id, delivered_at) VALUES
    ('manifests', 'r1', '{}', 'r1', now()), ('timelines', 't', '{}', 'r1', NULL);
INSERT INTO avatar (sha256, uri) VALUES ('in-a', 's3://inputs/a.png');
INSERT INTO voice (engine, name) VALUES ('hibari', 'heart');
"""
KEPT = ("request", "render", "render_input", "artifact", "artifact_input", "stage_run", "published_file",
        "outbox", "engine_version", "engine_weight")  # fmt: skip
DEPENDS_ON = {
    ("reference", "s3://inputs/a.png"), ("input", "in-a"), ("input", "face-sha"), ("engine", "e1"),
    ("code", "code-r"), ("code", "code-f"), ("code", "code-c"),
}  # fmt: skip
TAGS = {
    ("caller", "airflow", "r1"), ("avatar", "s3://inputs/a.png", "r1"), ("label", "for:all", "r1"),
    ("caller", "cli", "r2"),
}  # fmt: skip
DEFINITIONS = """
SELECT 'index', indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT 'constraint', conrelid::regclass || '.' || conname, pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
UNION ALL SELECT 'column', table_name || '.' || column_name,
    concat_ws(' ', data_type, is_nullable, column_default)
    FROM information_schema.columns WHERE table_schema = 'public'
"""


def _move(settings: Settings, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(catalog.MIGRATIONS))
    with catalog.engine(settings.pg_dsn).connect() as connection:
        config.attributes["connection"] = connection
        move = command.downgrade if revision == "base" else command.upgrade
        move(config, revision)


def _counts(settings: Settings) -> dict[str, int]:
    with catalog.engine(settings.pg_dsn).connect() as connection:
        count = sa.select(sa.func.count())
        return {name: connection.scalar(count.select_from(sa.table(name))) or 0 for name in KEPT}


def _definitions(settings: Settings) -> set[tuple[str, str, str]]:
    with catalog.engine(settings.pg_dsn).connect() as connection:
        rows = [tuple(row) for row in connection.execute(sa.text(DEFINITIONS))]
    return {(kind, name, text) for kind, name, text in rows if "avatarlab_version" not in name + text}


def test_the_first_release_with_data_in_it_becomes_this_one(fresh: Settings) -> None:
    _move(fresh, "0001")
    with catalog.engine(fresh.pg_dsn).begin() as connection:
        connection.exec_driver_sql(FIRST_RELEASE)
    before = _counts(fresh)
    _move(fresh, "head")
    assert catalog.is_current(fresh.pg_dsn)
    assert _counts(fresh) == before
    with catalog.transaction(fresh.pg_dsn) as db:
        found = db.execute(sa.text("SELECT kind, key, render_id FROM video_source")).all()
        assert {(kind, key) for kind, key, _ in found} == DEPENDS_ON
        assert {render_id for *_, render_id in found} == {"r1"}
        ancestry.record_sources(db, "r1")  # what publication writes today is what the migration wrote
        assert db.scalar(sa.text("SELECT count(*) FROM video_source")) == len(DEPENDS_ON)
        assert [row["render_id"] for row in ancestry.touched(db, "engine", ["e1"], after="", size=9)] == [
            "r1"
        ]
        tags = {tuple(row) for row in db.execute(sa.text("SELECT kind, value, render_id FROM render_tag"))}
        states = db.execute(sa.text("SELECT key, delivered_at IS NULL, dead_at FROM outbox")).all()
    assert tags == TAGS
    assert {tuple(row) for row in states} == {("r1", False, None), ("t", True, None)}


def test_a_render_that_waited_for_approval_before_the_upgrade_is_still_found(fresh: Settings) -> None:
    _move(fresh, "base")
    _move(fresh, "0025")
    with catalog.engine(fresh.pg_dsn).begin() as connection:
        connection.exec_driver_sql(FIRST_RELEASE.partition("INSERT INTO render_input")[0])
        connection.exec_driver_sql("UPDATE render SET state = 'running' WHERE id = 'r2'")
        connection.exec_driver_sql(
            "INSERT INTO stage_run (render_id, stage, state, attempt, host, ended_at) "
            "VALUES ('r2', 'publish', 'awaiting_approval', 1, 'h', '2026-11-01')"
        )
    _move(fresh, "head")
    with catalog.transaction(fresh.pg_dsn) as db:
        waits = sa.select(tables.Render).where(tables.Render.awaits_approval)
        (found,) = db.scalars(waits)
    assert found.awaits_approval
    assert (found.id, f"{found.approval_asked_at:%F}") == ("r2", "2026-11-01")


def test_down_and_up_again_ends_at_what_the_models_declare(fresh: Settings) -> None:
    _move(fresh, "head")
    there = _definitions(fresh)
    _move(fresh, "base")
    assert _definitions(fresh) == set()
    engine = catalog.engine(fresh.pg_dsn)
    tables.Base.metadata.create_all(engine)
    declared = _definitions(fresh)
    tables.Base.metadata.drop_all(engine)
    _move(fresh, "head")
    assert _definitions(fresh) == there
    assert there == declared


def test_who_waits_for_a_migration_holds_up_none_of_its_indexes(fresh: Settings) -> None:
    """CREATE INDEX CONCURRENTLY waits for whoever waits within a statement: each start, two seconds each."""
    waits = sa.text("""
        SELECT wait_event_type = 'Lock' FROM pg_stat_activity
        WHERE datname = current_database() AND query LIKE '%advisory_lock(%' AND pid <> pg_backend_pid()
    """)
    with catalog.engine(fresh.pg_dsn).connect().execution_options(isolation_level="AUTOCOMMIT") as holder:
        number = {"number": catalog.lock_number("avatarlab migrations")}
        holder.execute(sa.text("SELECT pg_advisory_lock(:number)"), number)
        with ThreadPoolExecutor() as pool:
            waiter = pool.submit(catalog.migrate, fresh.pg_dsn)
            try:
                eventually(lambda: holder.execute(waits).all(), end_s=10)
                assert not any(any(holder.execute(waits).scalars()) for _ in range(100))
            finally:
                holder.execute(sa.text("SELECT pg_advisory_unlock(:number)"), number)
            waiter.result(30)
    assert catalog.is_current(fresh.pg_dsn)


def test_mongodb_has_the_declared_indexes_and_validators(stores: Settings) -> None:
    documents(stores).create_collections()  # again: nothing changes
    assert INDEXES.keys() == VALIDATORS.keys()
    for name, validator in VALIDATORS.items():
        collection = documents(stores).database[name]
        assert collection.options()["validator"] == validator
        declared = {index.document["name"]: dict(index.document["key"]) for index in INDEXES[name]}
        found = {key: dict(value["key"]) for key, value in collection.index_information().items()}
        assert found == declared | {"_id_": {"_id": 1}}
