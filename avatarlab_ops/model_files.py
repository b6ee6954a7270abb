"""Model files that an operator adds: converted once, kept in the bucket of models, fetched where needed.

    files/<sha256>/<name>             the converted file; its key is its content
    records/<name>/<number>.json      what is known of it; the last one counts, none is ever changed

So who accepted which licence, and when, stays on record. Each worker has a local cache that `ensure` brings
up to the last record; `engines.weights` reads it.
"""

from __future__ import annotations

import getpass
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from avatarlab_ops.canonical import canonical_json
from avatarlab_ops.engines import known, weights
from avatarlab_ops.engines.info import EngineInfo
from avatarlab_ops.engines.published import PUBLISHED, PublishedFile
from avatarlab_ops.engines.weights import Record
from avatarlab_ops.errors import EngineUnavailable, MediaRefused, ModelRefused, ReferenceRefused
from avatarlab_ops.files import replacing, sha256_of
from avatarlab_ops.home import models_folder
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.objects import objects


def add(settings: Settings, source: Path, name: str, *, accept: str | None = None) -> Record:
    """Convert a published file, check it, keep it for every worker, and return its record.

    `accept` names the licence that whoever calls this accepts. The same file again changes nothing but that.
    Raises ModelRefused, then nothing was kept.
    """
    wanted = _published(name)
    if accept not in (None, wanted.licence):
        raise ModelRefused(
            f"{name} is under the licence {wanted.licence}, not {accept}: {wanted.consequence}"
        )
    digest = sha256_of(source)
    if wanted.upstream_sha256 not in (None, digest):
        raise ModelRefused(
            f"{source.name} has sha256 {digest}, but {wanted.upstream} as published at {wanted.source} has "
            f"{wanted.upstream_sha256}; get it again"
        )
    found = latest(settings, name)
    with tempfile.TemporaryDirectory(dir=_folder()) as folder:
        record = _converted(source, digest, wanted, Path(folder))
        record = _licensed(record, found, accept)
        _keep(settings, record, Path(folder) / name)
        _place(record, Path(folder) / name)
    if found is not None and record == replace(found, added_by=record.added_by, added_at=record.added_at):
        record = found
    else:
        _append(settings, record)
    _note(record)
    return record


def _published(name: str) -> PublishedFile:
    file = weights.known(name)
    if not isinstance(file, PublishedFile):
        raise ModelRefused(f"{name} is not added: it arrives in a package with `make setup`")
    return file


def _folder() -> Path:
    folder = models_folder()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _converted(source: Path, digest: str, wanted: PublishedFile, folder: Path) -> Record:
    from avatarlab_ops.engines import checkpoints

    path = folder / wanted.name
    checkpoints.convert(source, wanted.name, path, digest)
    return Record(
        name=wanted.name,
        sha256=sha256_of(path),
        bytes=path.stat().st_size,
        source_file=source.name,
        source_sha256=digest,
        converter=checkpoints.CONVERTER,
        added_by=_caller(),
        added_at=_now(),
        licence=wanted.licence,
    )


def _licensed(record: Record, found: Record | None, accept: str | None) -> Record:
    """Add who accepted the licence: the user recorded with this file before, else the caller by `accept`."""
    if found is not None and found.accepted:
        return replace(record, accepted_by=found.accepted_by, accepted_at=found.accepted_at)
    return replace(record, accepted_by=_caller(), accepted_at=_now()) if accept else record


