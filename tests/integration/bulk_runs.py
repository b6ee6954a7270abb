"""What tests of bulk runs order, and what they look at afterwards."""

from __future__ import annotations

import csv
import io
from collections import Counter
from typing import Any

import sqlalchemy as sa

from avatarlab_ops.bulk.contract import BulkRequest
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.catalog import records, transaction
from avatarlab_ops.stores.catalog import tables as m
from avatarlab_ops.stores.objects import objects

from . import material


def rows(stores: Settings, portrait: str, name: str, scripts: list[str], **columns: str) -> str:
    """Upload a CSV of the smallest requests and return its reference."""
    names = ["script", "avatar.uri", "output.resolution", "output.aspect", *columns]
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(names)
    writer.writerows([script, portrait, "360p", "1:1", *columns.values()] for script in scripts)
    return material.upload(stores, f"bulk/{name}.csv", text.getvalue().encode())


def asked(**fields: Any) -> BulkRequest:
    return BulkRequest.parse(fields)


def studio_page(stores: Settings, path: str) -> str:
    """A page of the Studio as a reader sees it."""
    from avatarlab_web.app import app
    from avatarlab_web.stores import stores as where_stores_are
    from avatarlab_web.studio import page
    from avatarlab_web.studio.access import Caller, viewer
    from starlette.testclient import TestClient

    app.dependency_overrides = {
        viewer: lambda: Caller("anna", lambda role: role == "reader"),
        where_stores_are: lambda: stores,
    }
    page.settings, before = (lambda: stores), page.settings
    text = TestClient(app, headers={"sec-fetch-site": "same-origin"}).get(path).text
    page.settings = before
    app.dependency_overrides = {}
    return text


def items_of(stores: Settings, bulk_id: str) -> list[m.BulkItem]:
    with transaction(stores.pg_dsn) as db:
        query = sa.select(m.BulkItem).where(m.BulkItem.bulk_id == bulk_id).order_by(m.BulkItem.number)
        return list(db.scalars(query))


def videos(stores: Settings, bulk_id: str) -> list[str]:
    """Render of each published video that carries the label of a bulk run."""
    keys = objects(stores).keys(stores.bucket_outputs, "renders/")
    found = [key.split("/")[1] for key in keys if key.endswith("/video.mp4")]
    with transaction(stores.pg_dsn) as db:
        bodies = {found: records.request_of(db, records.find(db, found)).body for found in found}
    return [render for render in found if bodies[render]["labels"].get("run") == bulk_id]


def worked(stores: Settings, bulk_id: str) -> Counter[tuple[str, str]]:
    """How often a bulk run's renders did a stage, or found it done."""
    runs = sa.select(m.StageRun.stage, m.StageRun.state).join(
        m.BulkItem, m.BulkItem.render_id == m.StageRun.render_id
    )
    with transaction(stores.pg_dsn) as db:
        return Counter(
            (row.stage, row.state) for row in db.execute(runs.where(m.BulkItem.bulk_id == bulk_id))
        )
