"""Footage of high dynamic range or wide colour as a BT.709 screen shows it.

HLG and PQ are read as display light (ITU-R BT.2100: HLG on a nominal display of 1000 cd/m2) and shown with
reference white, 203 cd/m2 (ITU-R BT.2408), as the screen's white. Light above 85 % of white is compressed, by
its largest component, so that hues stay; colours outside BT.709 are clipped. The whole is one look-up table,
which FFmpeg's `lut3d` applies to every picture.
"""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import Literal

import av
import numpy as np
from numpy.typing import NDArray

Mapping = Literal["HLG", "PQ", "BT.2020"]
Light = NDArray[np.float64]  # [..., 3], red first

_TRANSFERS: dict[int, Mapping] = {16: "PQ", 18: "HLG"}  # ITU-T H.273, transfer characteristics
_BT2020 = 9  # ITU-T H.273, colour primaries
_WHITE, _PEAK = 203.0, 1000.0  # cd/m2
_KNEE = 0.85  # of white
_EDGE = 33  # points of the table along each axis
_LUMA = np.array([0.2627, 0.6780, 0.0593])  # BT.2020
_TO_709 = np.array([[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]])


def mapping_of(frame: av.VideoFrame) -> Mapping | None:
    """What has to be done for a BT.709 screen; None for ordinary pictures."""
    wide: Mapping | None = "BT.2020" if int(frame.color_primaries) == _BT2020 else None
    return _TRANSFERS.get(int(frame.color_trc), wide)


def shown(signal: Light, mapping: Mapping) -> Light:
    """The BT.709 signal, 0 to 1, that shows what a BT.2020 `signal`, 0 to 1, means."""
    light = {"HLG": _hlg, "PQ": _pq, "BT.2020": lambda values: values**2.4}[mapping](signal)
    screen = np.maximum(light @ _TO_709.T, 0)
    largest = screen.max(axis=-1, keepdims=True)
    over = np.maximum(largest - _KNEE, 0)
    compressed = np.where(over > 0, _KNEE + (1 - _KNEE) * over / (over + 1 - _KNEE), largest)
    if mapping == "BT.2020":  # its white is the screen's already
        compressed = np.minimum(largest, 1)
    return np.clip(screen * compressed / np.maximum(largest, 1e-9), 0, 1) ** (1 / 2.4)


def _hlg(signal: Light) -> Light:
    """Display light of HLG, in units of reference white: inverse OETF, then the OOTF of gamma 1.2."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
    luma = np.maximum(scene @ _LUMA, 1e-9)[..., None]
    return np.asarray(_PEAK * luma**0.2 * scene / _WHITE)


def _pq(signal: Light) -> Light:
    """Display light of PQ (SMPTE ST 2084), in units of reference white."""
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    root = signal ** (1 / m2)
    light: Light = 10_000 * (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1) / _WHITE
    return light


class ToneMapper:
    """Turns pictures of one source into BT.709 `yuv420p` of limited range, scaled to `size` on the way."""

    def __init__(self, frame: av.VideoFrame, mapping: Mapping, size: tuple[int, int]) -> None:
        self._graph = graph = av.filter.Graph()
        width, height = size
        range_ = "pc" if int(frame.color_range) == 2 else "tv"
        steps = [
            graph.add_buffer(
                width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
            ),
            graph.add("scale", f"{width}:{height}:flags=bicubic:in_color_matrix=bt2020:in_range={range_}"),
            graph.add("format", "gbrp10le"),
            graph.add("lut3d", f"file={_table(mapping)}:interp=tetrahedral"),
            graph.add("scale", "out_color_matrix=bt709:out_range=tv"),
            graph.add("format", "yuv420p"),
            graph.add("buffersink"),
        ]
        graph.link_nodes(*steps).configure()

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        """One picture; its time stamp stays."""
        self._graph.vpush(frame)
        mapped = self._graph.vpull()
        mapped.pts, mapped.time_base = frame.pts, frame.time_base
        return mapped


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="avatarlab-tables-")


@cache
def _table(mapping: Mapping) -> Path:
    """The table as a .cube file, red changing fastest, made once a process."""
    axis = np.linspace(0, 1, _EDGE)
    blue, green, red = np.meshgrid(axis, axis, axis, indexing="ij")
    rows = shown(np.stack([red, green, blue], axis=-1).reshape(-1, 3), mapping)
    path = Path(_folder().name) / f"{mapping}.cube"
    lines = [f"LUT_3D_SIZE {_EDGE}", *(f"{r:.6f} {g:.6f} {b:.6f}" for r, g, b in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="ascii")
    return path
