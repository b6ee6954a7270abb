"""A part of Airflow that neither dies nor goes on."""

from __future__ import annotations

import os
import signal

from kit.eventually import eventually
from kit.running_site import Site

from avatarlab_ops.embedded.supervisor import read_state


def test_a_hung_scheduler_is_seen_and_started_again(site: Site) -> None:
    before = read_state(site.home)
    os.kill(before["sessions"]["scheduler"], signal.SIGSTOP)
    restarts = before["restarts"].get("scheduler")
    assert eventually(lambda: read_state(site.home)["restarts"].get("scheduler") != restarts, end_s=60)
    assert eventually(lambda: read_state(site.home)["phase"] == "healthy")
