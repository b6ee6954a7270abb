"""How well rendered lips follow the curve they were given."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_UPPER, _LOWER = 13, 14  # middle of the inner lips
_EYES = (33, 263)  # outer eye corners
_MAX_LAG_S = 0.4


def lip_gap(landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
    """Opening of the lips over the eye distance, float32 [n], of landmarks float32 [n, 478, >=2] (pixels)."""
    points = landmarks[..., :2]
    opening = np.linalg.norm(points[..., _UPPER, :] - points[..., _LOWER, :], axis=-1)
    eyes = np.linalg.norm(points[..., _EYES[0], :] - points[..., _EYES[1], :], axis=-1)
    return np.asarray(opening / np.maximum(eyes, 1e-6), np.float32)


def lip_sync_measure(
    gaps: NDArray[np.float32], target: NDArray[np.float32], fps: float
) -> tuple[float, float]:
    """Correlation r at the best lag, and that lag in seconds (positive: lips late).

    gaps and target are float32 [n], one value a frame. The lag is read to a fraction of a frame from a
    parabola through the three best correlations. r is 0 where either curve does not move.
    """
    reach = min(round(_MAX_LAG_S * fps), max(len(target) // 3, 0))
    lags = np.arange(-reach, reach + 1)
    scores = np.array([_correlation_at(gaps, target, int(lag)) for lag in lags])
    best = int(scores.argmax())
    shift = _vertex(scores, best)
    return float(scores[best]), float((lags[best] + shift) / fps) if scores[best] > 0 else 0.0


def _correlation_at(gaps: NDArray[np.float32], target: NDArray[np.float32], lag: int) -> float:
    n = len(target)
    seen = gaps[max(lag, 0) : n + min(lag, 0)].astype(np.float64)
    wanted = target[max(-lag, 0) : n + min(-lag, 0)].astype(np.float64)
    if len(seen) < 3 or seen.std() < 1e-6 or wanted.std() < 1e-6:
        return 0.0
    return float(np.corrcoef(seen, wanted)[0, 1])


def _vertex(scores: NDArray[np.float64], best: int) -> float:
    """Offset of a parabola's top from its middle sample, within half a sample."""
    if not 0 < best < len(scores) - 1:
        return 0.0
    left, middle, right = scores[best - 1 : best + 2]
    bend = left - 2 * middle + right
    return 0.0 if abs(bend) < 1e-12 else float(np.clip(0.5 * (left - right) / bend, -0.5, 0.5))
