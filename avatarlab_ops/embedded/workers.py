"""The Celery workers of one machine: how each is started, and whether each answers."""

from __future__ import annotations

import logging
import re
import socket
from typing import Any

from avatarlab_ops.errors import InputError
from avatarlab_ops.places import QUEUES

ANSWER_S = 1.0  # for a worker to answer; one that does at once is not waited for

log = logging.getLogger("avatarlab.workers")


def names(count: int) -> list[str]:
    """What the supervisor calls the workers."""
    return [f"worker-{number}" for number in range(1, count + 1)]


def words(name: str, folder: str) -> list[str]:
    """Airflow's command for a worker of every queue; `folder` keeps its process id.

    This machine's lease, not the queue, keeps two workers from taking one place of a device.
    Raises InputError for a folder whose name Celery would change.
    """
    pid = f"{folder}/{name}.pid"
    if re.search(r"%\w", pid):  # Celery's placeholders, which cannot be escaped
        raise InputError(f"Celery takes no path with a per cent sign before a letter: move {folder}")
    return [
        "celery", "worker", "--queues", ",".join(QUEUES), "--celery-hostname", _node(name), "--pid", pid,
        "--skip-serve-logs",
    ]  # fmt: skip


def _node(name: str) -> str:
    return f"{name}@{socket.gethostname()}"


def health(broker_url: str, wanted: list[str]) -> dict[str, dict[str, str]]:
    """{worker: {"status": "healthy"}} of those that answer now, in the form of Airflow's health report."""
    from celery import Celery
    from kombu.exceptions import OperationalError
    from redis import RedisError

    # No retries: the caller asks again in two seconds.
    options = {"max_retries": 0, "socket_connect_timeout": ANSWER_S, "socket_timeout": ANSWER_S}
    nodes = {_node(name): name for name in wanted}
    with Celery(broker=broker_url, broker_transport_options=options, set_as_current=False) as app:
        try:
            answers: list[dict[str, Any]] = app.control.ping(
                destination=list(nodes), timeout=ANSWER_S, limit=len(nodes)
            )
        except (OperationalError, RedisError, OSError) as error:
            log.warning("the broker does not answer: %s", error)
            return {}
    return {nodes[node]: {"status": "healthy"} for answer in answers for node in answer if node in nodes}
