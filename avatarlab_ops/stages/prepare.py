"""What a lip-sync engine keeps of an avatar: an artifact of its own, made once, whatever the scripts.

Not a stage of the graph: `lipsync` asks for it, and only for an engine that prepares.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np

from avatarlab_ops import engines
from avatarlab_ops.engines.base import Preparation, PreparingEngine
from avatarlab_ops.engines.face import load_track
from avatarlab_ops.errors import EngineUnavailable
from avatarlab_ops.progress import silent
from avatarlab_ops.recipe import Recipe
from avatarlab_ops.stages import runner
from avatarlab_ops.stages.context import Context, Product
from avatarlab_ops.stages.face import open_avatar

Json = dict[str, Any]
# Raised whenever this file's code may change what is kept; then raise lipsync's in graph.py as well.
VERSION = "1"
FILE = "preparation.npz"


def prepared(work: Context) -> tuple[Preparation | None, Json]:
    """What the engine keeps of the avatar, from the store or made now; what was read, by role.

    (None, {}) for an engine that prepares nothing.
    """
    if not engines.info("lipsync", work.plan.engines.lipsync).prepares:
        return None, {}
    artifact, _, _ = runner.make(
        work.settings,
        work.render_id,
        work.plan,
        _recipe(work),
        artifacts=work.artifacts,
        report=silent,
        wait=work.wait,
    )
    known = replace(work, artifacts={**work.artifacts, "prepare": artifact})
    with np.load(known.artifact("prepare", FILE), allow_pickle=False) as arrays:
        return dict(arrays), {"prepare": {"sha256": artifact.sha256, "fingerprint": artifact.fingerprint}}


def _recipe(work: Context) -> Recipe:
    plan, face = work.plan, work.artifacts["face"]
    inputs = {
        "avatar": {"sha256": plan.avatar.sha256},
        "face": {"sha256": face.sha256, "fingerprint": face.fingerprint},
    }
    engine = engines.identity("lipsync", plan.engines.lipsync)
    return Recipe("prepare", VERSION, engine, plan.footage.model_dump(), inputs)


def run(work: Context) -> Product:
    """Let the engine look at the avatar."""
    name = work.plan.engines.lipsync
    engine = engines.load("lipsync", name)
    if not isinstance(engine, PreparingEngine):
        raise EngineUnavailable(f"the entry of {name} says that it prepares, but it has no method `prepare`")
    track = load_track(work.artifact("face", "track.npz"))
    with open_avatar(work) as footage:
        arrays = engine.prepare(footage, track, report=work.report)
    path = work.new(FILE)
    np.savez(path, **cast(dict[str, Any], arrays))
    return Product({FILE: path}, {"shapes": {name: list(array.shape) for name, array in arrays.items()}})
