"""What a parent loads once, so that every task it forks finds it: modules and plain caches.

Nothing here starts a thread or opens a connection, because a child inherits neither: so no onnxruntime and no
torch. Each line is there because it was seen in a profile of task processes.
"""

from __future__ import annotations

import importlib

from avatarlab_ops.graph import STAGES

MODULES = (
    *(f"avatarlab_ops.stages.{stage}" for stage in STAGES),
    "avatarlab_ops.stages.runner",
    "avatarlab_ops.pipeline",
    "avatarlab_ops.engines.speech.assemble",
    "avatarlab_ops.engines.speech.clip",
    "avatarlab_ops.engines.speech.spoken",
    "avatarlab_ops.engines.lipsync.viseme_warp",
    "avatarlab_ops.engines.face",
    "avatarlab_ops.media.probe",
    "ai_edge_litert.interpreter",
    "onnx",
)


def preload() -> None:
    """Import what stages import, and read what every process of theirs would read again."""
    for name in MODULES:
        importlib.import_module(name)
    _caches()


def _caches() -> None:
    from avatarlab_ops import version
    from avatarlab_ops.engines.speech.spoken import lexicon
    from avatarlab_ops.stores import catalog, objects

    lexicon()
    objects.preload()
    catalog.preload()
    version.code_version()
    version.environment()
