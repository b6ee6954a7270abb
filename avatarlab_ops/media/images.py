"""Still images: measured from their headers before a pixel is unpacked, then decoded upright to RGB."""

from __future__ import annotations

import io
import mmap
import re
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pi_heif
from PIL import Image, ImageCms

from avatarlab_ops.errors import MediaRefused
from avatarlab_ops.frames import Alpha, Frame
from avatarlab_ops.media.isobmff import largest_picture

NEUTRAL = (128, 128, 128)  # what shows through a portrait with alpha
_CLEAR, _CUT_OUT = 128, 0.01  # a share of pixels less opaque than half makes an alpha channel a matte
_MOST_PARTS = 10_000  # chunks or segments in front of the pixels
_MOST_SCANS = 64  # passes of a progressive JPEG; encoders make about ten, each costs time for every pixel
_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")  # among packed pixels 0xff precedes 0 or a restart
_SOF = {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}

_ORIENTATION = 0x0112  # of EXIF
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class ImageHeader:
    """Stored size in pixels (before EXIF rotation) and whether the file holds several pictures."""

    width: int
    height: int
    animated: bool


def measure(path: Path, format_: str) -> ImageHeader:
    """Read size and animation flag of an image from its header. Raises MediaRefused.

    `format_` is PNG, JPEG, WEBP, HEIF or AVIF; of the last two the size is that of their largest picture.
    """
    readers = {"PNG": _png, "JPEG": _jpeg, "WEBP": _webp, "HEIF": _heif, "AVIF": _heif}
    try:
        with path.open("rb") as file:
            header = readers[format_](file)
    except (IndexError, ValueError) as error:
        raise MediaRefused(
            f"{path.name} has a damaged {format_} header ({error}). Export it again."
        ) from error
    if header.width < 1 or header.height < 1:
        raise MediaRefused(
            f"{path.name} claims a size of {header.width}x{header.height} pixels. Export it again."
        )
    return header


def load(path: Path, format_: str, *, max_short_side_px: int | None = None) -> tuple[Frame, tuple[str, ...]]:
    """Decode upright to RGB uint8 [h, w, 3], short side scaled down to fit; with notes for the report.

    What is transparent lies over neutral grey. The caller has checked the size by `measure`. Raises
    MediaRefused when the data are damaged, or open as another size than the header said.
    """
    with _opened(path, format_) as image:
        return _upright_rgb(image, max_short_side_px)


def load_alpha(path: Path, format_: str, *, max_short_side_px: int | None = None) -> Alpha | None:
    """Opacity uint8 [h, w] of the picture that `load` gives; None where nothing is clearly transparent."""
    with _opened(path, format_) as image:
        if not image.has_transparency_data:
            return None
        alpha = _scaled(_upright(image).convert("RGBA").getchannel("A"), max_short_side_px)
    opacity = np.ascontiguousarray(alpha)
    return opacity if cuts_out(opacity) else None


def cuts_out(alpha: Alpha) -> bool:
    """Tell whether an alpha channel uint8 [h, w] is a matte: something is clearly transparent."""
    return bool((alpha < _CLEAR).mean() >= _CUT_OUT)


@contextmanager
def _opened(path: Path, format_: str) -> Iterator[Image.Image]:
    """The picture, in a block where what goes wrong with its data is MediaRefused."""
    header = measure(path, format_)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's own bomb warning: our limit was applied before
            if format_ == "HEIF":
                pi_heif.register_heif_opener()
            with path.open("rb") as file, Image.open(file, formats=[format_]) as image:
                if not _fits(image, header, format_):
                    raise ValueError(
                        f"its header says {header.width}x{header.height} pixels, its data "
                        f"{image.width}x{image.height}"
                    )
                yield image
    except (EOFError, OSError, RuntimeError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise MediaRefused(
            f"{path.name} cannot be decoded ({error}). Export it again as PNG or JPEG."
        ) from error


def _fits(image: Image.Image, header: ImageHeader, format_: str) -> bool:
    """Tell whether an opened image is what its header said; HEIF may turn and crop it."""
    if format_ in {"HEIF", "AVIF"}:
        return image.width * image.height <= header.width * header.height
    return image.size == (header.width, header.height)


def _upright_rgb(image: Image.Image, max_short_side_px: int | None) -> tuple[Frame, tuple[str, ...]]:
    if max_short_side_px and min(image.size) > 2 * max_short_side_px:
        image.draft("RGB", (2 * max_short_side_px, 2 * max_short_side_px))  # JPEG decodes smaller, for free
    notes: list[str] = []
    picture = _to_srgb(_to_8_bit(_upright(image)), notes)
    if picture.has_transparency_data:
        picture = _flatten(picture.convert("RGBA"), notes)
    return np.ascontiguousarray(_scaled(picture.convert("RGB"), max_short_side_px)), tuple(notes)


def _upright(image: Image.Image) -> Image.Image:
    """Turned as EXIF says, which is written by no one rule: what cannot be read there means upright."""
    try:
        turn = _TURNS.get(image.getexif().get(_ORIENTATION, 1))
    except (AttributeError, KeyError, OverflowError, SyntaxError, TypeError, ValueError, struct.error):
        turn = None
    return image if turn is None else image.transpose(turn)


def _scaled(picture: Image.Image, max_short_side_px: int | None) -> Image.Image:
    """With its short side scaled down to fit."""
    if not max_short_side_px or min(picture.size) <= max_short_side_px:
        return picture
    scale = max_short_side_px / min(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.LANCZOS)


def _to_8_bit(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8))
    return image


