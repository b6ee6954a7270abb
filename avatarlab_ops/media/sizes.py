"""Sizes of pictures that are scaled down to a shorter side and have even sides, as video codecs need them."""

from __future__ import annotations


def even(side: int) -> int:
    """Largest even number not above `side`, at least 2."""
    return max(2, side - side % 2)


def fitted(size: tuple[int, int], max_short_side_px: int) -> tuple[int, int]:
    """Width and height, even, of a picture of `size` whose shorter side is scaled down to fit.

    >>> fitted((643, 363), 720), fitted((1920, 1081), 720)
    ((642, 362), (1278, 720))
    """
    scale = min(1.0, max_short_side_px / min(size))
    return even(round(size[0] * scale)), even(round(size[1] * scale))
