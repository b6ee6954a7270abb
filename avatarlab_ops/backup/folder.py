"""The folder of a backup: objects by their digest, and a manifest, written last, that names all the rest.

    manifest.json                  what belongs to the set, each file with bytes and sha256
    parts/records-DIGEST.pgdump    PostgreSQL, in pg_dump's custom format
    parts/COLLECTION-DIGEST.bson   one collection of MongoDB, as mongodump writes it
    parts/objects-DIGEST.jsonl     a line for each object of S3: bucket, key, sha256, bytes
    objects/AB/SHA256              the bytes of those objects, equal ones once
    withdrawals.jsonl              what was taken back, as often as that is written; no part of the set

A folder is taken anew by replacing the manifest, so that it holds a whole set at any moment.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path

from avatarlab_ops.backup.shelf import Shelf
from avatarlab_ops.embedded.process import exclusive
from avatarlab_ops.embedded.server import private_folder, write_private
from avatarlab_ops.errors import InputError
from avatarlab_ops.files import sha256_of

FORMAT = 1
RECORDS, OBJECTS = "records.pgdump", "objects.jsonl"
WITHDRAWALS = "withdrawals.jsonl"  # beside the set, and newer than it may be: withdrawals.py
NOTHING = hashlib.sha256(b"").hexdigest()  # of an empty object, which some servers keep no digest with
DOCUMENTS = ".bson"  # ending of a part that is a collection


@dataclass(frozen=True)
class Part:
    """A file of the set under `parts`."""

    file: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Entry:
    """An object of S3; its bytes are the blob `sha256`."""

    bucket: str
    key: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Manifest:
    """One whole set. `taken_at`: when its records were read, ISO 8601; `catalog`: version of their tables."""

    taken_at: str
    code_version: str
    catalog: str
    objects: int
    object_bytes: int
    parts: dict[str, Part]  # by name: records.pgdump, objects.jsonl, COLLECTION.bson
    format: int = FORMAT


class Folder:
    """A backup's folder; only its owner may read it, as its records hold people's names and secrets."""

    def __init__(self, path: Path) -> None:
        self.path, self._parts = path, path / "parts"
        self._manifest = path / "manifest.json"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Make the folder, and keep other backups out of it for the time of the block."""
        self.claim()
        for folder in (self._parts, self.path / "objects"):
            private_folder(folder)
        with exclusive(self.path / "lock"):
            yield

    def claim(self) -> None:
        """Make the folder, closed to others. Raises InputError for one that holds other things."""
        if self.path.is_dir() and not self._manifest.exists() and self._strangers():
            raise InputError(f"{self.path} holds other files: name an empty folder, or one of a backup")
        private_folder(self.path)

    def _strangers(self) -> set[str]:
        """Whatever is of no backup; beside manifest and withdrawals are their drafts and a lock."""
        names = {found.name for found in self.path.iterdir() if not found.name.startswith(WITHDRAWALS)}
        return names - {"parts", "objects", "lock", "manifest.json.new", "lost+found"}  # the last: a disk's

    @contextmanager
    def kept(self) -> Iterator[Manifest]:
        """The folder's set, which no backup replaces for the time of the block; its disk may be read-only.

        Raises InputError as `read` does.
        """
        self.read()
        with exclusive(self.path / "lock") if os.access(self.path, os.W_OK) else nullcontext():
            yield self.read()

    def blob(self, sha256: str) -> Path:
        """Where the bytes of an object are."""
        return self.path / "objects" / sha256[:2] / sha256

    def has_blob(self, sha256: str, size: int) -> bool:
        """Whether an object of so many bytes is there; its digest is read by `check` alone."""
        blob = self.blob(sha256)
        return blob.is_file() and blob.stat().st_size == size

    def new_blob(self) -> Path:
        """A place for an object's bytes until `keep_blob`; what a killed backup left there is swept."""
        return self.path / "objects" / f"{uuid.uuid4().hex}.draft"

    def keep_blob(self, draft: Path, sha256: str) -> None:
        """Put a draft where its digest says, once its bytes are on disk: a later backup trusts the name."""
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        blob = self.blob(sha256)
        blob.parent.mkdir(mode=0o700, exist_ok=True)
        draft.replace(blob)

    def draft(self, name: str) -> Path:
        """The place of a part that is written anew, until `seal`."""
        path = self._draft(name)
        path.unlink(missing_ok=True)
        return path

    def seal(self, name: str) -> Part:
        """Give a finished draft the name of its content."""
        path = self._draft(name)
        sha256 = sha256_of(path)
        stem, _, ending = name.rpartition(".")
        sealed = path.replace(self._parts / f"{stem}-{sha256[:16]}.{ending}")
        return Part(sealed.name, sha256, sealed.stat().st_size)

    def _draft(self, name: str) -> Path:
        return self._parts / f"{name}.draft"

    def file(self, part: Part) -> Path:
        """Where a part is."""
        return self._parts / part.file

    def entries(self, part: Part) -> Iterator[Entry]:
        """Every object of a set, by its part `objects.jsonl`."""
        with self.file(part).open(encoding="utf-8") as lines:
            for line in lines:
                yield Entry(**json.loads(line))

    def publish(self, manifest: Manifest) -> None:
        """Make this the folder's set, then remove what no longer belongs to it."""
        os.sync()  # everything that the manifest names is on disk before it is
        write_private(self._manifest, json.dumps(asdict(manifest), indent=1))
        self._sweep(manifest)

    def _sweep(self, manifest: Manifest) -> None:
        with Shelf() as kept:
            kept.add(part.file for part in manifest.parts.values())
            kept.add(entry.sha256 for entry in self.entries(manifest.parts[OBJECTS]))
            for found in chain(self._parts.iterdir(), (self.path / "objects").rglob("*")):
                if found.is_file() and found.name not in kept:
                    found.unlink()

    def read(self) -> Manifest:
        """The folder's set. Raises InputError when there is none, or one of a later format."""
        try:
            known = json.loads(self._manifest.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise InputError(
                f"{self.path} holds no finished backup: name the folder that `avatarlab backup` was given, "
                "or let it finish there"
            ) from error
        except ValueError as error:
            raise self._damaged(error) from error
        if isinstance(known, dict) and known.get("format", FORMAT) != FORMAT:
            raise InputError(
                f"{self._manifest} has format {known.get('format')}, not {FORMAT}: restore it with the "
                "version of Avatarlab that wrote it"
            )
        try:
            parts = {name: Part(**part) for name, part in known.pop("parts").items()}
            found = Manifest(**known, parts=parts)
        except (AttributeError, KeyError, TypeError) as error:
            raise self._damaged(f"it is not a manifest ({error})") from error
        if lacking := {RECORDS, OBJECTS} - parts.keys():
            raise self._damaged(f"it names no {', '.join(sorted(lacking))}")
        return found

    def _damaged(self, why: object) -> InputError:
        return InputError(f"{self._manifest} is damaged: {why}; take another backup's folder")

    def check(self, manifest: Manifest) -> None:
        """Read every byte of a set. Raises InputError naming the first file that is not as it was taken."""
        for part in manifest.parts.values():
            check_file(self.file(part), part.sha256)
        with Shelf() as blobs:
            blobs.add(entry.sha256 for entry in self.entries(manifest.parts[OBJECTS]))
            for sha256 in blobs:
                check_file(self.blob(sha256), sha256)


def check_file(path: Path, sha256: str) -> None:
    """Raise InputError unless a file has these bytes."""
    found = sha256_of(path) if path.is_file() else None
    if found != sha256:
        what = f"has sha256 {found}, not {sha256}" if found else "is missing"
        raise InputError(f"the backup is damaged: {path} {what}; nothing was restored. Take another backup")
