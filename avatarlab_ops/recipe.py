"""What decides an artifact's content, and the identity that follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from avatarlab_ops.canonical import Json, digest


@dataclass(frozen=True)
class Recipe:
    """One stage with one engine, its parameters and its inputs.

    `engine` is {kind, name, version, weights: {file: sha256}}; `inputs` maps a role to {sha256} of an input
    object or {sha256, fingerprint} of an artifact.
    """

    stage: str
    stage_version: str
    engine: Json | None
    params: Json
    inputs: Mapping[str, Json]

    @property
    def fingerprint(self) -> str:
        """sha256 over stage, code version, engine, weights, parameters and the digests of the inputs."""
        inputs = {role: edge["sha256"] for role, edge in self.inputs.items()}
        parts = {"stage": self.stage, "stage_version": self.stage_version, "engine": self.engine}
        return digest(parts | {"params": self.params, "inputs": inputs})

    @property
    def prefix(self) -> str:
        """Where its objects lie in the artifacts bucket."""
        return f"{self.stage}/{self.fingerprint[:2]}/{self.fingerprint}"

    @property
    def key(self) -> str:
        """The object that makes the artifact exist; it is written last."""
        return f"{self.prefix}/artifact.json"
