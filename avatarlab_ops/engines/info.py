"""What is known of an engine without loading it; imports nothing, so that DAG files stay light."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

SAMPLED_VOICE = "sample"  # what the voice is called where a sample is given


@dataclass(frozen=True)
class EngineInfo:
    """What the registry knows without loading anything."""

    name: str
    kind: str  # speech | lipsync | matting
    factory: str  # "package.module:callable", imported when first used
    version: str  # raised whenever the engine's output may change
    files: tuple[str, ...] = ()  # names in engines.weights, whose sha256 enter the fingerprint
    pool_slots: int = 1  # memory class, in slots of Airflow's pool `gpu` and of the device (engines.device)
    cuda: bool = False  # runs on a GPU where there is one
    languages: tuple[str, ...] = ()
    voices: tuple[str, ...] = ()
    scripts: tuple[str, ...] = ()  # Unicode scripts a speech engine can speak, e.g. "Latin"
    clones: bool = False  # a speech engine that can speak in the voice of a sample
    prepares: bool = False  # a lip-sync engine that keeps something of each avatar (stages.prepare)
    notes: str = ""
    defaults: dict[str, Any] = field(default_factory=dict)
