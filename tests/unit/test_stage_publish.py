"""What is published where a stage stands between the composite and publication."""

from __future__ import annotations

from pathlib import Path

import pytest
from plans import a_plan

from avatarlab_ops import graph
from avatarlab_ops.progress import silent
from avatarlab_ops.settings import Settings
from avatarlab_ops.stages import publish
from avatarlab_ops.stages.context import Context
from avatarlab_ops.stores.catalog.tables import Artifact


def test_of_two_stages_the_file_of_the_later_one_is_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AVATARLAB_CONTENT_CREDENTIALS", "off")
    monkeypatch.setitem(vars(graph.PUBLISH), "after", ("composite", "upscale"))
    first = Artifact(stage="composite", files={"video.mp4": {"key": "a"}, "poster.jpg": {"key": "b"}})
    later = Artifact(stage="upscale", files={"video.mp4": {"key": "c"}})
    made = {"upscale": later, "composite": first}
    assert graph.shown(made) == {"video.mp4": later, "poster.jpg": first}
    assert publish.published(made) == graph.shown(made)
    stores = Settings("postgresql://h/d", "mongodb://h/d", "http://h", "key", "secret", tmp_path)
    product = publish.run(Context(stores, "r", a_plan(), tmp_path, silent, made))
    assert product.passed == {"video.mp4": {"key": "c"}, "poster.jpg": {"key": "b"}}
