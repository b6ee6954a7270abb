"""An engine's own preparation of an avatar is an artifact: made once, whatever the script."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import sqlalchemy as sa

from avatarlab_ops import engines, pipeline, renders
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.catalog import models as m
from avatarlab_ops.stores.catalog import transaction

from . import material

sys.path.append(str(Path(__file__).parents[1] / "unit" / "lipsync"))
import tiny_diffdub


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """DiffDub on a tiny network; how many pictures of the person its encoder saw, call by call."""
    seen: list[int] = []

    def build() -> object:
        dub = tiny_diffdub.engine()
        dub.renderer.encoder.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
        return dub

    monkeypatch.setitem(sys.modules, "tiny_dub", SimpleNamespace(build=build))
    known = replace(engines.ENGINES["lipsync", "diffdub"], factory="tiny_dub:build", files=())
    monkeypatch.setitem(engines.ENGINES, ("lipsync", "diffdub"), known)
    monkeypatch.setattr(engines, "_loaded", {})
    return seen


def test_a_second_script_of_an_avatar_is_rendered_without_preparing_it_again(
    stores: Settings, encoded: list[int]
) -> None:
    portrait = material.upload(stores, "dubbed.png", material.png(material.astronaut()))
    asked = {
        "avatar": {"uri": portrait},
        "output": {"resolution": "360p"},
        "engines": {"lipsync": "diffdub"},
        "background": {"kind": "original"},
    }
    first = pipeline.render(stores, asked | {"script": "My baby."})
    assert encoded == [1]
    engines._loaded.clear()  # as in another process
    second = pipeline.render(stores, asked | {"script": "We may go."})
    assert encoded == [1]
    assert {renders.status(stores, made.render_id).state for made in (first, second)} == {"published"}
    with transaction(stores.pg_dsn) as db:
        kept = db.scalars(sa.select(m.Artifact).where(m.Artifact.stage == "prepare")).all()
        assert [list(artifact.files) for artifact in kept] == [["preparation.npz"]]
