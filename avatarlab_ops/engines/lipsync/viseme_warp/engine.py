"""The engine: timeline and footage in, one patch a frame out."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from avatarlab_ops.engines.base import FaceTrack, FrameSource, Patch, Preparation, Speech, footage_index
from avatarlab_ops.engines.lipsync.curves import drive
from avatarlab_ops.engines.lipsync.fade import fade
from avatarlab_ops.engines.lipsync.measure import lip_gap
from avatarlab_ops.engines.lipsync.viseme_warp.blinks import Lids, closing, schedule
from avatarlab_ops.engines.lipsync.viseme_warp.field import Support
from avatarlab_ops.engines.lipsync.viseme_warp.geometry import Box, FaceFrame, MouthShape, Real, mouth_of
from avatarlab_ops.engines.lipsync.viseme_warp.hang import hanging
from avatarlab_ops.engines.lipsync.viseme_warp.head import STILL, Sway
from avatarlab_ops.engines.lipsync.viseme_warp.interior import Interior
from avatarlab_ops.engines.lipsync.viseme_warp.paint import FacePainter
from avatarlab_ops.engines.lipsync.viseme_warp.shape import SPEAKING_CONTACT
from avatarlab_ops.progress import Report


class VisemeWarp:
    """Lip-sync by a layered, viseme-driven warp of the face; CPU only, no weights."""

    def patches(
        self,
        frames: FrameSource,
        track: FaceTrack,
        speech: Speech,
        *,
        fps: float,
        seed: int,
        blinks: bool = True,
        head_motion: bool = True,
        preparation: Preparation | None = None,  # noqa: ARG002 - it prepares nothing
        report: Report,
    ) -> Iterator[Patch]:
        """See `LipsyncEngine`: round(duration_s * fps) patches in order."""
        clip = _Clip(frames, track, speech, fps=fps, seed=seed, blinks=blinks, head_motion=head_motion)
        return clip.patches(report)


class _Clip:
    """One render's state: curves, schedules and the place of the patch."""

    def __init__(
        self,
        frames: FrameSource,
        track: FaceTrack,
        speech: Speech,
        *,
        fps: float,
        seed: int,
        blinks: bool,
        head_motion: bool,
    ) -> None:
        self._frames, self._track, self._fps = frames, track, fps
        self._curves = drive(speech.timeline, fps)
        n = len(self._curves)
        self._index = [footage_index(i, len(frames)) for i in range(n)]
        still = len(frames) == 1
        lids, head = (np.random.default_rng([seed, salt]) for salt in (1, 2))
        times = schedule(speech.timeline.duration_s, lids) if still and blinks else np.zeros(0)
        self._shut = closing(np.asarray(times, np.float32), n, fps)
        self._sway = Sway(head) if still and head_motion else None
        self._boxes = _boxes(track, with_eyes=len(times) > 0)
        self._strength = fade(track.present[self._index])
        self._interior = None if still else self._best_interior()

    def patches(self, report: Report) -> Iterator[Patch]:
        """Patches in order, holding one source face at a time."""
        painter, painted = None, -1
        for i, index in enumerate(self._index):
            box = self._boxes[index]
            if self._strength[i] <= 0:
                blank = np.zeros((box.height, box.width), np.uint8)
                yield Patch(index, box.x, box.y, np.zeros((*blank.shape, 3), np.uint8), blank, STILL)
            else:
                if painter is None or painted != index:
                    painter = self._painter(index)
                    painted = index
                yield self._patch(painter, i, index)
            report(i + 1, len(self._index), "frames")

    def _painter(self, index: int) -> FacePainter:
        frame, landmarks, box = self._frames[index], self._track.landmarks[index], self._boxes[index]
        if self._interior is None:
            return FacePainter(frame, landmarks, box)
        return FacePainter(
            frame,
            landmarks,
            box,
            interior=self._interior,
            contact=SPEAKING_CONTACT,
            hang=self._hang[index],
        )

    def _patch(self, painter: FacePainter, i: int, index: int) -> Patch:
        values = self._curves.at(i)
        rgb, alpha = painter.paint(values, float(self._shut[i]))
        if self._strength[i] < 1:
            alpha = (alpha * self._strength[i]).astype(np.uint8)
        time_s = (i + 0.5) / self._fps
        motion = self._sway.at(time_s, values["stress"], painter.face) if self._sway else STILL
        return Patch(index, painter.box.x, painter.box.y, rgb, alpha, motion)

    def _best_interior(self) -> Interior | None:
        """Inner mouth of the frame that shows it best, kept for the clip so that teeth never flicker."""
        seen = np.flatnonzero(self._track.present)
        if seen.size == 0:
            return None
        gaps = lip_gap(self._track.landmarks[seen])
        best, shut = int(seen[gaps.argmax()]), int(seen[gaps.argmin()])
        (face, mouth), (_, rest) = (_face_and_mouth(self._track.landmarks[i]) for i in (best, shut))
        hang = hanging(self._track)
        self._hang = hang - hang[shut]
        return Interior.of(self._frames[best], face, mouth, rest=rest, drift=self._hang[best])


def _face_and_mouth(landmarks: Real) -> tuple[FaceFrame, MouthShape]:
    face = FaceFrame.of(landmarks)
    return face, mouth_of(landmarks, face)


def _boxes(track: FaceTrack, *, with_eyes: bool) -> list[Box]:
    """Patch rectangles, one a source frame, all of one size, inside the picture."""
    spans = np.array([_span(landmarks, with_eyes) for landmarks in track.landmarks])
    limit = np.array([track.width, track.height])
    size = np.minimum(np.ceil((spans[:, 1] - spans[:, 0]).max(axis=0)).astype(int) + 2, limit) // 2 * 2
    corner = np.round(spans.mean(axis=1) - size / 2).astype(int)
    corner = np.clip(corner, 0, limit - size)
    return [Box(int(x), int(y), int(size[0]), int(size[1])) for x, y in corner]


def _span(landmarks: Real, with_eyes: bool) -> NDArray[np.float64]:
    """Lowest and highest pixel place [2, 2] that the patch of one frame has to hold."""
    face = FaceFrame.of(landmarks)
    support = Support.of(landmarks, face)
    areas = [np.array([[support.left, support.top], [support.right, support.bottom]], np.float32)]
    if with_eyes:
        areas += Lids(landmarks, face).boxes()
    corners = np.array(
        [[area[i, 0], area[j, 1]] for area in areas for i in (0, 1) for j in (0, 1)], np.float32
    )
    pixels = face.pixels(corners)
    return np.stack([pixels.min(axis=0) - 4, pixels.max(axis=0) + 4]).astype(np.float64)
