"""Real API processes, forked from one that has imported everything: there in a moment, killed at any."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from kit.eventually import eventually

from avatarlab_ops.settings import Settings

ROOT = Path(__file__).parents[2]
BEGUN = "CREATE TABLE IF NOT EXISTS begun (run_id text PRIMARY KEY)"  # runs, where there is no Airflow


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Server:
    """One process that serves the plugin's app, `/api/v1` beneath it."""

    parent: subprocess.Popen[str]
    port: int
    pid: int = 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/api/v1"

    def start(self) -> None:
        pipes: tuple[IO[str] | None, IO[str] | None] = (self.parent.stdin, self.parent.stdout)
        assert pipes[0]
        assert pipes[1]
        print(self.port, file=pipes[0], flush=True)
        self.pid = int(pipes[1].readline())
        eventually(self._listens, OSError, end_s=60)

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def _listens(self) -> bool:
        with socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True


@contextmanager
def serving(settings: Settings, count: int, environment: Mapping[str, str]) -> Iterator[list[Server]]:
    """So many processes on these stores; `AIRFLOW__DATABASE__SQL_ALCHEMY_CONN`: with Airflow's database."""
    paths = [str(ROOT), str(ROOT / "plugins"), str(ROOT / "tests")]
    command = [sys.executable, "-m", "kit.api_process"]
    with subprocess.Popen(
        command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
        # What is begun here never ends, so there is room for all.
        env={"AVATARLAB_RENDERS_AT_ONCE": "100000", **environment, "PYTHONPATH": os.pathsep.join(paths)},
    ) as parent:  # fmt: skip
        assert parent.stdin
        print(json.dumps(asdict(settings), default=str), file=parent.stdin, flush=True)
        servers = [Server(parent, free_port()) for _ in range(count)]
        try:
            for server in servers:
                server.start()
            yield servers
        finally:
            os.killpg(parent.pid, signal.SIGKILL)  # the servers, too


def _app(settings: Settings) -> Any:
    """The plugin's app on these stores. A login is stood in for: whoever calls is anna, who may do all."""
    import avatarlab_connections

    avatarlab_connections.settings = lambda: settings
    from avatarlab_web.api.access import Caller, caller
    from avatarlab_web.api.app import api
    from avatarlab_web.app import app

    api.dependency_overrides[caller] = lambda: Caller("anna", lambda _: True)
    if "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN" not in os.environ:
        _without_airflow(settings)
    return app


def _without_airflow(settings: Settings) -> None:
    """A table whose key is a run's id stands in for Airflow's, which has the same constraint."""
    import psycopg
    from avatarlab_web import runs, starting

    def begin(_dag: str, run_id: str, _conf: object, _caller: str) -> None:
        with psycopg.connect(settings.pg_dsn) as db:
            db.execute("INSERT INTO begun VALUES (%s) ON CONFLICT DO NOTHING", [run_id])

    starting.begin = begin
    runs._states = lambda run_ids: dict.fromkeys(run_ids, "running")


def main() -> None:
    """Fork a server for each port that a line of the input names, and tell its process id."""
    import uvicorn

    told = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # Airflow logs to where process ids are told
    said = json.loads(sys.stdin.readline())
    app = _app(Settings(**said | {"home": Path(said["home"])}))
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # whoever is killed is not waited for
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            uvicorn.run(app, host="127.0.0.1", port=int(line), log_level="warning")
            os._exit(0)
        print(pid, file=told, flush=True)


if __name__ == "__main__":
    main()
