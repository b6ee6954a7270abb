"""The engines: which are installed, what they need, and how to get one.

Reading their entries loads nothing. `load` imports an engine's module and builds it at its first use, once
per process: a forked child starts with none, because an ONNX session's threads do not survive a fork.
"""

from __future__ import annotations

import importlib
import os
import threading
from typing import TYPE_CHECKING, Any, Literal, overload

from avatarlab_ops import tracing
from avatarlab_ops.engines import device, weights
from avatarlab_ops.engines.info import (
    EngineInfo,
    FaceInfo,
    LipsyncInfo,
    MattingInfo,
    RecogniserInfo,
    SpeechInfo,
    WatermarkInfo,
)
from avatarlab_ops.engines.registry import KINDS, known
from avatarlab_ops.errors import EngineUnavailable

if TYPE_CHECKING:
    from avatarlab_ops.engines.base import (
        FaceEngine,
        LipsyncEngine,
        MattingEngine,
        RecogniserEngine,
        SpeechEngine,
        WatermarkEngine,
    )

__all__ = ["KINDS", "identity", "info", "known", "load", "names"]

_loaded: dict[tuple[str, ...], object] = {}
_lock = threading.Lock()
# Engines of the process that this one was forked from: destroying them would join threads that do not exist
# after a fork.
_parents: list[object] = []


# A fork waits until no engine is being built, and the child starts without its parent's sessions.
def _after_fork_in_child() -> None:
    _parents.extend(_loaded.values())
    _loaded.clear()
    _lock.release()


os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_after_fork_in_child)


def names(kind: str) -> tuple[str, ...]:
    """Names of the installed engines of one kind, our own first."""
    return tuple(name for of, name in known().engines if of == kind)


@overload
def info(kind: Literal["speech"], name: str) -> SpeechInfo: ...
@overload
def info(kind: Literal["face"], name: str) -> FaceInfo: ...
@overload
def info(kind: Literal["matting"], name: str) -> MattingInfo: ...
@overload
def info(kind: Literal["lipsync"], name: str) -> LipsyncInfo: ...
@overload
def info(kind: Literal["watermark"], name: str) -> WatermarkInfo: ...
@overload
def info(kind: Literal["recogniser"], name: str) -> RecogniserInfo: ...
@overload
def info(kind: str, name: str) -> EngineInfo: ...
def info(kind: str, name: str) -> EngineInfo:
    """What is known of one engine without loading it. Raises EngineUnavailable, naming those that exist."""
    if kind not in KINDS:
        raise EngineUnavailable(f"there is no kind of engine {kind!r}; the kinds are {', '.join(KINDS)}")
    try:
        return known().engines[kind, name]
    except KeyError:
        raise EngineUnavailable(
            f"there is no {kind} engine {name!r}; choose one of: {', '.join(names(kind)) or 'none installed'}"
        ) from None


def identity(kind: str, name: str) -> dict[str, Any]:
    """What an engine is for a fingerprint: {kind, name, version, weights: {file: sha256}}; nothing is loaded.

    Raises EngineUnavailable when the engine is unknown or a file of it must be added first.
    """
    engine = info(kind, name)
    digests = {file: weights.sha256(file) for file in engine.file_names}
    return {"kind": kind, "name": name, "version": engine.version, "weights": digests}


@overload
def load(kind: Literal["speech"], name: str) -> SpeechEngine: ...
@overload
def load(kind: Literal["face"], name: str) -> FaceEngine: ...
@overload
def load(kind: Literal["matting"], name: str) -> MattingEngine: ...
@overload
def load(kind: Literal["lipsync"], name: str) -> LipsyncEngine: ...
@overload
def load(kind: Literal["watermark"], name: str) -> WatermarkEngine: ...
@overload
def load(kind: Literal["recogniser"], name: str) -> RecogniserEngine: ...
@overload
def load(kind: str, name: str) -> object: ...
def load(kind: str, name: str) -> object:
    """Give the engine itself, built once in a process for each device and for what its weights are.

    What was built on another GPU is let go: this process holds no slots there any more. Safe from several
    threads. Raises EngineUnavailable when it is unknown, its code is not installed or is no engine of its
    kind, or its weights are missing or altered.
    """
    engine = info(kind, name)
    digests = tuple(map(weights.sha256, engine.file_names))
    place = device.current().device.torch if engine.cuda else "cpu"
    key = (kind, name, place, *digests)
    with _lock:
        if place != "cpu":
            _leave_gpus_but(place)
        if key not in _loaded:
            with tracing.span("load engine", engine=f"{kind}/{name}", device=place):
                _loaded[key] = _build(engine)
        return _loaded[key]


def _leave_gpus_but(place: str) -> None:
    others = [key for key in _loaded if key[2] not in ("cpu", place)]
    for key in others:
        del _loaded[key]
    if others:
        device.give_back()


def _build(engine: EngineInfo) -> object:
    from avatarlab_ops.engines import base  # brings NumPy

    module, _, attribute = engine.factory.partition(":")
    try:
        factory = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise EngineUnavailable(
            f"the {engine.kind} engine {engine.name!r} cannot be imported ({error}); run `make setup`, or "
            f"reinstall {known().packages.get((engine.kind, engine.name), 'its package')}"
        ) from error
    built: object = factory()
    if not isinstance(built, base.PROTOCOLS[engine.kind]):
        raise EngineUnavailable(
            f"{engine.factory} gives {type(built).__name__}, which is no {engine.kind} engine: "
            f"it lacks what {base.PROTOCOLS[engine.kind].__name__} in avatarlab_ops/engines/base.py asks for"
        )
    return built
