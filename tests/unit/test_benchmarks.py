"""Benchmarks that stand in for parts of the pipeline keep up with it."""

from __future__ import annotations

from pathlib import Path

from plans import a_plan

from avatarlab_ops import graph
from avatarlab_ops.progress import silent
from avatarlab_ops.settings import Settings
from avatarlab_ops.stages.context import Context
from benchmarks import catalog_writes


def test_a_new_stage_has_a_stand_in_and_none_stands_in_for_a_stage_that_is_gone(tmp_path: Path) -> None:
    stores = Settings("postgresql://h/d", "mongodb://h/d", "http://h", "key", "secret", tmp_path)
    work = Context(stores, "r", a_plan(), tmp_path, silent, {})
    assert set(catalog_writes._stand_in("unknown", work).files) == {"unknown.bin"}
    assert set(catalog_writes.MADE) <= set(graph.MADE)
