"""One running Airflow for the session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from running_site import Site, running


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    users = {"AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin,anna:user,vera:viewer"}
    with running(tmp_path_factory.mktemp("site") / ".avatarlab", **users) as found:
        yield found
