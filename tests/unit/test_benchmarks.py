"""Benchmarks that stand in for parts of the pipeline keep up with it."""

from __future__ import annotations

from pathlib import Path

from plans import a_plan

from avatarlab_ops import graph
from avatarlab_ops.media import pictureprint
from avatarlab_ops.progress import silent
from avatarlab_ops.settings import Settings
from avatarlab_ops.stages.context import Context
from benchmarks import catalog_writes

STORES = Settings("postgresql://h/d", "mongodb://h/d", "http://h", "key", "secret", Path("home"))


def test_a_film_that_stands_in_can_be_watched_as_publication_does(tmp_path: Path) -> None:
    work = Context(STORES, "r", a_plan(), tmp_path, silent, {})
    film = catalog_writes._stand_in("composite", work).files["video.mp4"]
    assert len(pictureprint.words(pictureprint.watch(film)))


def test_a_new_stage_has_a_stand_in_and_none_stands_in_for_a_stage_that_is_gone(tmp_path: Path) -> None:
    work = Context(STORES, "r", a_plan(), tmp_path, silent, {})
    assert set(catalog_writes._stand_in("unknown", work).files) == {"unknown.bin"}
    assert set(catalog_writes.MADE) <= set(graph.MADE)
