"""What a lip-sync engine keeps of an avatar: made once, whatever the scripts, for an engine that prepares."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from avatarlab_ops import engines
from avatarlab_ops.engines.base import Preparation, PreparingEngine
from avatarlab_ops.engines.face import load_track
from avatarlab_ops.errors import EngineUnavailable
from avatarlab_ops.stages.context import Context
from avatarlab_ops.stages.face import open_avatar
from avatarlab_ops.stores.artifacts import Product

FILE = "preparation.npz"


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


def read(work: Context) -> Preparation:
    """The arrays that the engine kept, by name."""
    with np.load(work.artifact("prepare", FILE), allow_pickle=False) as arrays:
        return dict(arrays)
