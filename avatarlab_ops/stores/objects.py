"""The object store: any S3 server, by boto3.

Keys never hold `//`, `.` or `..` and no object lies at `dir/`, so that SeaweedFS, MinIO and AWS agree. Each
object carries the sha256 of its bytes as metadata; what is written is written whole or not at all.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import io
import os
import re
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.client import Config
from botocore.exceptions import BotoCoreError, ClientError

from avatarlab_ops.errors import (
    AvatarlabError,
    InvariantBroken,
    MediaRefused,
    ReferenceRefused,
    TransientError,
)
from avatarlab_ops.fields import split_reference
from avatarlab_ops.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ListObjectVersionsOutputTypeDef

CHUNK = 1 << 20  # bytes a read
PROBE = "avatarlab-write-probe"  # key of the object by which a bucket shows that it takes writes
MISSING = {"404", "NoSuchKey", "NoSuchBucket", "NotFound"}
TAKEN = {"412", "PreconditionFailed", "409", "ConditionalRequestConflict"}
_making = threading.Lock()  # a session builds one client at a time
TYPES = {
    ".c2pa": "application/c2pa",
    ".json": "application/json",
    ".jpg": "image/jpeg",
    ".mkv": "video/x-matroska",
    ".mp4": "video/mp4",
    ".npz": "application/octet-stream",
    ".srt": "application/x-subrip",
    ".vtt": "text/vtt",
    ".zip": "application/zip",
    ".wav": "audio/wav",
    ".webm": "video/webm",
    ".png": "image/png",
    ".webp": "image/webp",
    ".mov": "video/quicktime",
}
# Browsers look at the bytes, but run none as a page.
_SHOWN_AS = {"image": "image/jpeg", "video": "video/mp4"}


@dataclass(frozen=True)
class Stored:
    """An object: `sha256` is None for objects that others uploaded without saying it."""

    bucket: str
    key: str
    bytes: int
    etag: str
    sha256: str | None
    created: bool = False  # by the call that returned this

    @property
    def uri(self) -> str:
        """s3:// address."""
        return f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True)
class Listed:
    """An object as a listing shows it."""

    key: str
    bytes: int
    modified_at: datetime


@dataclass(frozen=True)
class Begun:
    """An upload in parts that is neither complete nor aborted."""

    bucket: str
    key: str
    id: str
    at: datetime


@contextmanager
def _mapped(bucket: str, key: str) -> Iterator[None]:
    where = f"s3://{bucket}/{key}"
    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in MISSING or status == 404:
            raise ReferenceRefused(f"{where} does not exist; upload it or correct the reference") from error
        if status >= 500 or code in ("SlowDown", "RequestTimeout", "InternalError"):
            raise TransientError(f"the object store failed at {where}: {code}") from error
        raise InvariantBroken(f"the object store refused {where}: {code} {error}") from error
    except BotoCoreError as error:
        raise TransientError(f"the object store did not answer for {where}: {error}") from error


@functools.cache
def _session() -> boto3.session.Session:
    """The SDK with its description of S3, which takes 0.15 s to read; forked children inherit it."""
    return boto3.session.Session()


