"""What we store is readable by a client we did not write the store with: the code stays true on MinIO."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from minio import Minio

from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.objects import Objects


def test_the_minio_sdk_reads_what_we_wrote_and_we_read_what_it_wrote(
    servers: Settings, tmp_path: Path
) -> None:
    address = urlsplit(servers.s3_endpoint)
    client = Minio(
        address.netloc,
        access_key=servers.s3_access_key,
        secret_key=servers.s3_secret_key,
        secure=address.scheme == "https",
        region=servers.s3_region,
    )
    theirs = tmp_path / "theirs"
    theirs.write_bytes(b"written by minio")
    objects = Objects(servers)

    objects.put_if_absent(servers.bucket_inputs, "peers/ours.bin", b"written by avatarlab")
    client.fput_object(servers.bucket_inputs, "peers/theirs.bin", str(theirs))

    answer = client.get_object(servers.bucket_inputs, "peers/ours.bin")
    try:
        assert answer.read() == b"written by avatarlab"
    finally:
        answer.close()
        answer.release_conn()
    assert objects.read(servers.bucket_inputs, "peers/theirs.bin") == b"written by minio"