def _to_srgb(image: Image.Image, notes: list[str]) -> Image.Image:
    profile = image.info.get("icc_profile")
    if not profile or image.mode not in {"RGB", "RGBA", "CMYK"}:
        return image
    try:
        mode = "RGBA" if image.mode == "RGBA" else "RGB"
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode=mode)
    except (ImageCms.PyCMSError, OSError):
        notes.append("the image's colour profile is damaged; its colours were taken as sRGB")
        return image
    return converted if converted is not None else image


def _flatten(image: Image.Image, notes: list[str]) -> Image.Image:
    if image.getchannel("A").getextrema() == (255, 255):
        return image
    notes.append("the image has transparent parts; where its own background is shown they are neutral grey")
    base = Image.new("RGBA", image.size, (*NEUTRAL, 255))
    base.alpha_composite(image)
    return base


def _png(file: BinaryIO) -> ImageHeader:
    head = file.read(24)
    if head[12:16] != b"IHDR":
        raise ValueError("no IHDR chunk")
    size = int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
    file.seek(8)
    kinds = list(_png_chunks(file))
    if kinds.count(b"IHDR") > 1:
        raise ValueError("two IHDR chunks")
    return ImageHeader(*size, animated=b"acTL" in kinds)


def _png_chunks(file: BinaryIO) -> Iterator[bytes]:
    for _ in range(_MOST_PARTS):
        head = file.read(8)
        if len(head) < 8 or head[4:] == b"IDAT":
            return
        yield head[4:]
        file.seek(int.from_bytes(head[:4], "big") + 4, io.SEEK_CUR)  # payload and checksum
    raise ValueError(f"more than {_MOST_PARTS:,} chunks before its pixels")


def _jpeg(file: BinaryIO) -> ImageHeader:
    size: tuple[int, int] | None = None
    scans = 0
    for marker, payload in _jpeg_segments(file):
        if marker in _SOF:
            if size is not None:
                raise ValueError("two frame headers")
            size = int.from_bytes(payload[3:5], "big"), int.from_bytes(payload[1:3], "big")
        scans += marker == 0xDA
        if scans > _MOST_SCANS:
            raise ValueError(f"more than {_MOST_SCANS} scans")
    if size is None:
        raise ValueError("no frame header")
    return ImageHeader(*size, animated=False)


def _jpeg_segments(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """(marker, payload) up to the end of the first picture; packed pixels and padding are passed over."""
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        at = 2
        for _ in range(_MOST_PARTS):
            found = _MARKER.search(data, at)
            if found is None or found[1] == b"\xd9":
                return
            at = found.end()
            length = int.from_bytes(data[at : at + 2], "big")
            if length < 2:
                raise ValueError("segment too short")
            yield found[1][0], data[at + 2 : at + length]
            at += length
    raise ValueError(f"more than {_MOST_PARTS:,} segments")


def _webp(file: BinaryIO) -> ImageHeader:
    head = file.read(40)
    kind, data = head[12:16], head[20:]
    if kind == b"VP8X":
        width, height = 1 + int.from_bytes(data[4:7], "little"), 1 + int.from_bytes(data[7:10], "little")
        return ImageHeader(width, height, animated=bool(data[0] & 2))
    if kind == b"VP8L":
        bits = int.from_bytes(data[1:5], "little")
        return ImageHeader(1 + (bits & 0x3FFF), 1 + ((bits >> 14) & 0x3FFF), animated=False)
    if kind == b"VP8 ":
        width, height = int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")
        return ImageHeader(width & 0x3FFF, height & 0x3FFF, animated=False)
    raise ValueError("unknown first chunk")


def _heif(file: BinaryIO) -> ImageHeader:
    size = file.seek(0, io.SEEK_END)
    return ImageHeader(*largest_picture(file, size, Path(file.name).name), animated=False)
