"""The way back: earlier code over newer tables, tables taken back, and which migrations only add."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from avatarlab_ops.errors import InputError, TransientError
from avatarlab_ops.plan import Plan, Source
from avatarlab_ops.request import AvatarRequest
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores import catalog
from avatarlab_ops.timeline import Word

COLUMNS = """
SELECT table_name, column_name, data_type, is_nullable, column_default IS NOT NULL
FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'avatarlab_version'
"""
RULES = """
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace = 'public'::regnamespace AND contype <> 'n' AND conrelid <> 0
UNION SELECT tablename, indexname, indexdef FROM pg_indexes
WHERE schemaname = 'public' AND indexdef LIKE '%UNIQUE%'
"""
Column = tuple[str, str, str, str, bool]


def shape(settings: Settings) -> tuple[set[Column], set[tuple[str, str, str]]]:
    """Columns, and rules that rows have to keep."""
    with catalog.engine(settings.pg_dsn).connect() as connection:
        columns = {tuple(row) for row in connection.execute(sa.text(COLUMNS))}
        rules = {tuple(row) for row in connection.execute(sa.text(RULES))}
    return columns, rules


def move(settings: Settings, to: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(catalog.MIGRATIONS))
    with catalog.engine(settings.pg_dsn).connect() as connection:
        config.attributes["connection"] = connection
        there = connection.scalar(sa.text("SELECT to_regclass('avatarlab_version')"))
        found = connection.scalar(sa.text("SELECT version_num FROM avatarlab_version")) if there else None
        connection.rollback()
        back = to == "base" or (found is not None and found > to)
        (command.downgrade if back else command.upgrade)(config, to)


def breaks(settings: Settings, older: str, newer: str) -> set[str]:
    """What code of `older` would miss, or be refused, over the tables of `newer`."""
    move(settings, older)
    columns, rules = shape(settings)
    tables = {column[0] for column in columns}
    move(settings, newer)
    columns_now, rules_now = shape(settings)
    missing = {f"{table}.{name}" for table, name, *_ in columns - columns_now}
    # An INSERT ... ON CONFLICT of earlier code names the columns of one of these.
    unique = {
        name for _, name, rule in rules - rules_now if rule.startswith(("UNIQUE", "PRIMARY", "CREATE UNIQUE"))
    }
    demanded = {
        f"{table}.{name}"
        for table, name, _, nullable, default in columns_now - columns
        if table in tables and nullable == "NO" and not default
    }
    return missing | unique | demanded | {name for table, name, _ in rules_now - rules if table in tables}


def test_migrations_since_the_code_that_is_served_only_add(fresh: Settings) -> None:
    assert breaks(fresh, "0012", "0013") >= {"avatar.sha256", "voice.engine"}, "tables that went are noticed"
    assert "uq_webhook_endpoint_callbacks" in breaks(fresh, "0020", "0019"), "rules that went are, too"
    assert breaks(fresh, "0030", "0031") == set(), "a new table is nobody's trouble"
    assert breaks(fresh, catalog.SERVES, "head") == set(), "raise SERVES to the migration that does this"


def test_earlier_code_goes_on_over_newer_tables_that_serve_it_and_names_the_way_back_else(
    fresh: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    move(fresh, "base")
    catalog.migrate(fresh.pg_dsn)
    monkeypatch.setattr(catalog, "HEAD", "0031")
    with pytest.raises(
        TransientError, match=r"of version 0033 and serve code from 0032 on; this code is 0031"
    ):
        catalog.is_current(fresh.pg_dsn)
    with pytest.raises(TransientError, match="avatarlab tables --back-to 0031"):
        catalog.migrate(fresh.pg_dsn)
    with catalog.engine(
        fresh.pg_dsn
    ).begin() as connection:  # as newer code would, whose migration only added
        connection.exec_driver_sql("COMMENT ON TABLE avatarlab_version IS 'serves code from 0029 on'")
        connection.exec_driver_sql("UPDATE avatarlab_version SET version_num = '0099'")
    assert catalog.is_current(fresh.pg_dsn)
    catalog.migrate(fresh.pg_dsn)
    assert catalog.version(fresh.pg_dsn) == "0099", "left as it is"
    with catalog.engine(fresh.pg_dsn).begin() as connection:
        connection.exec_driver_sql("UPDATE avatarlab_version SET version_num = '0033'")


def test_newer_code_takes_its_tables_back(fresh: Settings) -> None:
    catalog.migrate(fresh.pg_dsn)
    other = sa.create_engine(sa.make_url(fresh.pg_dsn).set(drivername="postgresql+psycopg"))
    with other.connect(), pytest.raises(InputError, match="1 others are connected"):
        catalog.take_back(fresh.pg_dsn, "0029")
    other.dispose()
    for none in ("0034", "last week"):
        with pytest.raises(InputError, match="not a version of tables before '0033'"):
            catalog.take_back(fresh.pg_dsn, none)
    catalog.take_back(fresh.pg_dsn, "0029")
    assert catalog.version(fresh.pg_dsn) == "0029"
    assert not catalog.is_current(fresh.pg_dsn)
    catalog.migrate(fresh.pg_dsn)
    assert catalog.is_current(fresh.pg_dsn)


def test_a_migration_that_is_killed_has_said_whom_the_tables_serve(
    fresh: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    move(fresh, "0029")
    monkeypatch.setattr(catalog, "SERVES", "0031")
    monkeypatch.setattr(command, "upgrade", killed)
    with pytest.raises(KeyboardInterrupt):
        catalog.migrate(fresh.pg_dsn)
    with catalog.engine(fresh.pg_dsn).connect() as connection:
        assert connection.scalar(sa.text(catalog.COMMENT)) == "serves code from 0031 on"


def killed(*_: object) -> None:
    raise KeyboardInterrupt


def test_an_input_is_kept_without_what_says_nothing() -> None:
    """Code before `usual_fps` refuses what names it, a picture's null, too."""
    seen = Source(uri="s3://inputs/a.png", sha256="aa", bytes=5, kind="image", width=9, height=9)
    assert "usual_fps" not in seen.record()
    assert Source.model_validate(seen.record()) == seen
    varied = seen.model_copy(update={"usual_fps": 30.0})
    assert Source.model_validate(varied.record()) == varied


