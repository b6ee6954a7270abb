"""The shape the lips take: drive values applied to the contours of the source mouth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avatarlab_ops.engines.lipsync.viseme_warp.geometry import SAMPLES, MouthShape, Real, smoothstep

# Where an open source mouth closes, between upper (0) and lower (1) lip: a smile draws the upper lip up too;
# in speech it is the jaw that opened.
SMILING_CONTACT, SPEAKING_CONTACT = 0.38, 0.15
_UPPER_SHARE = 0.10  # of an opening that the upper lip makes; raising it adds _UPPER_RAISE
_UPPER_RAISE = 0.018  # eye distances
_SMILE_RELAX = 0.7  # corner retreat of a closing smile, per eye distance of source gap
_CHIN_OPENING, _CHIN_CLOSING = 0.95, 0.45  # chin travel beside that of the lower lip
_UPPER_FOLLOWS = 0.85  # of the inner rim's way down; what the outer edge lacks swells the lip


@dataclass(frozen=True)
class Driven:
    """The wanted mouth and the jaw's way, in eye distances: `jaw` from the source, `open` from shut."""

    mouth: MouthShape
    jaw: float
    open: float


def driven(source: MouthShape, drive: dict[str, float], contact_at: float = SMILING_CONTACT) -> Driven:
    """Source contours moved so that the lips stand `drive["gap"]` apart and the other drives show."""
    u = np.clip((source.upper_inner[:, 0] - source.centre[0]) / max(source.half_width, 1e-3), -1, 1)
    round_ = np.clip(1 - u * u, 0, 1)
    dome = np.power(round_, 0.9 + 0.3 * drive["rounding"])
    bowl = np.power(round_, 0.68 + 0.25 * drive["rounding"])
    gap, contact = drive["gap"], source.upper_inner + contact_at * (source.lower_inner - source.upper_inner)
    raised = min(_UPPER_SHARE * gap + _UPPER_RAISE * drive["upper"] + 0.006 * drive["rounding"], gap)
    lowered = gap - raised
    inner_y = contact[:, 1] + 0.30 * lowered * u * u  # corners follow the jaw a little
    ripple = (contact[:, 1] - _parabola(u, contact[:, 1])) * min(gap / 0.07, 1)  # parted lips smooth out
    widen = _widening(source, drive)
    upper_inner = _moved(contact, source, widen, inner_y - 0.3 * ripple - raised * dome)
    lower_inner = _moved(contact, source, widen, inner_y - 0.85 * ripple + lowered * bowl)
    up = upper_inner[:, 1] - source.upper_inner[:, 1]
    down = lower_inner[:, 1] - source.lower_inner[:, 1]
    upper_y = source.upper_outer[:, 1] + _UPPER_FOLLOWS * up + _upper_volume(drive) * dome
    lower_y = source.lower_outer[:, 1] + down * np.where(down < 0, 0.75, 0.92) + _lower_volume(drive) * dome
    mouth = MouthShape(
        _moved(source.upper_outer, source, widen, upper_y),
        upper_inner,
        lower_inner,
        _moved(source.lower_outer, source, widen, lower_y),
    )
    # Teeth that a smile shows may well be shut: the jaw gives little when the lips close over them, and opens
    # from there for every vowel.
    shutting = _CHIN_CLOSING * (1 - contact_at) * source.gap
    return Driven(mouth, lowered * _CHIN_OPENING - shutting, lowered * _CHIN_OPENING)


def _widening(source: MouthShape, drive: dict[str, float]) -> float:
    """Relative change of the mouth's width."""
    smile = _SMILE_RELAX * max(source.gap - 0.02, 0) * float(smoothstep(0.30, 0.36, source.half_width))
    opening = 0.35 * max(drive["gap"] - 0.05, 0)
    return 0.07 * drive["spread"] - 0.31 * drive["rounding"] - smile - opening


def _upper_volume(drive: dict[str, float]) -> float:
    """Vertical shift of the upper lip's outer edge: rounding pushes it out, pressing rolls it in."""
    return -0.008 * drive["rounding"] + 0.006 * drive["press"]


def _lower_volume(drive: dict[str, float]) -> float:
    return 0.012 * drive["rounding"] - 0.006 * drive["press"] - 0.014 * drive["tuck"]


def _parabola(u: Real, y: Real) -> Real:
    """The parabola in u nearest to y, shifted to meet y in the middle and read at u."""
    basis = np.stack([np.ones_like(u), u, u * u], axis=1)
    weights = np.linalg.lstsq(basis, y, rcond=None)[0]
    fit = basis @ weights
    return np.asarray(fit + (y - fit)[SAMPLES // 2], np.float32)


def _moved(points: Real, source: MouthShape, widen: float, y: Real) -> Real:
    x = source.centre[0] + (points[:, 0] - source.centre[0]) * (1 + widen)
    return np.stack([x, y], axis=1).astype(np.float32)
