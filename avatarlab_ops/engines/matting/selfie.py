"""MediaPipe's selfie segmentation: fast, permissively licensed, without hair detail."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from operator import length_hint

import cv2
import numpy as np

from avatarlab_ops.engines import weights
from avatarlab_ops.engines.base import Alpha, Frame
from avatarlab_ops.engines.cuts import CutDetector
from avatarlab_ops.engines.matting.guided import guided_upsample
from avatarlab_ops.engines.tflite import Array, TfLite
from avatarlab_ops.progress import Report, silent

MODEL_FILE = "selfie_segmentation.tflite"
HOLD = 0.7  # weight of the frame before where the mask hardly changes
HALO = 0.15  # of alpha cut off at either end: the filter spreads a faint rim
CHANGE = 0.25  # change of the mask at which the frame before counts for little


class Selfie:
    """MattingEngine; one instance per thread."""

    def __init__(self) -> None:
        self._net = TfLite(weights.path(MODEL_FILE).read_bytes())

    def mattes(
        self, frames: Iterable[Frame], *, still: bool = False, report: Report = silent
    ) -> Iterator[Alpha]:
        """Yield alpha uint8 [H, W] for each RGB uint8 [H, W, 3] frame, holding one frame at a time.

        The mask is steadied over time, afresh after a cut; `still`: every frame is a picture of its own.
        """
        total = length_hint(frames)
        cuts = CutDetector()
        steady: Array | None = None
        for index, frame in enumerate(frames):
            mask = self._mask(frame)
            fresh = still or cuts.is_cut(frame) or steady is None
            steady = mask if fresh or steady is None else _steadied(steady, mask)
            yield _levels(guided_upsample(steady, frame, short_side_px=256, radius=4, eps=1e-4))
            report(index + 1, max(total, index + 1), "frames")

    def _mask(self, frame: Frame) -> Array:
        """Probability of person, float32 [256, 256]; the network takes the picture stretched to a square."""
        height, width = self._net.size
        picture = cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)
        (mask,) = self._net(picture / np.float32(255)).values()
        return mask[..., 0]


def _steadied(last: Array, mask: Array) -> Array:
    """Lean on the mask of the frame before where the two agree: tremble goes, movement stays."""
    hold = HOLD * np.exp(-np.square((mask - last) / CHANGE))
    return np.asarray(mask + hold * (last - mask), np.float32)


def _levels(alpha: Array) -> Alpha:
    stretched = np.clip((alpha - HALO) / (1 - 2 * HALO), 0, 1)
    return np.asarray(np.rint(stretched * 255), np.uint8)