def _caller() -> str:
    """Login name of the user of this process, or the user's number where it has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def key_of(record: Record) -> str:
    """Key of the converted file in the bucket of models."""
    return f"files/{record.sha256}/{record.name}"


def _keep(settings: Settings, record: Record, path: Path) -> None:
    """Put the file; a copy that is there already but is damaged is replaced."""
    store, bucket, key = objects(settings), settings.bucket_models, key_of(record)
    if store.put_if_absent(bucket, key, path).created:
        return
    try:
        _inspect(settings, record)
    except EngineUnavailable:
        store.delete(bucket, key)
        store.put_if_absent(bucket, key, path)


def _append(settings: Settings, record: Record) -> None:
    store, prefix = objects(settings), f"records/{record.name}/"
    number = len(list(store.keys(settings.bucket_models, prefix)))
    created = False
    while not created:  # another operator may be adding too
        number += 1
        key = f"{prefix}{number:06d}.json"
        created = store.put_if_absent(settings.bucket_models, key, canonical_json(asdict(record))).created


def recorded(settings: Settings) -> Iterator[Record]:
    """Every record in the bucket, of versions that were replaced too."""
    store, bucket = objects(settings), settings.bucket_models
    for key in store.keys(bucket, "records/"):
        yield Record(**json.loads(store.read(bucket, key)))


def latest(settings: Settings, name: str) -> Record | None:
    """The last record in the bucket, None while the file was not added."""
    store = objects(settings)
    keys = list(store.keys(settings.bucket_models, f"records/{name}/"))
    return Record(**json.loads(store.read(settings.bucket_models, keys[-1]))) if keys else None


def ensure(settings: Settings, names: Iterable[str]) -> None:
    """Bring the local cache up to the bucket for the added files among `names`; only what lacks is fetched.

    Raises EngineUnavailable when the bucket's copy is missing or damaged, TransientError when it is away.
    """
    for name in names:
        record = latest(settings, name) if name in PUBLISHED else None
        if record is None:
            continue  # pinned, or not added: `weights` says what to do
        if not record.location.is_file() or weights.verified_digest(record.location) != record.sha256:
            _fetch(settings, record)
        _note(record)


def _fetch(settings: Settings, record: Record) -> None:
    with tempfile.TemporaryDirectory(dir=_folder()) as folder:
        draft = Path(folder) / record.name
        _download(settings, record, draft)
        _place(record, draft)


def _place(record: Record, draft: Path) -> None:
    record.location.parent.mkdir(exist_ok=True)
    draft.replace(record.location)
    weights.forget()


def _download(settings: Settings, record: Record, path: Path) -> None:
    bucket, key = settings.bucket_models, key_of(record)
    try:
        objects(settings).download(bucket, key, path, sha256=record.sha256, max_bytes=record.bytes)
    except (ReferenceRefused, MediaRefused) as error:
        raise EngineUnavailable(
            f"{record.name}: its copy in the bucket is damaged ({error}); add it again: "
            f"`{PUBLISHED[record.name].command}`"
        ) from error


def _note(record: Record) -> None:
    """Write the record beside the file, whole or not at all."""
    path, content = weights.record_path(record.name), canonical_json(asdict(record))
    if path.is_file() and path.read_bytes() == content:
        return
    with replacing(path) as draft:
        draft.write_bytes(content)
    weights.forget()


def _inspect(settings: Settings, record: Record) -> None:
    """Read the bucket's copy. Raises EngineUnavailable when it is missing or damaged."""
    with tempfile.TemporaryDirectory(dir=_folder()) as folder:
        _download(settings, record, Path(folder) / record.name)


@dataclass(frozen=True)
class Standing:
    """How a published file stands: missing, licence not accepted, or added."""

    name: str
    record: Record | None

    @property
    def file(self) -> PublishedFile:
        """What is known of it."""
        return PUBLISHED[self.name]

    @property
    def state(self) -> str:
        """In a few words."""
        if self.record is None:
            return "missing"
        waits = self.file.non_commercial and not self.record.accepted
        return "licence not accepted" if waits else "added"

    @property
    def engines(self) -> tuple[EngineInfo, ...]:
        """Engines that need the file."""
        return tuple(engine for engine in known().engines.values() if self.name in engine.file_names)


def standings(settings: Settings) -> Iterator[Standing]:
    """How every published file stands, by the bucket."""
    for name in PUBLISHED:
        yield Standing(name, latest(settings, name))


def unusable(names: Iterable[str]) -> list[str]:
    """Added files among `names` that no engine may use on this machine now."""
    ours = (Standing(name, weights.added(name)) for name in names if name in PUBLISHED)
    return [standing.name for standing in ours if standing.state != "added"]


def verify(settings: Settings) -> Iterator[tuple[str, str | None]]:
    """Check every model file that is here, giving (name, what is wrong or None), in the bucket and locally.

    A damaged or missing local copy of an added file is fetched again.
    """
    weights.forget()
    for name in (*(file.name for file in weights.all_pinned()), *PUBLISHED):
        record = latest(settings, name) if name in PUBLISHED else None
        if record is None and name in PUBLISHED:
            continue
        try:
            if record is None:
                weights.path(name)
            else:
                _inspect(settings, record)
                ensure(settings, [name])
        except EngineUnavailable as error:
            yield name, str(error)
        else:
            yield name, None
