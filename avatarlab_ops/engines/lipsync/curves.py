"""How the mouth moves: a timeline becomes per-frame drive curves.

Coarticulation follows Cohen and Massaro (1993): every sound pulls each articulator towards its target with a
dominance that fades with distance in time, and the curve is the dominance-weighted mean of all targets.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from avatarlab_ops.timeline import Timeline, Viseme

Curve = NDArray[np.float32]
_Real = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Curves:
    """Drive curves, float32 [n] each, one value a frame, all zero at rest.

    gap: lip opening between landmarks 13 and 14 over the distance between the outer eye corners.
    The rest lie in 0..1: spread (corners out), rounding (corners in, lips forward), upper (upper lip raised),
    tuck (lower lip under the upper teeth), press (lips pressed together), tongue (tip raised), stress (a
    beat).
    """

    gap: Curve
    spread: Curve
    rounding: Curve
    upper: Curve
    tuck: Curve
    press: Curve
    tongue: Curve
    stress: Curve

    def __len__(self) -> int:
        return int(self.gap.shape[0])

    def at(self, frame: int) -> dict[str, float]:
        """All values of one frame by name."""
        return {field.name: float(getattr(self, field.name)[frame]) for field in fields(self)}


class _Target(NamedTuple):
    gap: float
    spread: float
    rounding: float
    upper: float
    tuck: float
    tongue: float
    pull: float  # dominance at the sound's own centre
    reach_s: float  # how far the dominance extends in time


_TARGETS = {  # gap in eye distances: 0.1 is about 9 mm
    "sil": _Target(0.000, 0.00, 0.00, 0.0, 0.0, 0.0, 1.0, 0.085),
    "PP": _Target(0.000, 0.00, 0.10, 0.0, 0.0, 0.0, 1.4, 0.060),
    "FF": _Target(0.022, 0.10, 0.00, 0.6, 1.0, 0.0, 1.3, 0.060),
    "TH": _Target(0.055, 0.15, 0.00, 0.3, 0.0, 1.0, 0.8, 0.060),
    "DD": _Target(0.050, 0.20, 0.00, 0.3, 0.0, 0.8, 0.6, 0.060),
    "kk": _Target(0.060, 0.15, 0.00, 0.2, 0.0, 0.2, 0.5, 0.065),
    "CH": _Target(0.050, 0.00, 0.55, 0.7, 0.0, 0.3, 0.9, 0.070),
    "SS": _Target(0.035, 0.40, 0.00, 0.5, 0.0, 0.2, 0.9, 0.065),
    "nn": _Target(0.045, 0.15, 0.00, 0.3, 0.0, 0.8, 0.6, 0.060),
    "RR": _Target(0.050, 0.00, 0.45, 0.3, 0.0, 0.3, 0.7, 0.070),
    "aa": _Target(0.160, 0.15, 0.00, 0.4, 0.0, 0.0, 1.0, 0.090),
    "E": _Target(0.100, 0.55, 0.00, 0.4, 0.0, 0.1, 1.0, 0.085),
    "ih": _Target(0.068, 0.45, 0.00, 0.3, 0.0, 0.2, 0.9, 0.080),
    "oh": _Target(0.108, 0.00, 0.65, 0.2, 0.0, 0.0, 1.0, 0.090),
    "ou": _Target(0.052, 0.00, 1.00, 0.2, 0.0, 0.0, 1.1, 0.090),
}
_VOWELS = frozenset({"aa", "E", "ih", "oh", "ou"})
_STRESS_GAIN, _UNSTRESSED_GAIN = 1.15, 0.85
_PLATEAU = 0.5  # share of a sound during which its dominance stays full
_WINDOW_S = 0.45  # beyond this a sound's dominance is nil
_CHANNELS = ("gap", "spread", "rounding", "upper", "tuck", "tongue")
_RELEASE_S = 0.075  # lips part over this time after a closure
_SIGMA_S = 0.018  # of the Gaussian that smooths curves
_RATE_HZ = 200.0  # curves are made finely, smoothed, then read at the frames


def lip_gap_target(curves: Curves) -> Curve:
    """Lip gap that a perfect rendering would show, float32 [n], in eye distances."""
    return curves.gap


def drive(timeline: Timeline, fps: float) -> Curves:
    """Curves at `fps` frames/s for the whole timeline; round(duration_s * fps) frames, at least one.

    A frame is read at the middle of the time it is shown. Bilabials reach a gap of exactly zero in the frame
    nearest to their middle.
    """
    n = max(1, round(timeline.duration_s * fps))
    times = (np.arange(round(timeline.duration_s * _RATE_HZ) + 2)) / _RATE_HZ
    spans = _with_silence(timeline)
    stressed = _stressed(spans, timeline)
    fine = {name: _smooth(curve) for name, curve in _coarticulate(spans, stressed, times).items()}
    frames = (np.arange(n) + 0.5) / fps
    read = {name: np.interp(frames, times, curve) for name, curve in fine.items()}
    read["press"] = np.zeros(n)
    _close(spans, frames, 0.5 / fps, read)
    read["stress"] = _beats(spans, stressed, frames)
    return Curves(**{name: curve.astype(np.float32) for name, curve in read.items()})


def _with_silence(timeline: Timeline) -> list[Viseme]:
    """Visemes with every uncovered stretch filled by rest."""
    spans: list[Viseme] = []
    end = 0.0
    for viseme in timeline.visemes:
        if viseme.start_s - end > 0.03:
            spans.append(Viseme(name="sil", start_s=end, end_s=viseme.start_s))
        spans.append(viseme)
        end = viseme.end_s
    if timeline.duration_s - end > 0.03 or not spans:
        spans.append(Viseme(name="sil", start_s=end, end_s=timeline.duration_s + 0.2))
    return spans


def _stressed(spans: list[Viseme], timeline: Timeline) -> list[bool]:
    """Whether the phone at each viseme's middle carries stress."""
    starts = np.array([phone.start_s for phone in timeline.phones])
    found = []
    for span in spans:
        middle = (span.start_s + span.end_s) / 2
        at = int(np.searchsorted(starts, middle, "right")) - 1
        found.append(at >= 0 and timeline.phones[at].stressed and middle < timeline.phones[at].end_s)
    return found


