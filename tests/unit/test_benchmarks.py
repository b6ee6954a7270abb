"""Benchmarks that stand in for parts of the pipeline keep up with it."""

from __future__ import annotations

from avatarlab_ops import graph
from benchmarks import catalog_writes


def test_every_task_that_makes_an_artifact_has_its_stand_in() -> None:
    assert set(catalog_writes.MADE) == {one for one in graph.MADE if graph.BY_NAME[one].within is None}
