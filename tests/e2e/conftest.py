"""One running Airflow for all tests here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from kit.running_site import Site, running, surrounded_by


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    users = {"AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin,anna:user,vera:viewer"}
    with running(tmp_path_factory.mktemp("site") / ".avatarlab", **users) as found:
        yield found


@pytest.fixture(scope="module", autouse=True)
def _here(site: Site) -> Iterator[None]:
    """The command line finds the site of its module, and only while the module's tests run."""
    with surrounded_by(site.environment):
        yield
