"""A running Airflow: supervisor, stores, four parts, exactly as `avatarlab up` starts them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from kit.eventually import eventually

from avatarlab_ops.cli.client import AirflowClient
from avatarlab_ops.embedded import control
from avatarlab_ops.errors import InputError
from avatarlab_ops.places import OVER, RENDER_DAG
from avatarlab_ops.renders import status
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.objects import objects

ROOT = Path(__file__).parents[2]
AVATAR = "s3://inputs/e2e/astronaut.png"


@dataclass
class Site:
    """The running Airflow as a test uses it."""

    home: Path
    address: str
    client: AirflowClient
    settings: Settings
    environment: dict[str, str]  # under which the command line finds it

    def password(self, name: str) -> str:
        """Of one of its users."""
        return str(json.loads((self.home / "airflow" / "passwords.json").read_text())[name])

    def submit(self, data: dict[str, Any]) -> str:
        """Order a render, and return its run's id once Airflow has begun it."""
        run_id = str(self.client.order(data)["run_id"])
        eventually(lambda: self.client.run(run_id), InputError)
        return run_id

    def finish(self, run_id: str, dag: str = RENDER_DAG) -> str:
        """Wait for a run's end and return its state."""
        while (state := str(self.client.run(run_id, dag)["state"])) not in OVER:
            time.sleep(0.3)
        return state

    def status(self, run_id: str) -> status.RenderStatus:
        render_id = self.client.xcom(run_id, "admit", "render_id")
        assert render_id, f"{run_id} was not accepted: {self.client.xcom(run_id, 'admit', 'refusal')}"
        return status.of(self.settings, render_id)


def request(**changes: Any) -> dict[str, Any]:
    """A short, small request."""
    base: dict[str, Any] = {
        "script": "Hello there.",
        "avatar": {"uri": AVATAR},
        "output": {"resolution": "360p", "fps": 24},
    }
    return base | changes


def avatarlab(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user does."""
    command = [sys.executable, "-m", "avatarlab_ops.cli", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ, timeout=300)


@contextmanager
def running(home: Path, workers: int | None = None, **environment: str) -> Iterator[Site]:
    """Start everything under `home` with these environment variables; stopped at the end.

    `workers`: how many Celery workers run the tasks; None: as at the last start, at first none.
    """
    variables = {"AVATARLAB_HOME": str(home), "AVATARLAB_PORT": "0", "AVATARLAB_HOUSEKEEPING": "off"}
    variables |= environment
    try:
        with surrounded_by(variables):
            state = control.up(home, print, workers)
            settings = Settings.from_env()
        objects(settings).put_if_absent("inputs", "e2e/astronaut.png", ROOT / "demo" / "astronaut.png")
        with AirflowClient.from_home(home) as client:
            yield Site(home, state.address, client, settings, variables)
    finally:
        control.down(home)


@contextmanager
def surrounded_by(variables: dict[str, str]) -> Iterator[None]:
    """These environment variables are set, and are as they were before at the end."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        yield
