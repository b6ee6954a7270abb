"""Modules and caches that a process loads before it forks, so that its children need not load them.

Only what survives a fork: no threads and no connections, hence no onnxruntime and no torch. Each entry was
found in a profile of task processes. The zygote of decoding children (media/foreign) is started once for all.
"""

from __future__ import annotations

import importlib
from contextlib import suppress

from avatarlab_ops import engines, tracing, version
from avatarlab_ops.graph import EVERY
from avatarlab_ops.media import foreign
from avatarlab_ops.reading import detect
from avatarlab_ops.stores import catalog, objects

MODULES = (
    *(f"avatarlab_ops.stages.{stage.name}" for stage in EVERY),
    "avatarlab_ops.stages.runner",
    "avatarlab_ops.pipeline",
    "avatarlab_ops.engines.speech.assemble",
    "avatarlab_ops.engines.speech.clip",
    "avatarlab_ops.engines.speech.spoken",
    "avatarlab_ops.engines.lipsync.viseme_warp",
    "avatarlab_ops.engines.face",
    "avatarlab_ops.media.probe",
    "c2pa",
    "cryptography.x509",
    "ai_edge_litert.interpreter",
    "onnx",
    "openlineage.client.facet_v2",
)
TRACING = ("avatarlab_ops.tracing.sender", "opentelemetry.exporter.otlp.proto.http.trace_exporter")


def preload() -> None:
    """Import the modules that stages use, and fill the caches that every task would fill again."""
    for name in MODULES:
        importlib.import_module(name)
    if tracing.wanted():
        with suppress(ValueError):  # a variable that OpenTelemetry refuses, of which `tracing` tells
            for name in TRACING:
                importlib.import_module(name)
    _caches()
    foreign.warm()


def _caches() -> None:
    from avatarlab_ops.engines.speech.spoken import lexicon

    engines.known()
    lexicon()
    detect.preload()
    objects.preload()
    catalog.preload()
    version.code_version()
    version.environment()
