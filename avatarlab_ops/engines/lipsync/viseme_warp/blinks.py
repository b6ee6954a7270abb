"""Blinks: when they come, and how the upper lid's skin is drawn down over the eye."""

from __future__ import annotations

import cv2
import numpy as np

from avatarlab_ops.engines.base import Frame
from avatarlab_ops.engines.lipsync.viseme_warp.geometry import (
    BROW_BOTTOMS,
    EYE_BOTTOMS,
    EYE_TOPS,
    Box,
    FaceFrame,
    Real,
    height_at,
    smoothstep,
)

_INTERVAL_S = (2.2, 5.8)  # between blinks, drawn evenly
_FIRST_S = (0.9, 3.0)
_CLOSING_S, _SHUT_S, _OPENING_S = 0.075, 0.03, 0.115  # sums to about 220 ms
_LASHES = 0.045  # height of the upper lashes above the lid's edge, eye distances
_CORNER = 0.06  # reach of a lid's fall beyond the corners of the eye, eye distances
_MIN_OPEN = 0.03  # eyes narrower than this (eye distances) count as closed already
_MIN_LID = 0.02  # skin between an eye and its brow, at the least, eye distances
_HAIR_CONTRAST = 20.0  # levels by which a brow is darker than the skin below it


def schedule(duration_s: float, rng: np.random.Generator) -> Real:
    """Times float32 [k] in seconds at which the lids meet, 2.2 to 5.8 s apart."""
    times, at = [], float(rng.uniform(*_FIRST_S))
    while at < duration_s - 0.2:
        times.append(at)
        at += float(rng.uniform(*_INTERVAL_S))
    return np.array(times, np.float32)


def closing(times: Real, n: int, fps: float) -> Real:
    """How far the lids are shut in each of n frames, float32 [n], 0 open, 1 shut."""
    at = (np.arange(n, dtype=np.float32) + 0.5) / np.float32(fps)
    shut = np.zeros(n, np.float32)
    for middle in times:
        away = at - middle
        before = 1 - smoothstep(0, _CLOSING_S, -away - _SHUT_S / 2)
        after = 1 - smoothstep(0, _OPENING_S, away - _SHUT_S / 2)
        shut = np.maximum(shut, np.where(away < 0, before, after))
    return shut


