"""Write the secrets of docker/compose.yaml, each a file under docker/secrets; those that exist stay."""

from __future__ import annotations

import base64
import secrets
from pathlib import Path

FOLDER = Path(__file__).parent / "secrets"
# Hex needs no escape in addresses and JSON. The folder is closed, its files open to the containers' users.
NAMES = (
    "postgres_password", "mongo_password", "mongo_replica_key", "minio_password", "broker_password",
    "jwt_secret", "api_secret_key", "admin_password",
)  # fmt: skip


def main(folder: Path = FOLDER) -> None:
    """Make the files that are missing."""
    folder.mkdir(mode=0o700, exist_ok=True)
    made = {name: secrets.token_hex(32) for name in NAMES}
    made["fernet_key"] = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    for name, value in made.items():
        path = folder / name
        if not path.exists():
            path.write_text(value)
            path.chmod(0o444)


if __name__ == "__main__":
    main()
