"""Footage, face track and speech to the patches of the mouth."""

from __future__ import annotations

from typing import Any

import numpy as np

from avatarlab_ops import engines
from avatarlab_ops.engines.base import FaceTrack, footage_index
from avatarlab_ops.engines.face import load_track
from avatarlab_ops.errors import FaceRefused
from avatarlab_ops.media.streams import write_patches
from avatarlab_ops.stages import prepare, speech
from avatarlab_ops.stages.context import Context
from avatarlab_ops.stages.face import open_avatar
from avatarlab_ops.stores.artifacts import Product

MOST = 0.5  # of a video may be without a face


def run(work: Context) -> Product:
    """Repaint the mouth for every frame of the video."""
    plan = work.plan
    engine = engines.load("lipsync", plan.engines.lipsync)
    track = load_track(work.artifact("face", "track.npz"))
    path, fps = work.new("patches.zip"), float(plan.picture.fps)
    preparation = prepare.read(work) if "prepare" in work.artifacts else None
    words = speech.read(work)
    facts = _shown(track, max(1, round(words.timeline.duration_s * fps)), fps)
    with open_avatar(work) as footage:
        patches = engine.patches(
            footage,
            track,
            words,
            fps=fps,
            seed=plan.seed,
            blinks=plan.motion.blinks,
            head_motion=plan.motion.head,
            preparation=preparation,
            report=work.report,
        )
        frames = write_patches(path, patches, fps)
    return Product({"patches.zip": path}, {"frames": frames} | facts)


def _shown(track: FaceTrack, frames: int, fps: float) -> dict[str, Any]:
    """What is told of the frames that the video shows. Raises FaceRefused when most are without a face."""
    shown = np.array([footage_index(frame, len(track)) for frame in range(frames)])
    without = int((~track.present[shown]).sum())
    if without > MOST * frames:
        raise FaceRefused(
            f"The footage shows no face in {without / fps:.1f} of the {frames / fps:.1f} s that the video "
            "needs. Choose a part that does with avatar.start_s and avatar.end_s."
        )
    note = f"No face in {without / fps:.1f} of {frames / fps:.1f} s: the source stays as it is there."
    return {"frames_without_face": without, "warnings": [note] if without else []}
