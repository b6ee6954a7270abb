"""An engine's own preparation of an avatar: an artifact made once, whatever the script, kept while needed."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from avatarlab_ops import engines, pipeline
from avatarlab_ops.housekeeping import Rules, keep_house
from avatarlab_ops.lineage import query
from avatarlab_ops.renders import status, withdrawal
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.catalog import records, transaction, upkeep
from avatarlab_ops.stores.catalog import tables as m
from avatarlab_ops.stores.documents import documents
from avatarlab_ops.stores.objects import objects

from . import material

sys.path.append(str(Path(__file__).parents[1] / "unit" / "lipsync"))
import tiny_diffdub

NOW = Rules(intermediates=timedelta(0), settle=timedelta(0))


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """DiffDub on a tiny network; how many pictures of the person its encoder saw, call by call."""
    seen: list[int] = []

    def build() -> object:
        dub = tiny_diffdub.engine()
        dub.renderer.encoder.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
        return dub

    monkeypatch.setitem(sys.modules, "tiny_dub", SimpleNamespace(build=build))
    known = replace(engines.info("lipsync", "diffdub"), factory="tiny_dub:build", files=())
    monkeypatch.setitem(engines.known().engines, ("lipsync", "diffdub"), known)
    monkeypatch.setattr(engines, "_loaded", {})
    return seen


def _asked(stores: Settings, script: str) -> dict[str, Any]:
    return {
        "script": script,
        "avatar": {"uri": material.upload(stores, "dubbed.png", material.png(material.astronaut()))},
        "output": {"resolution": "360p"},
        "engines": {"lipsync": "diffdub"},
        "background": {"kind": "original"},
    }


def _preparation(stores: Settings) -> m.Artifact:
    with transaction(stores.pg_dsn) as db:
        return db.scalars(sa.select(m.Artifact).where(m.Artifact.stage == "prepare")).one()


def test_a_second_script_of_an_avatar_is_rendered_without_preparing_it_again(
    stores: Settings, encoded: list[int]
) -> None:
    first = pipeline.render(stores, _asked(stores, "My baby."))
    assert encoded == [1]
    engines._loaded.clear()  # as in another process
    second = pipeline.render(stores, _asked(stores, "We may go."))
    assert encoded == [1]
    assert {status.of(stores, made.render_id).state for made in (first, second)} == {"published"}
    kept = _preparation(stores)
    assert list(kept.files) == ["preparation.npz"]
    made = {one["stage"]: one for one in query.trace(stores, second.render_id)["artifacts"].values()}
    assert made["lipsync"]["inputs"]["prepare"] == {"sha256": kept.sha256, "fingerprint": kept.fingerprint}
    assert made["prepare"]["made_by"] == first.render_id
    manifest = documents(stores).find("manifests", second.render_id)
    assert manifest is not None
    assert manifest["artifacts"]["prepare"]["fingerprint"] == kept.fingerprint
    touched = query.impact(stores, "input", kept.sha256).videos
    assert [video.render_id for video in touched] == [first.render_id, second.render_id]


def test_a_preparation_stays_as_long_as_a_video_and_is_made_again_for_the_next(
    stores: Settings, encoded: list[int]
) -> None:
    pipeline.render(stores, _asked(stores, "My baby."))
    encoded.clear()
    kept = _preparation(stores)
    with transaction(stores.pg_dsn) as db:
        videos = upkeep.published_ids(db, records.now())
    for render_id in videos:
        notes = [note for chore in keep_house(stores, NOW, apply=True) for note in chore.notes]
        assert not [note for note in notes if kept.fingerprint in note]
        assert objects(stores).head(stores.bucket_artifacts, kept.key) is not None
        withdrawal.withdraw(stores, render_id, "test")
    keep_house(stores, NOW, apply=True)
    assert _preparation(stores).evicted_at is not None
    assert not list(objects(stores).keys(stores.bucket_artifacts, "prepare/"))
    again = pipeline.render(stores, _asked(stores, "My baby."))
    assert encoded == [1]
    assert _preparation(stores).evicted_at is None
    assert status.of(stores, again.render_id).state == "published"


def test_a_preparation_whose_record_is_lost_is_taken_back(stores: Settings, encoded: list[int]) -> None:
    pipeline.render(stores, _asked(stores, "My baby."))
    encoded.clear()
    lost = _preparation(stores)
    with transaction(stores.pg_dsn) as db:
        read = sa.or_(
            m.ArtifactInput.artifact == lost.fingerprint, m.ArtifactInput.source == lost.fingerprint
        )
        db.execute(sa.delete(m.ArtifactInput).where(read))
        done = sa.update(m.StageRun).where(m.StageRun.artifact == lost.fingerprint)
        db.execute(done.values(artifact=None))
        db.execute(sa.delete(m.Artifact).where(m.Artifact.fingerprint == lost.fingerprint))
    keep_house(stores, NOW, apply=True)
    assert _preparation(stores).sha256 == lost.sha256
    with transaction(stores.pg_dsn) as db:
        assert set(records.edges_of(db, _preparation(stores))) == {"avatar", "face"}
