"""The inner mouth, from back to front: cavity, tongue, lower teeth on the jaw, upper teeth on the skull."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avatarlab_ops.engines.base import Frame
from avatarlab_ops.engines.lipsync.viseme_warp import teeth
from avatarlab_ops.engines.lipsync.viseme_warp.geometry import F32, SAMPLES, FaceFrame, MouthShape, smoothstep

_EDGE_BELOW_SEAM = 0.010  # upper teeth of a resting mouth end this far below the lip line
_LOWER_UNDER = 0.030  # lower teeth begin this far below the upper edge when the jaw is shut


@dataclass(frozen=True)
class Interior:
    """What lies behind the lips of one person, in one light."""

    upper: teeth.Row
    lower: teeth.Row
    flesh: F32  # [3] colour of lip flesh in this light
    edge_y: float  # biting edge of the upper teeth in face coordinates

    @classmethod
    def of(cls, frame: Frame, face: FaceFrame, landmarks: F32, mouth: MouthShape) -> Interior:
        """Interior from a source frame and its lips: real upper teeth where they show, else drawn ones."""
        tone = teeth.tone(frame, face, landmarks, mouth)
        seam = (mouth.upper_inner + 0.38 * (mouth.lower_inner - mouth.upper_inner))[SAMPLES // 2, 1]
        edge = float(seam) + _EDGE_BELOW_SEAM
        real = teeth.cut(frame, face, mouth)
        if real is not None:
            edge = real.anchor[1] - 0.01
        x = float(mouth.centre[0])
        upper = real or teeth.drawn(tone, (x, edge), upper=True)
        lower = teeth.drawn(tone * np.float32(0.80), (x, edge + _LOWER_UNDER), upper=False)
        return cls(upper, lower, teeth.skin_light(frame, face, mouth), edge)

    def paint(
        self, local: F32, face: FaceFrame, x: int, y: int, mouth: MouthShape, jaw: float, tongue: float
    ) -> F32:
        """Colours float32 [h, w, 3] of the inner mouth for pixels at (x, y) whose face coordinates are `local`."""
        lx, ly = local[..., 0], local[..., 1]
        top, low = contour_y(mouth.upper_inner, lx), contour_y(mouth.lower_inner, lx)
        u = np.clip((lx - mouth.centre[0]) / max(mouth.half_width, 1e-3), -1, 1)
        canvas = self._cavity(ly, top, low, u)
        canvas = self._with_tongue(canvas, lx, ly, mouth, tongue)
        shut = (1 - 0.55 * u * u)[..., None]
        rgb, cover = self.lower.onto(canvas, face, x, y, drop=max(jaw, 0.0))
        lit = 0.45 + 0.4 * smoothstep(0.0, 0.05, low - ly + 0.02)
        canvas = _over(canvas, rgb * shut * lit[..., None], cover * 0.9)
        rgb, cover = self.upper.onto(canvas, face, x, y)
        shadow = 0.62 + 0.38 * smoothstep(0.0, 0.030, ly - top)  # the upper lip shades the teeth
        return _over(canvas, rgb * shadow[..., None] * (1 - 0.25 * u**4)[..., None], cover)

    def _cavity(self, ly: F32, top: F32, low: F32, u: F32) -> F32:
        """Darkness that deepens away from the lower lip and towards the corners."""
        depth = smoothstep(0.0, 0.07, np.minimum(low - ly, 0.07))
        light = (0.34 - 0.22 * depth) * (1 - 0.5 * u * u) * (0.7 + 0.3 * smoothstep(0.0, 0.03, ly - top))
        return (self.flesh * np.array([0.92, 0.62, 0.60], np.float32)) * light[..., None]

    def _with_tongue(self, canvas: F32, lx: F32, ly: F32, mouth: MouthShape, raised: float) -> F32:
        """A soft rounded tongue on the floor of the mouth; its tip comes up to the teeth as `raised` goes to 1."""
        floor = float(mouth.lower_inner[SAMPLES // 2, 1])
        rest = floor - 0.30 * mouth.gap
        tip = rest + raised * (max(self.edge_y - 0.004, rest - 0.10) - rest) if rest > self.edge_y else rest
        half = 0.62 * mouth.half_width * (1 - 0.15 * raised)
        u = (lx - mouth.centre[0]) / max(half, 1e-3)
        surface = tip + 0.030 * u * u + 0.012 * np.exp(-((u / 0.12) ** 2)) * (1 - raised)
        cover = smoothstep(0.0, 0.012, ly - surface) * (1 - smoothstep(0.75, 1.1, np.abs(u)))
        depth = smoothstep(0.0, 0.06, ly - surface)
        light = (0.40 + 0.20 * raised + 0.18 * depth) * (1 - 0.3 * u * u)
        colour = self.flesh * np.array([1.0, 0.78, 0.80], np.float32)
        return _over(canvas, colour * light[..., None], cover * (0.75 + 0.2 * raised))


def contour_y(contour: F32, lx: F32) -> F32:
    """Height of a contour above every x of `lx`, its end values beyond the corners."""
    x, order = contour[:, 0], np.argsort(contour[:, 0], kind="stable")
    return np.interp(lx.ravel(), x[order], contour[order, 1]).reshape(lx.shape).astype(np.float32)


def _over(below: F32, colour: F32, cover: F32) -> F32:
    return np.asarray(below + (colour - below) * cover[..., None], np.float32)
