"""What stands behind the person: a colour, an image, a looped video, or the source's background, blurred."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import cv2
import numpy as np

from avatarlab_ops.errors import RequestInvalid
from avatarlab_ops.frames import Alpha, Frame
from avatarlab_ops.media import foreign
from avatarlab_ops.media.footage import Footage
from avatarlab_ops.media.geometry import Matrix, Rect, after, cover, covering_side, warp
from avatarlab_ops.media.keying import local_mean
from avatarlab_ops.request import KINDS, BackgroundKind
from avatarlab_ops.request import Background as Asked


@dataclass(frozen=True)
class Background:
    """`colour` for kind colour, `blur_strength` 0 to 1.

    For image and video `path`, a probed local file, and `size`, its width and height in pixels as shown.
    """

    kind: BackgroundKind = "original"
    colour: tuple[int, int, int] = (0, 0, 0)
    path: Path | None = None
    size: tuple[int, int] | None = None
    blur_strength: float = 0.5

    @property
    def needs_matte(self) -> bool:
        """Everything but the original background does."""
        return KINDS[self.kind].cut_out

    @classmethod
    def of(cls, asked: Asked, path: Path | None, size: tuple[int, int] | None) -> Self:
        """The background that a request asks for, its object of `size` fetched to `path`."""
        colour = parse_colour(asked.colour) if asked.colour else (0, 0, 0)
        return cls(asked.kind, colour, path, size, asked.blur_strength)


def parse_colour(text: str) -> tuple[int, int, int]:
    """Read "#rrggbb" or "#rgb". Raises RequestInvalid.

    >>> parse_colour("#0a80ff")
    (10, 128, 255)
    """
    digits = text.removeprefix("#")
    if len(digits) == 3:
        digits = "".join(2 * digit for digit in digits)
    try:
        if len(digits) != 6 or not text.startswith("#"):
            raise ValueError(text)
        return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16)
    except ValueError as error:
        raise RequestInvalid(
            f'colour {text!r} is not known; write it as "#rrggbb", e.g. "#0a80ff".'
        ) from error


class Plates:
    """The background of each of `total` output frames, RGB uint8 [height, width, 3], not to be written into.

    A video is read as far as they show it, and no larger than it covers them.
    """

    def __init__(
        self, background: Background, size: tuple[int, int], fps: float, source_fit: Matrix, *, total: int
    ) -> None:
        self._size, self._kind, self._fit = size, background.kind, source_fit
        self._strength = background.blur_strength
        self._footage: Footage | None = None
        self._fixed: Frame | None = None
        if background.kind in {"original", "colour"}:  # beside an original that does not fill: black
            self._fixed = np.full((size[1], size[0], 3), background.colour, np.uint8)
        elif background.kind in {"image", "video"}:
            if background.path is None or background.size is None:
                raise RequestInvalid(
                    f"background kind {background.kind} needs a file; name one in background.uri."
                )
            self._footage = foreign.open_footage(
                background.path, fps=fps, max_short_side_px=covering_side(background.size, size),
                part=(0.0, total / fps), forward=True,
            )  # fmt: skip
            if self._footage.still:
                self._fixed = self._fitted(self._footage[0])

    @property
    def fixed(self) -> bool:
        """Tell whether every frame has the same plate."""
        return self._fixed is not None

    def frame(self, index: int, source: Frame, alpha: Alpha, *, still: bool) -> Frame:
        """Plate of output frame `index`; `source` and `alpha` are the unmoved footage frame and its matte."""
        if self._fixed is not None:
            return self._fixed
        if self._footage is not None:
            return self._fitted(self._footage[index % len(self._footage)])
        plate = blurred_background(source, alpha, self._fit, self._size, self._strength)
        if still:
            self._fixed = plate
        return plate

    def close(self) -> None:
        """Release a background video."""
        if self._footage is not None:
            self._footage.close()

    def _fitted(self, picture: Frame) -> Frame:
        matrix = cover((picture.shape[1], picture.shape[0]), self._size)
        return warp(picture, matrix, Rect(0, 0, *self._size))


def blurred_background(
    source: Frame, alpha: Alpha, fit: Matrix, size: tuple[int, int], strength: float
) -> Frame:
    """Blur the background of a source frame alone: what the person hides is filled from around it.

    strength in (0, 1] is a blur radius of up to 6 % of the frame's height. Source size in, output `size` out.
    """
    radius = max(1.0, 0.06 * strength * source.shape[0])
    shrink = max(1, min(8, int(radius / 2)))
    low = (max(1, source.shape[1] // shrink), max(1, source.shape[0] // shrink))
    small = np.asarray(cv2.resize(source, low, interpolation=cv2.INTER_AREA), np.float32)
    thin = cv2.resize(alpha, low, interpolation=cv2.INTER_AREA)
    filled = small.copy()
    person = thin > 5
    filled[person] = local_mean(small, ~person, max(1, round(radius / shrink)))[person]
    soft = cv2.GaussianBlur(filled, (0, 0), max(0.5, radius / shrink / 2), borderType=cv2.BORDER_REPLICATE)
    sx, sy = source.shape[1] / low[0], source.shape[0] / low[1]
    matrix = after(fit, np.array([[sx, 0, sx / 2 - 0.5], [0, sy, sy / 2 - 0.5]]))
    return warp(np.clip(soft + 0.5, 0, 255).astype(np.uint8), matrix, Rect(0, 0, *size))
