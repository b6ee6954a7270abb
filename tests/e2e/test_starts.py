"""Several starts of one home at once: one Airflow runs, and each start ends with it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from kit.running_site import surrounded_by

from avatarlab_ops.embedded import control


@pytest.fixture(scope="module", autouse=True)
def _here() -> None:
    """The home is this test's own; the site that other files share is not needed."""


@pytest.mark.slow
def test_several_starts_of_one_home_at_once_end_with_one_airflow(tmp_path: Path) -> None:
    home = tmp_path / ".avatarlab"
    variables = {"AVATARLAB_HOME": str(home), "AVATARLAB_PORT": "0", "AVATARLAB_HOUSEKEEPING": "off"}
    try:
        with surrounded_by(variables), ThreadPoolExecutor(3) as starts:
            states = list(starts.map(lambda _: control.up(home, print), range(3)))
        running = control.running(home)
        assert running is not None
        assert {(state.pid, state.address, state.phase) for state in states} == {
            (running.pid, running.address, "healthy")
        }
        assert httpx.get(f"{running.address}/api/v2/monitor/health").is_success
    finally:
        control.down(home)
