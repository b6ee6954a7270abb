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
    facts = told(track, max(1, round(words.timeline.duration_s * fps)), fps)
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


def told(track: FaceTrack, frames: int, fps: float) -> dict[str, Any]:
    """What is told of the frames that the video shows. Raises FaceRefused where most cannot be repainted.

    Covered mouths are counted where there are any: of other footage the facts are as before these were told
    apart, so the stage's version is too.
    """
    shown = np.array([footage_index(frame, len(track)) for frame in range(frames)])
    without, covered = track.lacking(shown)
    if without + covered > MOST * frames:
        what = [f"no face in {without / fps:.1f}"] if without else []
        what += [f"a covered mouth in {covered / fps:.1f}"] if covered else []
        raise FaceRefused(
            f"The footage shows {' and '.join(what)} of the {frames / fps:.1f} s that the video needs. "
            "Choose a part that shows a face and its mouth with avatar.start_s and avatar.end_s."
        )
    length = f"of {frames / fps:.1f} s: the source stays as it is there."
    notes = [f"No face in {without / fps:.1f} {length}"] if without else []
    notes += [f"The mouth is covered in {covered / fps:.1f} {length}"] if covered else []
    counted = {"frames_with_covered_mouth": covered} if covered else {}
    return {"frames_without_face": without, "warnings": notes} | counted
