"""Footage to the track of its leading face."""

from __future__ import annotations

from avatarlab_ops import engines
from avatarlab_ops.engines.face import save_track
from avatarlab_ops.graph import ONLY
from avatarlab_ops.media import foreign
from avatarlab_ops.media.footage import Footage
from avatarlab_ops.stages.context import Context
from avatarlab_ops.stores.artifacts import Product


def open_avatar(work: Context) -> Footage:
    """The avatar's frames as every stage reads them."""
    spec = work.plan.footage
    path = work.source(work.plan.avatar)
    return foreign.open_footage(path, fps=spec.fps, max_short_side_px=spec.max_short_side_px, part=spec.part)


def open_own_matte(work: Context) -> Footage | None:
    """The avatar's own alpha channel, frame by frame; None where it has none that cuts something out.

    Of a clip the probe said so: a part of it may look otherwise.
    """
    if work.plan.avatar.own_alpha is False:
        return None
    spec = work.plan.footage
    path = work.source(work.plan.avatar)
    return foreign.open_matte(path, fps=spec.fps, max_short_side_px=spec.max_short_side_px, part=spec.part)


def run(work: Context) -> Product:
    """Follow the face through the whole clip."""
    with open_avatar(work) as footage:
        track = engines.load("face", ONLY["face"]).track(
            footage.iter(), fps=work.plan.footage.fps, width=footage.width, height=footage.height,
            report=lambda done, _, unit: work.report(done, len(footage), unit),
        )  # fmt: skip
    path = work.new("track.npz")
    save_track(path, track)
    without, covered = track.lacking()
    facts = {
        "frames": len(track),
        "frames_without_face": without,
        "frames_with_covered_mouth": covered,
        "width": track.width,
        "height": track.height,
        "warnings": list(track.notes),
    }
    return Product({"track.npz": path}, facts)
