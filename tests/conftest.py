"""Fixtures for every test: the real servers, started once a session under a folder of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from avatarlab_ops.embedded import servers as embedded
from avatarlab_ops.settings import Settings


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
