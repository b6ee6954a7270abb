"""Footage of high dynamic range or wide colour as a BT.709 screen shows it.

HLG and PQ are read as display light (ITU-R BT.2100: HLG on a nominal display of 1000 cd/m2) and shown with
reference white, 203 cd/m2 (ITU-R BT.2408), as the screen's white. Light above 85 % of white is compressed, by
its largest component, so that hues stay; colours outside BT.709 are clipped. The whole is one look-up table
for every picture.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache
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
_EDGE = 6  # of a Hald table: 36 points along each axis
_TICK = Fraction(1, 1000)
_LUMA = np.array([0.2627, 0.6780, 0.0593])  # BT.2020
_TO_709 = np.array([[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]])


def mapping_of(frame: av.VideoFrame) -> Mapping | None:
    """What has to be done for a BT.709 screen; None for ordinary pictures."""
    wide: Mapping | None = "BT.2020" if int(frame.color_primaries) == _BT2020 else None
    return _TRANSFERS.get(int(frame.color_trc), wide)


def shown(signal: Light, mapping: Mapping) -> Light:
    """The BT.709 signal, 0 to 1, that shows what a BT.2020 `signal`, 0 to 1, means."""
    light = {"HLG": _hlg, "PQ": _pq, "BT.2020": _sdr}[mapping](signal)
    screen = np.maximum(light @ _TO_709.T, 0)
    largest = screen.max(axis=-1, keepdims=True)
    over = np.maximum(largest - _KNEE, 0)
    compressed = np.where(over > 0, _KNEE + (1 - _KNEE) * over / (over + 1 - _KNEE), largest)
    if mapping == "BT.2020":  # its white is the screen's already
        compressed = np.minimum(largest, 1)
    return np.asarray(np.clip(screen * compressed / np.maximum(largest, 1e-9), 0, 1) ** (1 / 2.4))


def _sdr(signal: Light) -> Light:
    """Display light of an ordinary signal (ITU-R BT.1886), in units of white."""
    return np.asarray(signal**2.4)


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
    """Turns pictures of one source into BT.709 `yuv420p` of limited range, scaled to `size` on the way.

    The table comes to FFmpeg as a picture (`haldclut`), since a decoding process may open no file.
    """

    def __init__(self, frame: av.VideoFrame, mapping: Mapping, size: tuple[int, int]) -> None:
        self._count = 0
        graph = av.filter.Graph()
        width, height = size
        range_ = "pc" if int(frame.color_range) == 2 else "tv"
        table = _table(mapping)
        self._pictures, colours = (
            graph.add_buffer(width=one.width, height=one.height, format=one.format, time_base=_TICK)
            for one in (frame, table)
        )
        look_up = graph.add("haldclut", "interp=tetrahedral")
        graph.link_nodes(
            self._pictures,
            graph.add("scale", f"{width}:{height}:flags=bicubic:in_color_matrix=bt2020:in_range={range_}"),
            graph.add("format", "rgb48le"),
            look_up,
            graph.add("scale", "out_color_matrix=bt709:out_range=tv"),
            graph.add("format", "yuv420p"),
            graph.add("buffersink"),
        )
        colours.link_to(look_up, 0, 1)
        graph.configure()
        colours.push(table)
        colours.push(None)
        self._graph = graph

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        """One picture; its time stamp stays."""
        stamp = frame.pts, frame.time_base
        frame.pts, frame.time_base = self._count, _TICK  # backward play would puzzle the filter
        self._count += 1
        self._pictures.push(frame)
        mapped = self._graph.vpull()
        mapped.pts, mapped.time_base = stamp
        return mapped


@cache
def _table(mapping: Mapping) -> av.VideoFrame:
    """The table as a Hald picture: all colours of the cube in a row, red changing fastest."""
    axis = np.linspace(0, 1, _EDGE**2)
    blue, green, red = np.meshgrid(axis, axis, axis, indexing="ij")
    rows = shown(np.stack([red, green, blue], axis=-1).reshape(-1, 3), mapping)
    picture = np.round(rows * 65535).astype(np.uint16).reshape(_EDGE**3, _EDGE**3, 3)
    frame = av.VideoFrame.from_ndarray(picture, "rgb48le")
    frame.pts, frame.time_base = 0, _TICK
    return frame
