"""What admission sees of an avatar: the size of its face, and from when on it is there."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from avatarlab_ops.engines.face import FaceCheck, Landmarker, look_at
from avatarlab_ops.engines.face.admission import MIN_FACE_PX
from avatarlab_ops.errors import FaceRefused
from avatarlab_ops.media import foreign
from avatarlab_ops.media.footage import Footage, Part
from avatarlab_ops.plan import Look, Source

FIRST_SIDE_PX = 720  # enough to see most faces; smaller frames are read faster
LAST_SIDE_PX = 2160  # of 4K; looking through larger pictures takes minutes
PATIENCE = 60  # frames of footage, one a second, in which a face is looked for
REFUSALS = 8  # of them, after which it is refused
EXACT_FPS = 25.0  # of the search for the first frame with a face
SHORT_S = 2.0  # of a part; in a shorter one a frame a second may lie outside of it
SHORT_FPS = 5.0  # at which that one is looked at


def look(path: Path, source: Source, start_s: float | None, end_s: float | None) -> Look:
    """Find the one leading face in a picture, or in the part of a clip that is asked for (seconds).

    A clip without `start_s` begins where its face does. Raises FaceRefused unless a sampled frame shows a
    face that may be an avatar.
    """
    landmarker, short = Landmarker(), min(source.width, source.height)
    fps = _rate(source, start_s, end_s)
    part = _part(start_s or 0.0, end_s, fps)
    try:
        for side in _sides(short):
            with foreign.open_footage(path, fps=fps, max_short_side_px=side, part=part) as footage:
                found = _find(footage, landmarker, short / side)
            if found is None:
                continue
            number, seen = found
            if start_s is not None or not number:
                return Look(face_px=seen.side_px, from_s=start_s or 0.0, notes=seen.notes)
            with foreign.open_footage(path, fps=EXACT_FPS, max_short_side_px=side, part=part) as footage:
                begin_s = _first(footage, number, fps, landmarker) / EXACT_FPS
            notes = (*seen.notes, _note_on_start(begin_s))
            return Look(face_px=seen.side_px, from_s=begin_s, notes=notes)
    except FaceRefused as refusal:
        raise FaceRefused(f"{source.uri}: {refusal}") from refusal
    raise _nobody(source, start_s, end_s)


def _rate(source: Source, start_s: float | None, end_s: float | None) -> float:
    """Frames a second to look at: in a short part, more than one."""
    length_s = (end_s or source.duration_s or 0.0) - (start_s or 0.0)
    return SHORT_FPS if source.kind == "video" and length_s < SHORT_S else 1.0


def _part(start_s: float, end_s: float | None, fps: float) -> Part:
    """What is looked at of a part: from its first sample on, each a quarter into its time, for PATIENCE s.

    Where key pictures lie far apart, all that is opened is copied.
    """
    until_s = start_s + PATIENCE + 1
    return math.ceil(start_s * fps - 0.25) / fps, min(until_s, end_s or until_s)


def _nobody(source: Source, start_s: float | None, end_s: float | None) -> FaceRefused:
    """What to say of an avatar without a face; of a long clip only its beginning was looked at."""
    until_s = end_s or source.duration_s or 0.0
    where, instead = "", ""
    if source.kind == "video" and until_s - (start_s or 0.0) > PATIENCE + 1:
        where = f"its first {PATIENCE} s, " if not start_s else f"the {PATIENCE} s from {start_s:g} s on, "
        instead = "Name the second from which one is seen as avatar.start_s, or use"
    return FaceRefused(
        f"{source.uri}: No face was found in {where}{source.width}x{source.height} pixels. "
        f"{instead or 'Use'} a picture or clip in which one face of at least {MIN_FACE_PX} px looks into the "
        "camera."
    )


def _sides(short: int) -> Iterator[int]:
    """Shorter sides to look at: small first, then ever larger ones, up to the source's own or 4K's."""
    last = min(LAST_SIDE_PX, short)
    side = min(FIRST_SIDE_PX, last)
    while side < last:
        yield side
        side = min(2 * side, last)
    yield last


def _find(footage: Footage, landmarker: Landmarker, shrunk: float) -> tuple[int, FaceCheck] | None:
    """Number and look of the first frame that may be an avatar; None where no frame shows any face."""
    refusals: list[FaceRefused] = []
    for index in range(min(len(footage), PATIENCE)):
        try:
            seen = look_at(footage[index], landmarker, shrunk=shrunk)
        except FaceRefused as refusal:
            refusals.append(refusal)
            if len(refusals) == REFUSALS:
                break
        else:
            if seen is not None:
                return index, seen
    if refusals:
        raise refusals[0]
    return None


def _first(footage: Footage, number: int, fps: float, landmarker: Landmarker) -> int:
    """Frame, at EXACT_FPS, at which the face begins that this sample, of `fps` a second, first showed."""
    shown = int((number + 0.25) / fps * EXACT_FPS)  # each sample is the frame a quarter into its time
    without = shown - int(EXACT_FPS / fps)
    while shown - without > 1:
        middle = (without + shown) // 2
        if landmarker.faces(footage[middle]):
            shown = middle
        else:
            without = middle
    return shown


def _note_on_start(begin_s: float) -> str:
    return (
        f"The clip shows no face in its first {begin_s:.1f} s: it is played from there. avatar.start_s and "
        "avatar.end_s choose another part."
    )