def _client(
    endpoint: str,
    access_key: str,
    secret_key: str,
    region: str,
    *,
    patience_s: float | None = None,
) -> S3Client:
    """`patience_s`: how long the one attempt may wait for an answer; None: as work needs it."""
    with _making:
        return _session().client(
            "s3",
            endpoint_url=endpoint,
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
            region_name=region,
            config=Config(
                connect_timeout=patience_s or 5,
                read_timeout=patience_s or 60,
                retries={"mode": "standard", "total_max_attempts": 1 if patience_s else 3},
                s3={"addressing_style": "path"},
                signature_version="s3v4",
                # AWS's newer trailing checksums are unknown to some servers; sha256 is kept as metadata.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )


def answers(settings: Settings, patience_s: float) -> bool:
    """Whether the object store tells within so many seconds that the bucket of inputs is there."""
    client = _client(
        settings.s3_endpoint, settings.s3_access_key, settings.s3_secret_key, settings.s3_region,
        patience_s=patience_s,
    )  # fmt: skip
    try:
        client.head_bucket(Bucket=settings.bucket_inputs)
    except (BotoCoreError, ClientError):
        return False
    finally:
        client.close()
    return True


def preload() -> None:
    """Read what every first client reads; opens no connection."""
    _client("http://127.0.0.1", "none", "none", "us-east-1")


class Objects:
    """One S3 server. Instances may be shared by threads, not across a fork; see `objects`."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.client = _client(
            settings.s3_endpoint, settings.s3_access_key, settings.s3_secret_key, settings.s3_region
        )

    def missing_buckets(self) -> list[str]:
        """The buckets that are not there. Raises TransientError when the store is away."""
        missing = []
        for bucket in self.settings.buckets:
            try:
                with _mapped(bucket, ""):
                    self.client.head_bucket(Bucket=bucket)
            except ReferenceRefused:
                missing.append(bucket)
        return missing

    def ensure_buckets(self) -> None:
        """Create the buckets where they are missing; that of outputs keeps versions."""
        for bucket in self.missing_buckets():
            self._create(bucket)
        versioned = self.settings.bucket_outputs
        with _mapped(versioned, ""):
            if self.client.get_bucket_versioning(Bucket=versioned).get("Status") != "Enabled":
                self.client.put_bucket_versioning(
                    Bucket=versioned, VersioningConfiguration={"Status": "Enabled"}
                )

    def check_writes(self) -> None:
        """Raise TransientError, saying what to do, for a bucket that does not take an object."""
        for bucket in self.settings.buckets:
            try:
                self.put_if_absent(bucket, PROBE, b"may be deleted")
                self.delete(bucket, PROBE)
            except AvatarlabError as error:
                raise TransientError(
                    f"the bucket {bucket} takes no object: {error}. Free disk space of the object store, "
                    f"or let the key in AVATARLAB_S3_ACCESS_KEY read, write, list and delete there"
                ) from error

    def _create(self, bucket: str) -> None:
        try:
            with _mapped(bucket, ""):
                self.client.create_bucket(Bucket=bucket)
        except InvariantBroken as error:
            if "BucketAlready" not in str(error):  # another process was faster
                raise

    def head(self, bucket: str, key: str) -> Stored | None:
        """What is known of an object, None when there is none."""
        try:
            with _mapped(bucket, key):
                found = self.client.head_object(Bucket=bucket, Key=key)
        except ReferenceRefused:
            return None
        etag, sha256 = found["ETag"].strip('"'), found["Metadata"].get("sha256")
        return Stored(bucket, key, found["ContentLength"], etag, sha256)

    def put_if_absent(self, bucket: str, key: str, content: bytes | Path) -> Stored:
        """Store the bytes of a file or a value unless the key is taken (then `created` is False).

        Raises ReferenceRefused for a key that not every server keeps, TransientError when the store is away.
        """
        split_or_refuse(f"s3://{bucket}/{key}")
        return self.put_as_named(bucket, key, content)

    def put_as_named(self, bucket: str, key: str, content: bytes | Path) -> Stored:
        """As `put_if_absent`, under a key that not every server keeps: some write `a//b` as `a/b`."""
        with _opened(content) as body:
            sha256 = hashlib.file_digest(body, "sha256").hexdigest()
            length = body.seek(0, io.SEEK_END)  # file_digest leaves a BytesIO where it was
            body.seek(0)
            return self._put_new(bucket, key, body, sha256, length)

    def _put_new(
        self, bucket: str, key: str, body: io.BytesIO | io.BufferedReader, sha256: str, length: int
    ) -> Stored:
        kind = TYPES.get(Path(key).suffix, "application/octet-stream")
        try:
            with _mapped(bucket, key):
                answer = self.client.put_object(
                    Bucket=bucket, Key=key, Body=body, ContentLength=length, ContentType=kind,
                    Metadata={"sha256": sha256}, IfNoneMatch="*",
                )  # fmt: skip
        except InvariantBroken as error:
            if not isinstance(error.__cause__, ClientError) or _code(error.__cause__) not in TAKEN:
                raise
            found = self.head(bucket, key)
            if found is None:
                raise TransientError(f"s3://{bucket}/{key} was deleted while it was written") from error
            return found
        return Stored(bucket, key, length, answer["ETag"].strip('"'), sha256, created=True)

    def copy(self, source: Stored, bucket: str, key: str) -> Stored:
        """Copy within the server; bytes that are there already are not written again, as another version."""
        there = self.head(bucket, key)
        if there and source.sha256 and (there.sha256, there.bytes) == (source.sha256, source.bytes):
            return there
        with _mapped(source.bucket, source.key):
            self.client.copy_object(
                Bucket=bucket, Key=key, CopySource={"Bucket": source.bucket, "Key": source.key},
                ContentType=TYPES.get(Path(key).suffix, "application/octet-stream"),
                Metadata={"sha256": source.sha256 or ""}, MetadataDirective="REPLACE",
            )  # fmt: skip
        found = self.head(bucket, key)
        if found is None or found.bytes != source.bytes:
            raise TransientError(f"the copy of {source.uri} to s3://{bucket}/{key} did not arrive whole")
        return found

    def download(self, bucket: str, key: str, path: Path, *, sha256: str | None, max_bytes: int) -> str:
        """Stream an object into a new file and return its sha256.

        Raises ReferenceRefused when it is missing or not what `sha256` promises, MediaRefused when
        it is larger than `max_bytes`, TransientError when it was cut short.
        """
        whole, length = hashlib.sha256(), 0
        with _mapped(bucket, key), path.open("xb") as file:
            answer = self.client.get_object(Bucket=bucket, Key=key)
            for chunk in answer["Body"].iter_chunks(CHUNK):
                length += len(chunk)
                if length > max_bytes:
                    raise MediaRefused(
                        f"s3://{bucket}/{key} is larger than {max_bytes:,} bytes; use a smaller file"
                    )
                whole.update(chunk)
                file.write(chunk)
        if length != answer["ContentLength"]:
            raise TransientError(f"s3://{bucket}/{key} ended after {length} bytes")
        found = whole.hexdigest()
        if sha256 is not None and found != sha256:
            raise ReferenceRefused(
                f"s3://{bucket}/{key} has sha256 {found}, expected {sha256}: it was replaced"
            )
        return found

    def read(self, bucket: str, key: str, *, max_bytes: int = 64 << 20) -> bytes:
        """Whole content of a small object."""
        with _mapped(bucket, key):
            content = self.client.get_object(Bucket=bucket, Key=key)["Body"].read(max_bytes + 1)
        if len(content) > max_bytes:
            raise InvariantBroken(f"s3://{bucket}/{key} is larger than {max_bytes:,} bytes")
        return content

    def delete(self, bucket: str, key: str) -> int:
        """Delete an object in every version, and its delete markers; return how many that were, 0 for none.

        A plain DELETE would leave the bytes of a versioned bucket readable by their version id.
        """
        with _mapped(bucket, key):
            found = [
                version
                for page in self._versions(bucket, key)
                for version in (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))
                if version["Key"] == key
            ]
            for version in found:
                self.client.delete_object(Bucket=bucket, Key=key, VersionId=version["VersionId"])
        return len(found)

    def delete_as_named(self, bucket: str, key: str) -> None:
        """A plain DELETE, of what `put_as_named` has put under whichever name the server keeps."""
        with _mapped(bucket, key):
            self.client.delete_object(Bucket=bucket, Key=key)

    def hidden(self, bucket: str, prefix: str = "") -> Iterator[Listed]:
        """Keys that show nothing because a delete marker lies on their versions; bytes are those below it."""
        with _mapped(bucket, prefix):
            for page in self._versions(bucket, prefix):
                for marker in page.get("DeleteMarkers", ()):
                    if marker["IsLatest"]:
                        below = [one for one in page.get("Versions", ()) if one["Key"] == marker["Key"]]
                        size = sum(one["Size"] for one in below)
                        yield Listed(marker["Key"], size, marker["LastModified"])

    def _versions(self, bucket: str, prefix: str) -> Iterable[ListObjectVersionsOutputTypeDef]:
        return self.client.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix)

    def keys(self, bucket: str, prefix: str = "") -> Iterator[str]:
        """Every key that begins with `prefix`, in order."""
        return (found.key for found in self.listed(bucket, prefix))

    def listed(self, bucket: str, prefix: str = "") -> Iterator[Listed]:
        """Every object whose key begins with `prefix`, in order."""
        with _mapped(bucket, prefix):
            for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
                for found in page.get("Contents", []):
                    yield Listed(found["Key"], found["Size"], found["LastModified"])

    def begun(self, bucket: str) -> Iterator[Begun]:
        """Every upload in parts that somebody began there and has not ended."""
        with _mapped(bucket, ""):
            for page in self.client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket):
                for found in page.get("Uploads", []):
                    yield Begun(bucket, found["Key"], found["UploadId"], found["Initiated"])

    def abort(self, begun: Begun) -> None:
        """Drop an upload in parts, and the parts that have arrived."""
        with _mapped(begun.bucket, begun.key):
            self.client.abort_multipart_upload(Bucket=begun.bucket, Key=begun.key, UploadId=begun.id)

    def link(
        self, bucket: str, key: str, *, expires_s: int = 3600, save: bool = False, kind: str | None = None
    ) -> str:
        """Presigned address that anyone may read until it expires; with `save` a browser only saves it.

        A browser shows the object under the type it was stored with, or as `kind` (image or video) where
        others said of what type it is, and saves it under its render's name.
        S3 cannot be asked for `nosniff`: what is written to outputs has a type of its own (`TYPES`).
        """
        name = re.sub(r"[^\w.-]", "_", "-".join(key.split("/")[-2:]), flags=re.ASCII)
        parameters = {
            "Bucket": bucket,
            "Key": key,
            "ResponseContentDisposition": f'{"attachment" if save else "inline"}; filename="{name}"',
        }
        if kind:
            named = TYPES.get(Path(key).suffix.lower(), "")
            parameters["ResponseContentType"] = named if named.startswith(f"{kind}/") else _SHOWN_AS[kind]
        return self.client.generate_presigned_url("get_object", Params=parameters, ExpiresIn=expires_s)

    def put_link(
        self, bucket: str, key: str, *, length: int, kind: str, sha256: str, expires_s: int
    ) -> tuple[str, dict[str, str]]:
        """(presigned address, headers) of one PUT; the store refuses bytes of another length or digest."""
        checksum = base64.b64encode(bytes.fromhex(sha256)).decode()
        headers = {"Content-Type": kind, "x-amz-checksum-sha256": checksum, "x-amz-meta-sha256": sha256}
        parameters = {
            "Bucket": bucket, "Key": key, "ContentLength": length, "ContentType": kind,
            "ChecksumSHA256": checksum, "Metadata": {"sha256": sha256},
        }  # fmt: skip
        address = self.client.generate_presigned_url("put_object", Params=parameters, ExpiresIn=expires_s)
        return address, headers


def split_or_refuse(reference: str) -> tuple[str, str]:
    """(bucket, key) of an s3:// reference. Raises ReferenceRefused."""
    try:
        return split_reference(reference)
    except ValueError as error:
        raise ReferenceRefused(f"{reference!r} {error}") from error


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


@contextmanager
def _opened(content: bytes | Path) -> Iterator[io.BytesIO | io.BufferedReader]:
    if isinstance(content, bytes):
        yield io.BytesIO(content)
    else:
        with content.open("rb") as file:
            yield file


_clients: dict[tuple[int, str], Objects] = {}


def objects(settings: Settings) -> Objects:
    """One client per process and server; a forked child makes its own."""
    key = (os.getpid(), f"{settings.s3_endpoint} {settings.s3_access_key} {settings.bucket_inputs}")
    if key not in _clients:
        _clients[key] = Objects(settings)
    return _clients[key]
