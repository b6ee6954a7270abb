"""Fixtures for every test: the real servers, started once a session under a folder of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from avatarlab_ops.embedded import control, process
from avatarlab_ops.embedded import servers as embedded
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores import documents


@pytest.fixture(scope="session", autouse=True)
def _let_go() -> Iterator[None]:
    """Last of all: what a process keeps until its end would be warned about in the middle of its end."""
    yield
    for store in documents._stores.values():
        store.close()
    for child in (*process._children, *control._started):
        child.wait(timeout=30)


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings of running PostgreSQL, MongoDB and S3; what AVATARLAB_* variables configure is used as it is.

    Tests share them: take databases, schemas or key prefixes of your own, and stop no server here.
    """
    home: Path = tmp_path_factory.mktemp("servers") / ".avatarlab"
    try:
        yield embedded.ensure(home)
    finally:
        embedded.stop(home)
