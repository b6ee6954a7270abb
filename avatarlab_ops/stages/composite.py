"""Everything to one video: footage, patches, matte, background, captions and marked speech, encoded once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from avatarlab_ops import engines
from avatarlab_ops.engines.base import FaceTrack, Patch
from avatarlab_ops.engines.face import load_track
from avatarlab_ops.graph import ONLY
from avatarlab_ops.media import framing, lettering
from avatarlab_ops.media.audio import read_wav_blocks, wav_length, write_wav_blocks
from avatarlab_ops.media.background import Background
from avatarlab_ops.media.captions import Caption, captions, chapters, line_chars_for, to_srt, to_vtt
from avatarlab_ops.media.compose import ComposeReport, OutputSpec, compose, frame_count
from avatarlab_ops.media.geometry import Matrix, contain, cover
from avatarlab_ops.media.streams import AlphaClip, read_alpha, read_patches
from avatarlab_ops.plan import Plan
from avatarlab_ops.stages.context import Context
from avatarlab_ops.stages.face import open_avatar
from avatarlab_ops.stages.measure import lip_sync
from avatarlab_ops.stores.artifacts import Product
from avatarlab_ops.timeline import Timeline

LOOKS = 32  # frames of a clip by which the person is placed


def run(work: Context) -> Product:
    """Compose, write captions beside it, and measure how well the lips follow."""
    shape = work.plan.picture
    video, poster = work.new(f"video.{shape.container}"), work.new("poster.jpg")
    timeline = Timeline.model_validate_json(work.artifact("speech", "timeline.json").read_text())
    shown = captions(timeline, line_chars=line_chars_for(shape.width, shape.height))
    drawn = burned(work.plan, shown)
    with read_patches(work.artifact("lipsync", "patches.zip")) as patches:
        made, warnings = lay(work, patches, marked(work), video=video, poster=poster, captions=drawn)
    files = {video.name: video, "poster.jpg": poster, **_captions(work, shown), **_chapters(work, timeline)}
    facts: dict[str, Any] = {"width": shape.width, "height": shape.height, "fps": shape.fps, **asdict(made)}
    lips = lip_sync(video, timeline, fps=shape.fps)
    return Product(files, facts | lips | {"warnings": [*warnings, *lips.pop("warnings", [])]})


def lay(
    work: Context, patches: Iterable[Patch], speech: Path, *, video: Path, poster: Path,
    captions: Sequence[Caption],
) -> tuple[ComposeReport, list[str]]:  # fmt: skip
    """Lay footage, patches, matte, background and speech together; what was made, and what was noticed."""
    shape = work.plan.picture
    output = OutputSpec(
        shape.width, shape.height, shape.fps,
        container=shape.container, ai_label=shape.ai_label, language=work.plan.language,
    )  # fmt: skip
    track = load_track(work.artifact("face", "track.npz"))
    with ExitStack() as stack:
        footage = stack.enter_context(open_avatar(work))
        background = _background(work)
        matte = None
        if background.needs_matte:
            matte = stack.enter_context(read_alpha(work.artifact("matte", "alpha.mkv")))
        fit = _fit(work.plan, track, matte, frame_count(speech, shape.fps))
        made = compose(
            footage, patches, matte=matte, background=background, speech=speech, output=output,
            out_path=video, captions=captions, fit=fit, poster_path=poster, report=work.report,
            own_matte=bool(work.plan.avatar.own_alpha),
        )  # fmt: skip
    return made, _note_on_size(work.plan, track, fit)


def burned(plan: Plan, shown: Sequence[Caption]) -> Sequence[Caption]:
    """What is drawn into the picture. Raises RequestInvalid for letters that no font here has.

    Admission refuses those of a script; what was recognised in a narration is known only now.
    """
    if plan.captions != "burned":
        return ()
    lettering.check("\n".join(one.text for one in shown))
    return shown


def marked(work: Context) -> Path:
    """The speech with its watermark."""
    speech, path = work.artifact("speech", "speech.wav"), work.new("marked.wav")
    blocks, (_, rate) = read_wav_blocks(speech), wav_length(speech)
    write_wav_blocks(path, engines.load("watermark", ONLY["watermark"]).marked(blocks, rate), rate)
    return path


def _fit(plan: Plan, track: FaceTrack, matte: AlphaClip | None, frames: int) -> Matrix:
    """Where footage pixels land in the picture, for all `frames` of the video alike."""
    source, size = (track.width, track.height), (plan.picture.width, plan.picture.height)
    if plan.picture.fit == "contain":
        return contain(source, size)
    if plan.picture.fit == "cover" or matte is None:
        return cover(source, size, _centre(track, frames))
    shown = np.flatnonzero(track.present[:frames])
    looked_at = shown[:: max(1, len(shown) // LOOKS)]
    seen = framing.subject((matte[int(i)] for i in looked_at), track.landmarks[looked_at])
    return framing.place(seen, size, sharp=framing.SHARP * plan.avatar.width / track.width)


def _note_on_size(plan: Plan, track: FaceTrack, fit: Matrix) -> list[str]:
    """A warning for an avatar that is shown much larger than it is."""
    enlarged = float(fit[0, 0]) * track.width / plan.avatar.width
    if enlarged <= framing.SHARP:
        return []
    width, height = (round(side * enlarged) for side in (plan.avatar.width, plan.avatar.height))
    return [
        f"The avatar of {plan.avatar.width}x{plan.avatar.height} pixels is shown {enlarged:.1f} times as "
        f"large and looks soft; one of {width}x{height} pixels would be sharp."
    ]


def _centre(track: FaceTrack, frames: int) -> tuple[float, float]:
    """Middle of the face, in pixels of the footage, over what so many frames of video show."""
    shown, present = track.landmarks[:frames], track.present[:frames]
    x, y = np.median((shown[present] if present.any() else shown)[..., :2].mean(axis=1), axis=0)
    return float(x), float(y)


def _background(work: Context) -> Background:
    behind = work.plan.backdrop
    if behind is None:
        return Background.of(work.plan.background, None, None)
    return Background.of(work.plan.background, work.source(behind), (behind.width, behind.height))


def _chapters(work: Context, timeline: Timeline) -> dict[str, Path]:
    if not work.plan.chapters:
        return {}
    path = work.new("chapters.vtt")
    path.write_text(to_vtt(chapters(timeline, work.plan.chapters)), encoding="utf-8")
    return {path.name: path}


def _captions(work: Context, shown: list[Caption]) -> dict[str, Path]:
    if work.plan.captions == "none":
        return {}
    srt, vtt = work.new("captions.srt"), work.new("captions.vtt")
    srt.write_text(to_srt(shown), encoding="utf-8")
    vtt.write_text(to_vtt(shown), encoding="utf-8")
    return {"captions.srt": srt, "captions.vtt": vtt}
