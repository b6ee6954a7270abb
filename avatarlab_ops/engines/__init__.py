"""The registry: which engines exist, what they need, and how to get one.

Reading it loads nothing. `load` imports an engine's module and builds it at its first use, once per process:
a forked child starts with none, because an ONNX session's threads do not survive a fork.
"""

from __future__ import annotations

import importlib
import os
import threading
from typing import Any

from avatarlab_ops.engines import device, weights
from avatarlab_ops.engines.info import EngineInfo
from avatarlab_ops.errors import EngineUnavailable

KINDS = ("speech", "lipsync", "matting")

_REGISTERED = (
    EngineInfo(
        name="hibari",
        kind="speech",
        factory="avatarlab_ops.engines.speech.hibari:Hibari",
        version="1+hibari-tts-0.2.1",
        files=("hibari.onnx",),
        languages=("en-US",),
        voices=("heart",),
        scripts=("Latin",),
        notes="7.9 MB, many times faster than real time on one CPU core; Apache-2.0.",
    ),
    EngineInfo(
        name="small_e",
        kind="speech",
        factory="avatarlab_ops.engines.speech.small_e.engine:small_e",
        version="2",
        files=(
            "small_e.safetensors",
            "bpe256.json",
            "vocos_encodec_24khz.safetensors",
            "encodec_24khz.safetensors",
        ),
        cuda=True,
        languages=("en-US",),
        voices=("drawn",),
        scripts=("Latin",),
        clones=True,
        notes="Clones a voice from a sample, or draws one by the seed; weights CC-BY-NC-SA-4.0.",
    ),
    EngineInfo(
        name="lina",
        kind="speech",
        factory="avatarlab_ops.engines.speech.small_e.engine:lina",
        version="2",
        files=("lina.safetensors", "bpe256.json", "wavtokenizer.safetensors"),
        cuda=True,
        languages=("en-US",),
        voices=("drawn",),
        scripts=("Latin",),
        clones=True,
        notes="Lina-Speech, the successor of Small-E, with one codebook; weights CC-BY-NC-SA-4.0.",
    ),
    EngineInfo(
        name="viseme_warp",
        kind="lipsync",
        factory="avatarlab_ops.engines.lipsync.viseme_warp:VisemeWarp",
        version="2",
        notes="Layered mesh warp driven by visemes; CPU, no weights.",
        defaults={"blinks": True, "head_motion": True},
    ),
    EngineInfo(
        name="diffdub",
        kind="lipsync",
        factory="avatarlab_ops.engines.lipsync.diffdub.engine:from_weights",
        version="2",
        files=("diffdub_stage1.safetensors", "diffdub_stage2.safetensors", "hubert_large.safetensors"),
        pool_slots=2,
        cuda=True,
        prepares=True,
        notes="Diffusion from audio (DiffDub); needs a GPU to be practical; weights for academic use only.",
        defaults={"head_motion": True},
    ),
    EngineInfo(
        name="rvm_onnx",
        kind="matting",
        factory="avatarlab_ops.engines.matting.rvm_onnx:RvmOnnx",
        version="1",
        files=("rvm_mobilenetv3_fp32.onnx",),
        notes="Robust Video Matting, recurrent, hair-level alpha; weights GPL-3.0.",
    ),
    EngineInfo(
        name="rvm",
        kind="matting",
        factory="avatarlab_ops.engines.matting.rvm.engine:official",
        version="1",
        files=("rvm_mobilenetv3_fp32.onnx",),
        cuda=True,
        notes="The same weights in PyTorch: the choice where there is a GPU; weights GPL-3.0.",
    ),
    EngineInfo(
        name="rvm_mobilenetv3",
        kind="matting",
        factory="avatarlab_ops.engines.matting.rvm.engine:mobilenetv3",
        version="1",
        files=("rvm_mobilenetv3.safetensors",),
        cuda=True,
        notes="Robust Video Matting from the published MobileNetV3 checkpoint, once it is added.",
    ),
    EngineInfo(
        name="rvm_resnet50",
        kind="matting",
        factory="avatarlab_ops.engines.matting.rvm.engine:resnet50",
        version="1",
        files=("rvm_resnet50.safetensors",),
        cuda=True,
        notes="The larger network, three times slower, from its published checkpoint, once it is added.",
    ),
    EngineInfo(
        name="selfie",
        kind="matting",
        factory="avatarlab_ops.engines.matting.selfie:Selfie",
        version="1",
        files=("selfie_segmentation.tflite",),
        notes="Fast, no hair detail; weights Apache-2.0.",
    ),
)

ENGINES: dict[tuple[str, str], EngineInfo] = {(engine.kind, engine.name): engine for engine in _REGISTERED}

_loaded: dict[tuple[str, ...], Any] = {}
_lock = threading.Lock()


# A fork waits until no engine is being built, and the child starts without its parent's sessions.
def _after_fork_in_child() -> None:
    _loaded.clear()
    _lock.release()


os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_after_fork_in_child)


def names(kind: str) -> tuple[str, ...]:
    """Names of the installed engines of one kind (speech, lipsync or matting), in registry order."""
    return tuple(engine.name for engine in _REGISTERED if engine.kind == kind)


def info(kind: str, name: str) -> EngineInfo:
    """What is known of one engine without loading it. Raises EngineUnavailable, naming those that exist."""
    if kind not in KINDS:
        raise EngineUnavailable(f"there is no kind of engine {kind!r}; the kinds are {', '.join(KINDS)}")
    try:
        return ENGINES[kind, name]
    except KeyError:
        raise EngineUnavailable(
            f"there is no {kind} engine {name!r}; choose one of: {', '.join(names(kind))}"
        ) from None


def identity(kind: str, name: str) -> dict[str, Any]:
    """What an engine is for a fingerprint: {kind, name, version, weights: {file: sha256}}; nothing is loaded.

    Raises EngineUnavailable when the engine is unknown or a file of it must be added first.
    """
    version, files = version_and_files(kind, name)
    digests = {file: weights.sha256(file) for file in files}
    return {"kind": kind, "name": name, "version": version, "weights": digests}


def version_and_files(kind: str, name: str) -> tuple[str, tuple[str, ...]]:
    """The engine's version and the names of its model files. Raises EngineUnavailable when it is unknown."""
    if kind == "face":  # the one landmarker; it has no alternative to choose from
        return "1", ("face_landmarker_v2.task",)
    known = info(kind, name)
    return known.version, known.files


def load(kind: str, name: str) -> Any:
    """Give the engine itself, built once in a process for each device and for what its weights are.

    Safe from several threads. Raises EngineUnavailable when it is unknown, its code is not installed, or its
    weights are missing or altered.
    """
    engine = info(kind, name)
    digests = tuple(map(weights.sha256, engine.files))
    place = device.current().device.torch if engine.cuda else "cpu"
    key = (kind, name, place, *digests)
    with _lock:
        if key not in _loaded:
            _loaded[key] = _build(engine)
        return _loaded[key]


def _build(engine: EngineInfo) -> Any:
    module, _, attribute = engine.factory.partition(":")
    try:
        factory = getattr(importlib.import_module(module), attribute)
    except ImportError as error:
        raise EngineUnavailable(
            f"the {engine.kind} engine {engine.name!r} cannot be imported ({error}); run `make setup`"
        ) from error
    return factory()
