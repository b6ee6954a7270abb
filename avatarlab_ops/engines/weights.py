"""Model files: where each one lies, what it must hash to, and what its licence asks.

Nothing is downloaded at run time. A file is either pinned and arrives inside a package (`pinned.py`), or it
is made from a published checkpoint that an operator adds (`published.py`), and a record says what it is.
Which files there are, the engines' entries say.

    weights.path("hibari.onnx")                     the file itself, verified
    weights.tensors("diffdub_stage1.safetensors")   its tensors by the network's keys, memory-mapped
    weights.sha256(name)                            what enters a fingerprint
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from avatarlab_ops.engines import registry
from avatarlab_ops.engines.pinned import PinnedFile
from avatarlab_ops.engines.published import PUBLISHED, PublishedFile
from avatarlab_ops.errors import EngineUnavailable
from avatarlab_ops.files import sha256_of
from avatarlab_ops.home import models_folder

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Record:
    """What is known of an added file: kept as JSON beside it, and in the bucket of models.

    `source_*` name the published file that it was made from. The licence was accepted if `accepted_by` says
    who did; times are ISO 8601, UTC.
    """

    name: str
    sha256: str
    bytes: int
    source_file: str
    source_sha256: str
    converter: str
    added_by: str
    added_at: str
    licence: str
    accepted_by: str | None = None
    accepted_at: str | None = None

    @property
    def accepted(self) -> bool:
        """Whether somebody accepted the licence that is asked for now."""
        return self.accepted_by is not None and self.licence == PUBLISHED[self.name].licence

    @property
    def location(self) -> Path:
        """Where the file lies in the local cache; the digest is part of it, so versions never mix."""
        return models_folder() / self.sha256 / self.name


def known(name: str) -> PinnedFile | PublishedFile:
    """Look up what is known of one model file. Raises EngineUnavailable, naming those that are known."""
    files = registry.known().files
    found = files.get(name)
    if found is None:
        names = ", ".join(files)
        raise EngineUnavailable(f"no model file {name!r} is known; known: {names}")
    return found


def pinned(name: str) -> PinnedFile:
    """Look up one file that is pinned. Raises EngineUnavailable, naming those that are known."""
    found = known(name)
    if not isinstance(found, PinnedFile):
        raise EngineUnavailable(f"{name} is not pinned: it is added by `{found.command}`")
    return found


def all_pinned() -> tuple[PinnedFile, ...]:
    """Every pinned file of the installed engines."""
    return tuple(file for file in registry.known().files.values() if isinstance(file, PinnedFile))


@functools.cache
def record(name: str) -> Record:
    """The record of an added file; the process keeps the first one it saw until `forget`.

    Raises EngineUnavailable, with what to do, while the file was not added or its licence not accepted.
    """
    wanted, found = PUBLISHED[name], added(name)
    if found is None:
        raise EngineUnavailable(
            f"{name} is missing: it is made from {wanted.upstream}, published at {wanted.source}. Get that "
            f"file and run `{wanted.command}` (licence {wanted.licence}: {wanted.consequence})"
        )
    if wanted.non_commercial and not found.accepted:
        raise EngineUnavailable(
            f"{name} may not be used yet: nobody accepted its licence {wanted.licence} "
            f"({wanted.consequence}). Whoever may do so runs `{wanted.command}`"
        )
    return found


def added(name: str) -> Record | None:
    """The record in the local cache as it is now, licence accepted or not; None when there is none."""
    path = record_path(name)
    try:
        return Record(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise EngineUnavailable(
            f"{name}: its record {path} is damaged ({error}); remove that file, it is fetched again"
        ) from error


def record_path(name: str) -> Path:
    """Where the record of an added file lies in the local cache."""
    return models_folder() / f"{name}.record"


def forget() -> None:
    """Look again: records and files may have changed."""
    record.cache_clear()
    verified_digest.cache_clear()


def sha256(name: str) -> str:
    """Hex digest of one model file, without reading the file: what enters a fingerprint.

    Raises EngineUnavailable like `record` for a file that must be added first.
    """
    wanted = known(name)
    return wanted.sha256 if isinstance(wanted, PinnedFile) else record(name).sha256


def path(name: str) -> Path:
    """Where the file lies, its content verified at the first call of the process.

    Raises EngineUnavailable when the package or the file is missing, its bytes are not the pinned or recorded
    ones, or its licence was not accepted.
    """
    wanted = known(name)
    if isinstance(wanted, PinnedFile):
        location, again = _locate(wanted), _reinstall(wanted)
    else:
        location, again = record(name).location, "run `avatarlab models verify`, which fetches it again"
    if not location.is_file():
        raise EngineUnavailable(f"{name}: there is no file {location}; {again}")
    found, expected = verified_digest(location), sha256(name)
    if found != expected:
        raise EngineUnavailable(f"{name}: {location} has sha256 {found}, not {expected}; {again}")
    return location


def tensors(name: str) -> dict[str, Tensor]:
    """Tensors of a safetensors file by the keys of the network they belong to, on the CPU.

    They are memory-mapped: pages are read when they are used. Raises EngineUnavailable like `path`.
    """
    from safetensors.torch import load_file

    return load_file(path(name))


@functools.cache
def verified_digest(location: Path) -> str:
    """Hex sha256 of a model file, read once in a process until `forget`."""
    return sha256_of(location)


def _locate(wanted: PinnedFile) -> Path:
    try:
        distribution = metadata.distribution(wanted.package)
    except metadata.PackageNotFoundError:
        raise EngineUnavailable(
            f"{wanted.name}: the package that carries it is not installed; {_reinstall(wanted)}"
        ) from None
    return Path(str(distribution.locate_file(wanted.relative)))


def _reinstall(wanted: PinnedFile) -> str:
    return f"reinstall {wanted.package}=={wanted.version} (`make setup` does, for what the lock names)"
