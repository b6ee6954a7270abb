"""The inner mouth, from back to front: cavity, tongue, lower teeth on the jaw, upper teeth on the skull."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avatarlab_ops.engines.base import Frame
from avatarlab_ops.engines.lipsync.viseme_warp import light, teeth
from avatarlab_ops.engines.lipsync.viseme_warp.geometry import (
    SAMPLES,
    Box,
    FaceFrame,
    MouthShape,
    Real,
    height_at,
    smoothstep,
)
from avatarlab_ops.engines.lipsync.viseme_warp.shape import SMILING_CONTACT

_EDGE_BELOW_SEAM = 0.016  # upper teeth of a resting mouth end this far below the lip line
_LOWER_UNDER = 0.002  # lower teeth begin this far below the upper edge when the jaw is shut


@dataclass(frozen=True)
class Interior:
    """What lies behind the lips of one person, in one light."""

    upper: teeth.Row
    lower: teeth.Row
    flesh: Real  # [3] colour of lip flesh in this light
    edge_y: float  # biting edge of the upper teeth in face coordinates

    @classmethod
    def of(
        cls, frame: Frame, face: FaceFrame, mouth: MouthShape, *, rest: MouthShape, drift: Real
    ) -> Interior:
        """Interior from a source frame and its lips: real upper teeth where they show, else drawn ones.

        `rest` is the same person's mouth when nearest to shut; drawn teeth end just below its lip line.
        Both rows are placed as in that frame, `drift` [2] being how far the jaw lies elsewhere in this one.
        """
        tone = light.tone(frame, face, mouth)
        seam = rest.upper_inner + SMILING_CONTACT * (rest.lower_inner - rest.upper_inner)
        edge = float(seam[SAMPLES // 2, 1]) + _EDGE_BELOW_SEAM
        real = teeth.cut(frame, face, mouth)
        if real is not None:
            real = real.moved(-drift)
            edge = real.anchor[1] - 0.01
        x = float(rest.centre[0])
        upper = real or teeth.drawn(tone, (x, edge), seam, upper=True)
        lower = teeth.drawn(tone * np.float32(0.80), (x, edge + _LOWER_UNDER), seam, upper=False)
        return cls(upper, lower, light.flesh(frame, face, mouth), edge)

    def paint(
        self,
        local: Real,
        face: FaceFrame,
        area: Box,
        mouth: MouthShape,
        *,
        hang: Real,
        jaw: float,
        tongue: float,
    ) -> Real:
        """Colours float32 [h, w, 3] of the inner mouth in an area whose pixels have face coordinates `local`.

        `hang` [2] is how far the upper jaw lies from where it was placed, `jaw` how far the lower one has
        opened (eye distances); `tongue` 0..1 raises the tip.
        """
        lx, ly = local[..., 0], local[..., 1]
        top, low = height_at(mouth.upper_inner, lx), height_at(mouth.lower_inner, lx)
        u = np.clip((lx - mouth.centre[0]) / max(mouth.half_width, 1e-3), -1, 1)
        canvas = self._cavity(ly, top, low, u)
        canvas = self._with_tongue(canvas, lx, ly, mouth, raised=tongue, edge_y=self.edge_y + float(hang[1]))
        shut = (1 - 0.55 * u * u)[..., None]
        rgb, cover = self.lower.onto(area, face, hang + np.array([0, jaw], np.float32))
        lit = 0.45 + 0.4 * smoothstep(0.0, 0.05, low - ly + 0.02)
        canvas = _over(canvas, rgb * shut * lit[..., None], cover * 0.9)
        rgb, cover = self.upper.onto(area, face, hang)
        shadow = 0.62 + 0.38 * smoothstep(0.0, 0.030, ly - top)  # the upper lip shades the teeth
        return _over(canvas, rgb * shadow[..., None] * (1 - 0.25 * u**4)[..., None], cover)

    def _cavity(self, ly: Real, top: Real, low: Real, u: Real) -> Real:
        """Darkness that deepens away from the lower lip and towards the corners."""
        depth = smoothstep(0.0, 0.07, np.minimum(low - ly, 0.07))
        glow = (0.46 - 0.30 * depth) * (1 - 0.5 * u * u) * (0.7 + 0.3 * smoothstep(0.0, 0.03, ly - top))
        return (self.flesh * np.array([0.92, 0.62, 0.60], np.float32)) * glow[..., None]

    def _with_tongue(
        self, canvas: Real, lx: Real, ly: Real, mouth: MouthShape, *, raised: float, edge_y: float
    ) -> Real:
        """A soft rounded tongue on the floor of the mouth; `raised` to 1 its tip reaches the teeth."""
        floor = float(mouth.lower_inner[SAMPLES // 2, 1])
        rest = floor - 0.36 * mouth.gap
        tip = rest + raised * (max(edge_y - 0.004, rest - 0.10) - rest) if rest > edge_y else rest
        half = 0.62 * mouth.half_width * (1 - 0.15 * raised)
        u = (lx - mouth.centre[0]) / max(half, 1e-3)
        surface = tip + 0.030 * u * u + 0.012 * np.exp(-((u / 0.12) ** 2)) * (1 - raised)
        cover = smoothstep(0.0, 0.012, ly - surface) * (1 - smoothstep(0.75, 1.1, np.abs(u)))
        depth = smoothstep(0.0, 0.06, ly - surface)
        glow = (0.52 + 0.18 * raised + 0.16 * depth) * (1 - 0.3 * u * u)
        colour = self.flesh * np.array([1.0, 0.78, 0.80], np.float32)
        return _over(canvas, colour * glow[..., None], cover * (0.75 + 0.2 * raised))


def _over(below: Real, colour: Real, cover: Real) -> Real:
    return np.asarray(below + (colour - below) * cover[..., None], np.float32)
