"""Footage, face track and speech to the patches of the mouth."""

from __future__ import annotations

from avatarlab_ops import engines
from avatarlab_ops.engines.face import load_track
from avatarlab_ops.media.streams import write_patches
from avatarlab_ops.stages import prepare, speech
from avatarlab_ops.stages.context import Context, Product
from avatarlab_ops.stages.face import open_avatar


def run(work: Context) -> Product:
    """Repaint the mouth for every frame of the video."""
    plan = work.plan
    engine = engines.load("lipsync", plan.engines.lipsync)
    track = load_track(work.artifact("face", "track.npz"))
    path, fps = work.new("patches.zip"), float(plan.picture.fps)
    preparation = prepare.read(work) if "prepare" in work.artifacts else None
    with open_avatar(work) as footage:
        patches = engine.patches(
            footage,
            track,
            speech.read(work),
            fps=fps,
            seed=plan.seed,
            blinks=plan.motion.blinks,
            head_motion=plan.motion.head,
            preparation=preparation,
            report=work.report,
        )
        frames = write_patches(path, patches, fps)
    return Product({"patches.zip": path}, {"frames": frames})
