"""A running Airflow of its own, quicker to notice a dead worker than the one people use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from kit.running_site import Site, running, surrounded_by


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    home = tmp_path_factory.mktemp("chaos") / ".avatarlab"
    with running(home, AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT="30") as found:
        yield found


@pytest.fixture(scope="module", autouse=True)
def _here(site: Site) -> Iterator[None]:
    """The command line finds the site of its module, and only while the module's tests run."""
    with surrounded_by(site.environment):
        yield