class Lids:
    """The two upper lids of one source frame; given the frame, their skin ends at the brow as seen."""

    def __init__(self, landmarks: Real, face: FaceFrame, frame: Frame | None = None) -> None:
        local = face.local(landmarks[:, :2])
        self._face = face
        self._eyes = [
            (local[list(top)], local[list(low)], local[list(brow)])
            for top, low, brow in zip(EYE_TOPS, EYE_BOTTOMS, BROW_BOTTOMS, strict=True)
        ]
        if frame is not None:
            self._eyes = [(top, low, _hairline(frame, face, top, brow)) for top, low, brow in self._eyes]

    def boxes(self) -> list[Real]:
        """Corners float32 [2, 2] (low, high) in face coordinates of the skin each lid may move."""
        found = []
        for top, low, brow in self._eyes:
            points = np.concatenate([top, low])
            margin = np.array([0.09, 0.03], np.float32)
            box = np.stack([points.min(axis=0) - margin, points.max(axis=0) + margin])
            box[0, 1] = min(box[0, 1], float(brow[:, 1].min()))
            found.append(box)
        return found

    def draw(self, canvas: Frame, x: int, y: int, shut: float) -> Real:
        """Shut the lids by `shut` on canvas [h, w, 3] at (x, y), in place; coverage float32 [h, w]."""
        cover = np.zeros(canvas.shape[:2], np.float32)
        for eye, box in zip(self._eyes, self.boxes(), strict=True):
            area = _pixel_box(self._face, box, x, y, canvas.shape)
            if area is not None:
                x0, y0, x1, y1 = area
                part = canvas[y0:y1, x0:x1]
                local = Box(x + x0, y + y0, x1 - x0, y1 - y0).local(self._face)
                part[:], cover[y0:y1, x0:x1] = self._close(part, local, eye, shut)
        return cover

    def _close(
        self, part: Frame, local: Real, eye: tuple[Real, Real, Real], shut: float
    ) -> tuple[Frame, Real]:
        top_curve, low_curve, brow_curve = eye
        lx, ly = local[..., 0], local[..., 1]
        top, low = height_at(top_curve, lx), height_at(low_curve, lx)
        opening = np.maximum(low - top, 0)
        if float(opening.max()) < _MIN_OPEN:
            return part, np.zeros(lx.shape, np.float32)
        fall = shut * opening
        brow = np.minimum(height_at(brow_curve, lx), top - _MIN_LID)
        edge = top + fall
        pulled = np.maximum(_fallen(edge - ly, top - brow, fall, shut), 0) * (ly > brow)
        reach = 2 * round(_CORNER * self._face.scale) + 1
        pulled = np.maximum(pulled, cv2.blur(pulled, (reach, 1)))  # lashes beyond the corners come along
        moved = self._pull(part, pulled)
        pixel = 1.0 / self._face.scale
        lid = 1 - smoothstep(-pixel, pixel * 1.2, ly - edge - 0.004)
        crease = 1 - 0.16 * shut * np.exp(-(((ly - edge) / 0.012) ** 2)) * (opening > 0)
        colour = moved.astype(np.float32) * crease[..., None]
        out = part + (colour - part) * lid[..., None]
        return np.clip(out + 0.5, 0, 255).astype(np.uint8), np.asarray(pulled > 1e-4, np.float32)

    def _pull(self, part: Frame, down: Real) -> Frame:
        """`part` with every pixel taken from `down` (eye distances) further up the face."""
        height, width = part.shape[:2]
        xs, ys = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
        axis = self._face.turn[:, 1] * self._face.scale
        xs, ys = (np.asarray(xs - down * axis[0], np.float32), np.asarray(ys - down * axis[1], np.float32))
        return np.asarray(cv2.remap(part, xs, ys, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def _hairline(frame: Frame, face: FaceFrame, top: Real, brow: Real) -> Real:
    """Lower edge of a brow as it is seen, float32 [n, 2] in face coordinates, not above the mesh's `brow`.

    A bushy brow hangs over its landmarks, and hair that is pulled down with the lid would cover the eye.
    """
    xs = np.linspace(top[:, 0].min(), top[:, 0].max(), 17, dtype=np.float32)
    lid, limit = height_at(top, xs), np.minimum(height_at(brow, xs), height_at(top, xs) - _MIN_LID)
    share = np.linspace(0, 1, 24, dtype=np.float32)  # from the lid's edge to above the landmarks
    ys = lid[:, None] + (limit - 0.04 - lid)[:, None] * share
    at = face.pixels(np.stack([np.broadcast_to(xs[:, None], ys.shape), ys], axis=-1))
    seen = cv2.remap(frame, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    grey = cv2.GaussianBlur(np.asarray(seen, np.float32).mean(axis=2), (3, 3), 0.8)
    edges = [_first_hair(row, y, one) for row, y, one in zip(grey, ys, limit, strict=True)]
    edge = np.minimum(
        np.convolve(np.pad(edges, 2, mode="edge"), np.full(5, 0.2), mode="valid"), lid - _MIN_LID
    )
    return np.stack([xs, edge], axis=1).astype(np.float32)


def _first_hair(brightness: Real, heights: Real, brow: float) -> float:
    """Height at which a column, read from the lid upwards, turns from skin to hair, else `brow`."""
    below = brightness[heights > brow]
    skin, hair = float(below.max()), float(brightness.min())
    if skin - hair < _HAIR_CONTRAST:
        return brow
    bright = np.flatnonzero(below > (skin + hair) / 2)  # a crease is dark too, but skin goes on above it
    return float(heights[bright[-1]]) if bright[-1] + 1 < below.size else brow


def _fallen(above: Real, lid: Real, fall: Real, shut: float) -> Real:
    """How far skin `above` the edge has come down, for a lid of height `lid` whose edge came down by `fall`.

    Lashes keep close to the edge and lie down as the lid shuts. The skin over them stretches, most near the
    lid and least at the brow, which stays.
    """
    lashes = np.minimum(_LASHES, 0.4 * lid)
    lying = lashes * (1 - 0.6 * shut * np.clip(fall / 0.03, 0, 1))
    room = np.maximum(lid + fall - lying, 1e-3)
    stretch = room / np.maximum(lid - lashes, 1e-3)
    t = np.clip((above - lying) / room, 0, 1)
    evenly = np.clip(2 - stretch, 0.7, 1)
    skin = lashes + (lid - lashes) * (evenly * t + (1 - evenly) * t * t)
    source = np.where(above < lying, above * lashes / np.maximum(lying, 1e-3), skin)
    return np.asarray(np.where(above < 0, fall, fall + source - above), np.float32)


def _pixel_box(
    face: FaceFrame, box: Real, x: int, y: int, shape: tuple[int, ...]
) -> tuple[int, int, int, int] | None:
    """Pixel rectangle on a canvas at (x, y) that holds a face box, or None where they do not meet."""
    corners = face.pixels(np.array([[box[i, 0], box[j, 1]] for i in (0, 1) for j in (0, 1)], np.float32)) - (
        x,
        y,
    )
    x0, y0 = np.maximum(np.floor(corners.min(axis=0)).astype(int), 0)
    x1, y1 = np.minimum(np.ceil(corners.max(axis=0)).astype(int) + 1, (shape[1], shape[0]))
    return (int(x0), int(y0), int(x1), int(y1)) if x1 - x0 > 2 and y1 - y0 > 2 else None