def test_a_plain_role_counts_the_others_that_are_connected(fresh: Settings) -> None:
    """PostgreSQL hides the kind of other roles' sessions from it."""
    other = sa.create_engine(sa.make_url(fresh.pg_dsn).set(drivername="postgresql+psycopg"))
    with other.connect(), other.connect() as connection:
        all_of_them = connection.scalar(sa.text(catalog.OPEN))
        connection.exec_driver_sql("CREATE ROLE plain")
        connection.exec_driver_sql("SET ROLE plain")
        assert connection.scalar(sa.text(catalog.OPEN)) == all_of_them
        connection.rollback()
    other.dispose()


def test_a_plan_is_kept_without_what_says_nothing_and_read_back_the_same() -> None:
    """Code before chapters refuses a plan that names them; one without chapters names none."""
    avatar = {
        "uri": "s3://inputs/a.png",
        "sha256": "aa",
        "bytes": 5,
        "kind": "image",
        "width": 9,
        "height": 9,
    }
    plan = Plan.model_validate({
        "script": [{"text": "Hi.", "pause_s": 0.0}], "language": "en-US", "voice": "heart", "avatar": avatar,
        "backdrop": None, "background": {}, "captions": "none", "motion": {"head": False}, "seed": 0,
        "picture": {"width": 8, "height": 8, "fps": 24, "container": "mp4", "fit": "cover"},
        "footage": {"fps": 24.0, "max_short_side_px": 8, "end_s": 0.0},
        "engines": {"speech": "hibari", "lipsync": "kirin", "matting": "rvm"},
    })  # fmt: skip
    kept = plan.record()
    assert "chapters" not in kept
    assert kept["script"] == [{"text": "Hi.", "pause_s": 0.0, "rate": 1.0}]
    assert kept["motion"] == {"blinks": True, "head": False}, (
        "what a request leaves out may mean another thing later"
    )
    assert (kept["seed"], kept["backdrop"], kept["footage"]["end_s"]) == (0, None, 0.0)
    assert Plan.model_validate(kept) == plan
    said = plan.model_copy(update={"chapters": ((0, "Greeting"),)})
    assert said.record()["chapters"] == [[0, "Greeting"]]
    assert Plan.model_validate(said.record()) == said


def test_a_timeline_names_a_words_language_only_where_it_is_another() -> None:
    """Code before it refuses a field that it does not know, also an empty one."""
    word = Word(start_s=0.0, end_s=1.0, text="Hallo", sentence=0)
    assert word.model_dump() == {"start_s": 0.0, "end_s": 1.0, "text": "Hallo", "sentence": 0}
    other = word.model_copy(update={"language": "de"})
    for one in (word, other):
        assert Word.model_validate_json(one.model_dump_json()) == one
    assert other.model_dump()["language"] == "de"


def test_a_stored_request_is_without_fields_that_came_later_and_say_nothing() -> None:
    body: dict[str, Any] = {"script": [{"text": "Hi."}], "avatar": {"uri": "s3://inputs/a.png"}}
    kept = AvatarRequest.parse(body).canonical()
    assert "deadline" not in kept
    assert "chapter" not in kept["script"][0]
    assert AvatarRequest.parse(kept).canonical() == kept
    asked = AvatarRequest.parse(body | {"deadline": "2099-01-29T18:00:00+01:00"})
    assert AvatarRequest.parse(asked.canonical()) == asked
