"""What someone without credentials gets from ports and sockets that a process and its children listen on."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import httpx
import psutil
import psycopg
import pymongo
import redis
from pymongo.errors import PyMongoError

# Data, assignments and administration, as SeaweedFS's parts and S3 serve them; {object} is an existing one.
PATHS = (
    "/", "/{object}", "/buckets/", "/buckets/{object}", "/1,01637037d6", "/submit", "/status", "/metrics",
    "/dir/assign", "/dir/status", "/dir/lookup?volumeId=1", "/cluster/status", "/vol/grow?count=1",
    "/vol/status", "/col/delete?collection=none", "/api/cluster/status", "/?Action=ListUsers",
)  # fmt: skip
METHODS = ("GET", "PUT", "POST", "DELETE")
# gRPC methods with a request in protobuf's wire format: list services, list /buckets, get a place to write.
CALLS = {
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo": b"\x3a\x00",
    "/filer_pb.SeaweedFiler/ListEntries": b"\x0a\x08/buckets",
    "/master_pb.Seaweed/Assign": b"\x08\x01",
    "/volume_server_pb.VolumeServer/VolumeServerStatus": b"",
}
KEPT_OUT = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED}
WAIT_S = 10.0
NOBODY = 65534


@dataclass(frozen=True)
class Port:
    """A listening TCP port and the program behind it."""

    program: str
    host: str
    number: int


def ports(pid: int) -> list[Port]:
    """Every TCP port that a process or one of its descendants listens on."""
    root = psutil.Process(pid)
    found = set()
    for process in (root, *root.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            for connection in process.net_connections("tcp"):
                if connection.status == psutil.CONN_LISTEN:
                    found.add(Port(process.name(), connection.laddr.ip, connection.laddr.port))
    return sorted(found, key=lambda port: port.number)


def sockets(pid: int) -> list[Path]:
    """Every Unix socket with a path that a process or one of its descendants holds.

    From the kernel's own table: psutil leaves out a path with a space.
    """
    root = psutil.Process(pid)
    held = set()
    for process in (root, *root.children(recursive=True)):
        for descriptor in Path(f"/proc/{process.pid}/fd").glob("*"):
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                held.add(os.readlink(descriptor))
    rows = [line.split(maxsplit=7) for line in Path("/proc/net/unix").read_text().splitlines()]
    found = {Path(row[7]) for row in rows if len(row) == 8 and f"socket:[{row[6]}]" in held}
    return sorted(path for path in found if path.is_socket())


def lets_others_in(path: Path) -> bool:
    """Whether another account may speak to a socket: tried as `nobody` by root, else by its own mode."""
    if os.geteuid() != 0:
        return bool(path.stat().st_mode & 0o077)
    os.seteuid(NOBODY)
    try:
        with socket.socket(socket.AF_UNIX) as caller:
            caller.connect(str(path))
    except PermissionError:
        return False
    else:
        return True
    finally:
        os.seteuid(0)


def obtained(port: Port, an_object: str) -> list[str]:
    """What the port gave or did without credentials, one line each; empty when it refused everything."""
    if port.program == "mongod":
        return list(_from_mongo(port))
    if port.program.startswith("postgres"):
        return list(_from_postgres(port))
    if port.program.startswith("valkey"):
        return list(_from_redis(port))
    return [*_from_http(port, an_object), *_from_grpc(port)]


def _from_http(port: Port, an_object: str) -> Iterator[str]:
    for scheme in ("http", "https"):
        address = f"{scheme}://{port.host}:{port.number}"
        anyone = httpx.Client(base_url=address, verify=False, trust_env=False, timeout=WAIT_S)  # noqa: S501
        with anyone as client:
            for method in METHODS:
                for path in PATHS:
                    asked = path.replace("{object}", an_object if method == "GET" else "inputs/anonymous.txt")
                    with contextlib.suppress(httpx.HTTPError):
                        answer = client.request(method, asked, content=b"" if method == "GET" else b"mine")
                        if answer.is_success and (method != "GET" or answer.content):
                            yield f"{method} {address}{asked}: {answer.status_code} {answer.text[:60]!r}"


def _from_grpc(port: Port) -> Iterator[str]:
    target = f"{port.host}:{port.number}"
    for name, channel in _channels(port, target):
        with channel:
            for method, asked in CALLS.items():
                call = channel.stream_stream(method)
                try:
                    answer = next(call(iter([asked]), timeout=WAIT_S), b"nothing")
                except grpc.RpcError as error:
                    if error.code() not in KEPT_OUT:
                        yield f"{name} {target}{method}: {error.code()} {error.details()}"
                else:
                    yield f"{name} {target}{method}: {answer[:60]!r}"


def _channels(port: Port, target: str) -> Iterator[tuple[str, grpc.Channel]]:
    yield "plain gRPC", grpc.insecure_channel(target)
    with contextlib.suppress(OSError):  # ssl.SSLError is one: no TLS there
        certificate = ssl.get_server_certificate((port.host, port.number), timeout=WAIT_S)
        trusting = grpc.ssl_channel_credentials(root_certificates=certificate.encode())
        yield "gRPC over TLS", grpc.secure_channel(target, trusting)


def _from_redis(port: Port) -> Iterator[str]:
    with redis.Redis(host=port.host, port=port.number, socket_timeout=WAIT_S) as client:
        for words in (("PING",), ("INFO",), ("KEYS", "*"), ("SET", "mine", "1"), ("CONFIG", "GET", "*")):
            with contextlib.suppress(redis.RedisError):
                yield f"Redis {port.number}: {words} {client.execute_command(*words)}"


def _from_mongo(port: Port) -> Iterator[str]:
    with pymongo.MongoClient(port.host, port.number, directConnection=True) as client:
        asked = {
            "databases": client.list_database_names,
            "documents": client["avatarlab"]["manifests"].find_one,
            "a write": lambda: client["avatarlab"]["anonymous"].insert_one({"mine": True}),
            "a user": lambda: client["admin"].command("createUser", "me", pwd="x", roles=["root"]),
        }
        for what, ask in asked.items():
            with contextlib.suppress(PyMongoError):
                yield f"mongod {port.number}: {what} {ask()}"


def _from_postgres(port: Port) -> Iterator[str]:
    for user in ("avatarlab", "postgres", "root"):
        for database in ("postgres", "avatarlab", "airflow"):
            with contextlib.suppress(psycopg.OperationalError):
                psycopg.connect(
                    host=port.host, port=port.number, user=user, dbname=database, password=""
                ).close()
                yield f"PostgreSQL {port.number}: {user} in {database}"
