"""Which engines are installed: every entry of the entry points `avatarlab.engines`, our own package's first.

A package that is broken, or takes a name that is taken, adds nothing and disturbs nobody: why is kept in
`problems`, which `avatarlab doctor` and `avatarlab models list` tell.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import metadata
from typing import get_args

from avatarlab_ops import language_tags
from avatarlab_ops.engines.info import EngineInfo, Kind, ModelFile, SpeechInfo
from avatarlab_ops.engines.published import PublishedFile

GROUP = "avatarlab.engines"
OWN = "avatarlab"
KINDS: tuple[Kind, ...] = get_args(Kind)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")  # as a request may name it


@dataclass(frozen=True)
class Problem:
    """Why something that a package offers is not taken, and what to do."""

    package: str
    reason: str


@dataclass(frozen=True)
class Registry:
    """Entries by (kind, name), their model files by name, and the package (name, version) of each entry."""

    engines: dict[tuple[str, str], EngineInfo] = field(default_factory=dict)
    files: dict[str, ModelFile] = field(default_factory=dict)
    packages: dict[tuple[str, str], str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


@functools.cache
def known() -> Registry:
    """What is installed, read once in a process; some 30 ms of processor time the first time."""
    found = Registry()
    for point in sorted(metadata.entry_points(group=GROUP), key=_rank):
        _take(found, point)
    return found


def _rank(point: metadata.EntryPoint) -> tuple[bool, str, str]:
    return _package(point) != OWN, _package(point), point.name


def _package(point: metadata.EntryPoint) -> str:
    return point.dist.name if point.dist else "?"


def _take(found: Registry, point: metadata.EntryPoint) -> None:
    """Add what one entry point names, or the problem with it."""
    package = f"{_package(point)} {point.dist.version if point.dist else '?'}"
    try:
        offered = point.load()
    except Exception as error:  # noqa: BLE001 - code of others, which may fail in any way
        told = f"{point.value} cannot be loaded ({type(error).__name__}: {error})"
        found.problems.append(Problem(package, f"{told}; mend the package or remove it"))
        return
    for info in offered if isinstance(offered, tuple) else (offered,):
        if objection := next(_objections(found, info, own=_package(point) == OWN), None):
            found.problems.append(Problem(package, objection))
            continue
        found.engines[info.kind, info.name] = info
        found.packages[info.kind, info.name] = package
        found.files.update({file.name: file for file in info.files})


def _objections(found: Registry, info: object, *, own: bool) -> Iterator[str]:
    """What speaks against an entry."""
    if not isinstance(info, EngineInfo) or getattr(info, "kind", None) not in KINDS:
        yield f"{info!r} is not an entry: SpeechInfo, FaceInfo, MattingInfo, LipsyncInfo, or a tuple of them"
        return
    what = f"the {info.kind} engine {info.name!r}"
    if not _NAME.fullmatch(info.name):
        yield f"{what}: a name has up to 64 letters, digits and _ . - and begins with a letter or digit"
    if (info.kind, info.name) in found.engines:
        yield f"{what} is there already, from {found.packages[info.kind, info.name]}; remove one package"
    if isinstance(info, SpeechInfo) and not (info.languages and info.voices and info.scripts):
        yield f"{what} names no language, no voice or no script; it needs one of each"
    if isinstance(info, SpeechInfo) and not all(map(info.voices_of, info.languages)):
        yield f"{what} has a language that none of its voices speaks; name one or leave the language out"
    for tag in info.languages if isinstance(info, SpeechInfo) else ():
        if language_tags.normal(tag) != tag:
            usual = language_tags.normal(tag) or "es or pt-BR"
            yield f"{what} has the language {tag!r}; write a BCP 47 tag as it is usual: {usual}"
    for file in info.files:
        if found.files.get(file.name, file) != file:
            yield f"{what}: another engine has another model file called {file.name}; rename it"
        if isinstance(file, PublishedFile) and not own:
            yield f"{what}: {file.name} must be a PinnedFile, which its package brings"