def _coarticulate(spans: list[Viseme], stressed: list[bool], times: _Real) -> dict[str, _Real]:
    """Dominance-weighted mean of the targets, per channel, at `times`."""
    total = np.full(times.shape, 1e-6)
    sums = np.zeros((len(_CHANNELS), times.size))
    for span, strong in zip(spans, stressed, strict=True):
        target = _TARGETS[span.name]
        low, high = np.searchsorted(times, (span.start_s - _WINDOW_S, span.end_s + _WINDOW_S))
        weight = target.pull * _dominance(span, target.reach_s, times[low:high])
        total[low:high] += weight
        wanted = np.array(target[: len(_CHANNELS)])
        if span.name in _VOWELS:
            wanted[0] *= _STRESS_GAIN if strong else _UNSTRESSED_GAIN
        sums[:, low:high] += wanted[:, None] * weight
    return dict(zip(_CHANNELS, sums / total, strict=True))


def _dominance(span: Viseme, reach_s: float, times: _Real) -> _Real:
    half = (span.end_s - span.start_s) / 2
    away = np.maximum(np.abs(times - span.start_s - half) - _PLATEAU * half, 0)
    return np.asarray(np.exp(-((away / reach_s) ** 1.7)))


def _smooth(curve: _Real) -> _Real:
    steps = np.arange(-3 * _SIGMA_S, 3 * _SIGMA_S + 1e-9, 1 / _RATE_HZ)
    kernel = np.exp(-0.5 * (steps / _SIGMA_S) ** 2)
    padded = np.pad(curve, len(steps) // 2, mode="edge")
    return np.convolve(padded, kernel / kernel.sum(), mode="valid")[: curve.size]


def _close(spans: list[Viseme], frames: _Real, hold_s: float, read: dict[str, _Real]) -> None:
    """Bring the lips into full contact around the middle of every PP, the lip to the teeth at every FF."""
    for span in spans:
        if span.name not in {"PP", "FF"}:
            continue
        middle, half = (span.start_s + span.end_s) / 2, (span.end_s - span.start_s) / 2
        full = max(hold_s, 0.35 * half) + 1e-9
        low, high = np.searchsorted(frames, (middle - full - _RELEASE_S, middle + full + _RELEASE_S))
        away = (np.abs(frames[low:high] - middle) - full) / _RELEASE_S
        closed = 0.5 + 0.5 * np.cos(np.pi * np.clip(away, 0, 1))
        contact = _TARGETS[span.name].gap
        gap = read["gap"][low:high]
        read["gap"][low:high] = np.minimum(gap, gap * (1 - closed) + contact * closed)
        held = read["press" if span.name == "PP" else "tuck"]
        held[low:high] = np.maximum(held[low:high], closed)


def _beats(spans: list[Viseme], stressed: list[bool], frames: _Real) -> _Real:
    """A soft bump of 0.3 s at every stressed vowel, for the head to nod with."""
    curve = np.zeros(frames.size)
    for span, strong in zip(spans, stressed, strict=True):
        if strong and span.name in _VOWELS:
            middle = (span.start_s + span.end_s) / 2
            low, high = np.searchsorted(frames, (middle - 0.4, middle + 0.4))
            bump = np.exp(-0.5 * ((frames[low:high] - middle) / 0.1) ** 2)
            curve[low:high] = np.maximum(curve[low:high], bump)
    return curve
