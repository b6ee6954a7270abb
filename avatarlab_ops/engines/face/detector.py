"""Faces in a picture: Google's short-range face detector, on the whole frame and on tiles of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from avatarlab_ops.engines.base import Frame
from avatarlab_ops.engines.tflite import Array, TfLite, sigmoid

MIN_SCORE = 0.5
MERGE_IOU = 0.3
SAME_FACE_OVERLAP = 0.5  # of the smaller box: a face seen again in another tile
SMALLEST_TILE_PX = 128  # the detector's own resolution: below it a tile holds no more detail


@dataclass(frozen=True)
class Detection:
    """One face, in pixels of the frame with pixel centres at whole numbers.

    box: float32 [4] left, top, right, bottom; points: float32 [6, 2] right eye, left eye, nose tip, mouth,
    right ear, left ear (the person's own right and left); score: 0..1.
    """

    box: Array
    points: Array
    score: float

    @property
    def centre(self) -> Array:
        """Middle of the box, float32 [2]."""
        return np.asarray((self.box[:2] + self.box[2:]) / 2, np.float32)

    @property
    def side(self) -> float:
        """Longer edge of the box in pixels."""
        return float(max(self.box[2] - self.box[0], self.box[3] - self.box[1]))


def anchors(*grids: tuple[int, int]) -> Array:
    """Centres float32 [n, 2] in 0..1 of the cells of square grids, each (cells a side, anchors a cell)."""
    places = []
    for cells, copies in grids:
        row, column = np.mgrid[0:cells, 0:cells]
        centres = np.stack([column.ravel(), row.ravel()], axis=1)
        places.append(np.repeat((centres + 0.5) / cells, copies, axis=0))
    return np.concatenate(places).astype(np.float32)


def _area(boxes: Array) -> Array:
    edges = np.maximum(boxes[..., 2:] - boxes[..., :2], 0)
    return np.asarray(edges[..., 0] * edges[..., 1], np.float32)


def _intersection(box: Array, boxes: Array) -> Array:
    corners = np.concatenate([np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])], axis=1)
    return _area(corners)


def _weighted_suppression(rows: Array, scores: Array) -> list[tuple[Array, float]]:
    """Merge overlapping rows [n, 16] (box, then six points) into score-weighted means, best first."""
    merged: list[tuple[Array, float]] = []
    order = np.argsort(-scores)
    while order.size:
        boxes = rows[order, :4]
        common = _intersection(boxes[0], boxes)
        near = common / np.maximum(_area(boxes[0]) + _area(boxes) - common, 1e-9) > MERGE_IOU
        near[0] = True
        group = order[near]
        merged.append((np.average(rows[group], axis=0, weights=scores[group]), float(scores[group[0]])))
        order = order[~near]
    return merged


class FaceDetector:
    """`face_detector.tflite` of face_landmarker_v2.task; not thread-safe."""

    def __init__(self, content: bytes) -> None:
        self._net = TfLite(content)
        self._anchors = anchors((16, 2), (8, 6))

    def search(self, frame: Frame) -> Iterator[list[Detection]]:
        """Candidates in an RGB uint8 [H, W, 3] frame: in the whole of it, then in ever smaller tiles.

        The network misses faces smaller than about a sixth of what it is shown, hence the tiles; a caller
        stops when it has seen enough. The deepest level finds faces of about 20 px. Candidates of one level
        are distinct, largest first.
        """
        for level in _levels(frame.shape[0], frame.shape[1]):
            found: list[Detection] = []
            for region in level:
                found += _inside(self._once(frame, *region), region, frame)
            yield distinct(found)

    def around(self, frame: Frame, centre: Array, side: float) -> list[Detection]:
        """Candidates in a square of edge `side` around `centre`, cut to the frame, largest first."""
        height, width = frame.shape[:2]
        low = np.clip(np.floor(centre - side / 2), 0, (width - 1, height - 1)).astype(int)
        high = np.clip(np.ceil(centre + side / 2), low + 1, (width, height)).astype(int)
        return distinct(self._once(frame, int(low[0]), int(low[1]), int(high[0]), int(high[1])))

    def _once(self, frame: Frame, left: int, top: int, right: int, bottom: int) -> list[Detection]:
        """Run the network on one region, letterboxed to a square."""
        size = self._net.size[0]
        side = max(right - left, bottom - top)
        x0, y0 = (left + right - side) / 2, (top + bottom - side) / 2  # the square around the region
        picture = _letterbox(frame[top:bottom, left:right], size)
        out = self._net(picture.astype(np.float32) / np.float32(127.5) - 1)
        scores = sigmoid(out["classificators"][:, 0])
        keep = scores > MIN_SCORE
        rows = self._rows(out["regressors"][keep], self._anchors[keep])
        origin = np.array([x0 - 0.5, y0 - 0.5], np.float32)
        return [
            Detection(
                (row[:4].reshape(2, 2) * side + origin).ravel(), row[4:].reshape(6, 2) * side + origin, score
            )
            for row, score in _weighted_suppression(rows, scores[keep])
        ]

    def _rows(self, raw: Array, anchors: Array) -> Array:
        """Decode [n, 16] offsets in pixels of the network's input to corners and points in 0..1."""
        raw = raw / np.float32(self._net.size[0])
        centre, half = raw[:, :2] + anchors, raw[:, 2:4] / 2
        points = (raw[:, 4:].reshape(-1, 6, 2) + anchors[:, None]).reshape(-1, 12)
        return np.concatenate([centre - half, centre + half, points], axis=1)


Region = tuple[int, int, int, int]


def _levels(height: int, width: int) -> Iterator[list[Region]]:
    """The whole frame, then squares that half overlap, each level half the size of the one before."""
    yield [(0, 0, width, height)]
    side = min(height, width)
    if max(height, width) < side * 1.25:
        side //= 2
    while side >= SMALLEST_TILE_PX:
        yield [(x, y, x + side, y + side) for y in _starts(height, side) for x in _starts(width, side)]
        side //= 2


def _starts(length: int, side: int) -> list[int]:
    count = max(1, -(-(length - side) * 2 // side) + 1)
    return [round(start) for start in np.linspace(0, length - side, count)]


def _letterbox(region: Frame, size: int) -> NDArray[np.uint8]:
    height, width = region.shape[:2]
    scale = size / max(height, width)
    inner = (max(1, round(width * scale)), max(1, round(height * scale)))
    shrunk = cv2.resize(region, inner, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    boxed = np.zeros((size, size, 3), np.uint8)
    top, left = (size - inner[1]) // 2, (size - inner[0]) // 2
    boxed[top : top + inner[1], left : left + inner[0]] = shrunk
    return boxed


def _inside(faces: list[Detection], region: Region, frame: Frame) -> list[Detection]:
    """Drop faces that a tile's edge cuts off: a neighbouring tile shows them whole."""
    limits = np.array([region[0], region[1], -region[2], -region[3]], np.float32)
    inner = np.array([region[0] > 0, region[1] > 0, region[2] < frame.shape[1], region[3] < frame.shape[0]])
    signs = np.array([1, 1, -1, -1], np.float32)
    return [face for face in faces if not np.any(inner & (face.box * signs < limits))]


def distinct(faces: list[Detection]) -> list[Detection]:
    """One detection per face, the surest of those that overlap, largest face first."""
    kept: list[Detection] = []
    for face in sorted(faces, key=lambda f: -f.score):
        boxes = np.stack([k.box for k in kept]) if kept else np.empty((0, 4), np.float32)
        smaller = np.minimum(_area(boxes), _area(face.box))
        if not np.any(_intersection(face.box, boxes) > SAME_FACE_OVERLAP * smaller):
            kept.append(face)
    return sorted(kept, key=lambda f: -f.side)
