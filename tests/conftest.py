"""Fixtures for every test: the real servers, started once a session under a folder of their own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling

from avatarlab_ops.embedded import control, process
from avatarlab_ops.embedded import servers as embedded
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores import documents

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# The same examples each time and no deadline: the gate says the same of the same code on any machine.
settings.load_profile("ci")

SITE = "tests/e2e/"  # its files share one running Airflow
OWN_SITE = ("tests/e2e/test_clock.py", "tests/e2e/test_starts.py")


class OneSiteScheduling(LoadFileScheduling):
    """Whole files to each worker; those that share an Airflow to one, or every worker would start its own."""

    def _split_scope(self, nodeid: str) -> str:
        shares = nodeid.startswith(SITE) and not nodeid.startswith(OWN_SITE)
        return SITE if shares else super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OneSiteScheduling:
    """Take the longest part first, then files in their order."""
    config.option.loadscopereorder = False
    return OneSiteScheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What runs through an Airflow comes first: it takes longest, and mostly waits."""
    items.sort(key=lambda item: not item.nodeid.startswith(SITE))


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


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser; skips where there is none."""
    path = shutil.which("chromium")
    if not path:
        pytest.skip("no Chromium here; `make test` installs it where it may")
    from playwright.sync_api import sync_playwright

    with (
        sync_playwright() as play,
        play.chromium.launch(executable_path=path, args=["--no-sandbox"]) as found,
    ):
        yield found
