"""Painting one output frame: patch into the source, one warp for picture and matte, over the background."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from avatarlab_ops.frames import Alpha, Frame, Patch
from avatarlab_ops.media.background import Plates
from avatarlab_ops.media.captions import Caption, CaptionPainter
from avatarlab_ops.media.geometry import Matrix, Rect, after, bounds, open_sides, warp, warp_keyed
from avatarlab_ops.media.keying import Band, clean, cut_out, find_band, lay_over

Picture = NDArray[np.uint8]  # RGB [h, w, 3], or RGBA [h, w, 4] for transparent output


@dataclass(frozen=True)
class Shot:
    """What one output frame is made of; `matte` None: the source keeps its own background."""

    index: int
    patch: Patch
    frame: Frame
    matte: Alpha | None


@dataclass(frozen=True)
class _Key:
    """A matte as it lies in the output, and its edge."""

    alpha: Alpha
    band: Band


class Painter:
    """Paints shots in order, keeping what does not change from one to the next.

    A still portrait that does not move costs only the rectangle of its mouth.
    """

    def __init__(
        self, plates: Plates, size: tuple[int, int], fps: float, fit: Matrix, captions: Sequence[Caption], *,
        still: bool, transparent: bool,
    ) -> None:  # fmt: skip
        self._plates, self._fit, self._still, self._transparent = plates, fit, still, transparent
        self._size = size
        self._out, self._fps = Rect(0, 0, *size), fps
        self._captions = CaptionPainter(captions, *size) if captions else None
        self._matrix: Matrix | None = None  # of the kept key and base
        self._key: _Key | None = None
        self._base: Picture | None = None  # the whole picture without a patch
        self._covered, self._painted = 0.0, 0

    @property
    def coverage(self) -> float:
        """Mean share of the picture that was foreground, 1 without a matte."""
        return self._covered / max(self._painted, 1)

    def __call__(self, shot: Shot) -> Picture:
        """Return the finished frame, the caller's to keep."""
        matrix = after(self._fit, shot.patch.motion)
        stays = self._still and self._matrix is not None and np.array_equal(matrix, self._matrix)
        if not stays:
            self._matrix, self._key, self._base = matrix, None, None
        picture = self._touched(shot, matrix) if stays else None
        if picture is None:
            picture = self._whole(paste(shot.frame, shot.patch), shot, matrix)
        if self._captions:
            self._captions.burn(picture, shot.index / self._fps)
        self._painted += 1
        self._covered += cv2.mean(self._key.alpha)[0] / 255 if self._key else 1.0
        return picture

    def _whole(self, source: Frame, shot: Shot, matrix: Matrix) -> Picture:
        if shot.matte is None:
            return warp(source, matrix, self._out)
        if self._key is not None and self._still:
            picture = warp(source, matrix, self._out)
        else:
            picture, alpha = warp_keyed(source, self._ended(shot.matte), matrix, self._out)
            alpha = clean(alpha)
            self._key = _Key(alpha, find_band(picture, alpha))
        if self._transparent:
            return cut_out(picture, self._key.band, self._key.alpha)
        plate = self._plates.frame(shot.index, shot.frame, shot.matte, still=self._still)
        return lay_over(picture, self._key.band, plate)

    def _ended(self, matte: Alpha) -> Alpha:
        """The matte, ending where the source ends within the picture: its border continues outwards."""
        shown = open_sides((matte.shape[1], matte.shape[0]), self._size, self._fit)
        if shown is None:
            return matte
        ended = np.zeros_like(matte)
        ended[shown] = matte[shown]
        return ended

    def _touched(self, shot: Shot, matrix: Matrix) -> Picture | None:
        """Repaint only the patch over the kept picture; None where that would differ from painting all."""
        if shot.matte is not None and not (self._plates.fixed or self._transparent):
            return None
        height, width = shot.patch.alpha.shape
        reach = bounds(Rect(shot.patch.x, shot.patch.y, width, height), matrix)
        region = reach.clipped(self._out.width, self._out.height)
        if self._base is None:
            self._base = self._whole(shot.frame, shot, matrix)
        if self._key and region.width and region.height and self._key.alpha[region.slices].min() < 255:
            return None
        picture = self._base.copy()
        if region.width and region.height and shot.patch.alpha.any():
            picture[region.slices][..., :3] = warp(paste(shot.frame, shot.patch), matrix, region)
        return picture


def paste(frame: Frame, patch: Patch) -> Frame:
    """Lay a patch into a copy of its source frame; parts beyond the frame are dropped."""
    height, width = patch.alpha.shape
    inside = Rect(patch.x, patch.y, width, height).clipped(frame.shape[1], frame.shape[0])
    if not inside.width or not inside.height or not patch.alpha.any():
        return frame
    within = Rect(inside.x - patch.x, inside.y - patch.y, inside.width, inside.height).slices
    out = frame.copy()
    under = out[inside.slices].astype(np.float32)
    weight = (patch.alpha[within].astype(np.float32) / 255)[..., None]
    out[inside.slices] = (under + weight * (patch.rgb[within] - under) + 0.5).astype(np.uint8)
    return out
