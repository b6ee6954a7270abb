"""A database, buckets and a work folder of one's own on the shared servers."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from avatarlab_ops import pipeline
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.objects import objects

from . import material


@pytest.fixture(scope="module")
def fresh(servers: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings of an empty database and of buckets that do not exist yet."""
    tag = uuid.uuid4().hex[:8]
    url = sa.make_url(servers.pg_dsn).set(drivername="postgresql+psycopg")
    server = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with server.connect() as connection:
        connection.exec_driver_sql(f'CREATE DATABASE "test_{tag}"')
    names = ("inputs", "artifacts", "outputs", "models", "evidence")
    settings = replace(
        servers,
        pg_dsn=url.set(drivername="postgresql", database=f"test_{tag}").render_as_string(hide_password=False),
        home=Path(tmp_path_factory.mktemp("home")),
        **{f"bucket_{name}": f"{name}-{tag}" for name in names},
    )
    yield settings
    for name in names:
        _remove_bucket(settings, f"{name}-{tag}")
    from avatarlab_ops.stores.catalog import engine

    engine(
        url.set(drivername="postgresql", database=f"test_{tag}").render_as_string(hide_password=False)
    ).dispose()
    with server.connect() as connection:
        connection.exec_driver_sql(f'DROP DATABASE "test_{tag}" WITH (FORCE)')


def _remove_bucket(settings: Settings, bucket: str) -> None:
    """Every bucket holds a volume of the store, and there are only so many."""
    client = objects(settings).client
    if not any(found["Name"] == bucket for found in client.list_buckets()["Buckets"]):
        return
    for page in client.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for found in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
            client.delete_object(Bucket=bucket, Key=found["Key"], VersionId=found["VersionId"])
    client.delete_bucket(Bucket=bucket)


@pytest.fixture(scope="module")
def stores(fresh: Settings) -> Settings:
    """Settings of prepared stores."""
    pipeline.prepare_stores(fresh)
    return fresh


@pytest.fixture(scope="module")
def portrait(stores: Settings) -> str:
    """Reference of a portrait whose use is agreed to."""
    return material.upload(stores, "astronaut.png", material.png(material.astronaut()))
