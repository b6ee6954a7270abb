"""What stages hand each other: mattes (lossless) and mouth patches (near-lossless), streaming and small."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from avatarlab_ops.errors import InvariantBroken
from avatarlab_ops.frames import Alpha, Patch
from avatarlab_ops.media.clip import Clip, luma_of

_GOP = 24  # short, so that backward play is cheap
_LOSSLESS = {"preset": "ultrafast", "qp": "0", "bf": "0", "threads": "4"}
_NEAR_LOSSLESS = {"preset": "veryfast", "crf": "6", "bf": "0", "threads": "4"}
_PLACEMENT = np.dtype([("source_index", "<i4"), ("x", "<i4"), ("y", "<i4"), ("motion", "<f4", (2, 3))])
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same content gives the same bytes


class AlphaClip:
    """Mattes by index: uint8 [height, width], exactly as written; forward and backward access are cheap."""

    def __init__(self, path: Path) -> None:
        self._clip = Clip(path, "luma")
        self.width, self.height = self._clip.size

    def __len__(self) -> int:
        return len(self._clip)

    def __getitem__(self, index: int) -> Alpha:
        return luma_of(self._clip[index])

    def __iter__(self) -> Iterator[Alpha]:
        return (self[index] for index in range(len(self)))

    def close(self) -> None:
        """Close the file."""
        self._clip.close()

    def __enter__(self) -> AlphaClip:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def write_alpha(path: Path, mattes: Iterable[Alpha], fps: float) -> int:
    """Write mattes losslessly (monochrome H.264 in Matroska); returns how many."""
    with _Stream(path, "gray", _LOSSLESS, fps) as stream:
        for matte in mattes:
            stream.write(matte)
    return stream.frames


def read_alpha(path: Path) -> AlphaClip:
    """Open mattes written by `write_alpha`."""
    return AlphaClip(path)


def write_patches(path: Path, patches: Iterable[Patch], fps: float) -> int:
    """Write patches into one file (a ZIP of colour.mkv, alpha.mkv, placement.npy); returns how many.

    Colour is near-lossless, alpha and placement are exact. Memory holds one patch, and 36 bytes per frame.
    """
    path = Path(path)
    placement: list[tuple[Any, ...]] = []
    with tempfile.TemporaryDirectory(prefix=".patches-", dir=path.parent) as folder:
        parts = [Path(folder) / name for name in ("colour.mkv", "alpha.mkv", "placement.npy")]
        with (
            _Stream(parts[0], "rgb24", _NEAR_LOSSLESS, fps) as colour,
            _Stream(parts[1], "gray", _LOSSLESS, fps) as alpha,
        ):
            for patch in patches:
                colour.write(patch.rgb)
                alpha.write(patch.alpha)
                placement.append((patch.source_index, patch.x, patch.y, patch.motion))
        np.save(parts[2], np.array(placement, _PLACEMENT))
        _pack(path, parts)
    return len(placement)


@contextmanager
def read_patches(path: Path) -> Iterator[Iterator[Patch]]:
    """Open patches written by `write_patches`: an iterator over them, in order.

    They are unpacked beside the file while it is open, and gone after it, however far they were read.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=".patches-", dir=path.parent)))
        with zipfile.ZipFile(path) as archive:
            archive.extractall(folder)  # our own artifact; names are fixed by write_patches
        placement = np.load(folder / "placement.npy", allow_pickle=False)
        colour = _decoded(stack, folder / "colour.mkv", "rgb24")
        alpha = _decoded(stack, folder / "alpha.mkv", "gray")
        yield (
            Patch(int(row["source_index"]), int(row["x"]), int(row["y"]), rgb, matte, row["motion"].copy())
            for row, rgb, matte in zip(placement, colour, alpha, strict=True)
        )


class _Stream:
    """One encoded stream of equal-sized pictures, opened at the first."""

    def __init__(self, path: Path, format_: str, options: dict[str, str], fps: float) -> None:
        self._path, self._format, self._options = path, format_, options
        self._rate = Fraction(fps).limit_denominator(1001)
        self._output = av.open(str(path), "w", format="matroska", options={"fflags": "+bitexact"})
        self._stream: Any = None
        self.frames = 0

    def write(self, picture: np.ndarray) -> None:
        if self._stream is None:
            self._open(picture.shape[1], picture.shape[0])
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), self._format)
        if self._format == "rgb24":
            frame = frame.reformat(format="yuv444p", dst_colorspace=1, src_color_range=2, dst_color_range=2)
        frame.pts, frame.time_base = self.frames, 1 / self._rate
        self._output.mux(self._stream.encode(frame))
        self.frames += 1

    def _open(self, width: int, height: int) -> None:
        self._stream = self._output.add_stream("libx264", rate=self._rate, options=dict(self._options))
        self._stream.width, self._stream.height, self._stream.gop_size = width, height, _GOP
        self._stream.pix_fmt = "gray" if self._format == "gray" else "yuv444p"
        context = self._stream.codec_context
        context.time_base = 1 / self._rate
        context.color_range, context.colorspace = 2, 1  # full range, BT.709

    def __enter__(self) -> _Stream:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None and self._stream is None:
            self._output.close()
            raise InvariantBroken(f"{self._path.name}: an engine gave no pictures at all")
        if kind is None:
            self._output.mux(self._stream.encode(None))
        self._output.close()
        if kind is not None:
            self._path.unlink(missing_ok=True)


def _pack(path: Path, parts: list[Path]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for part in parts:
            with (
                part.open("rb") as source,
                archive.open(zipfile.ZipInfo(part.name, _EPOCH), "w", force_zip64=True) as target,
            ):
                while block := source.read(1 << 20):
                    target.write(block)


def _decoded(stack: ExitStack, path: Path, format_: str) -> Iterator[np.ndarray]:
    container = stack.enter_context(av.open(str(path), format="matroska"))
    for frame in container.decode(video=0):
        if format_ == "gray":
            yield luma_of(frame)
        else:
            yield frame.to_ndarray(format="rgb24", src_colorspace=1, src_color_range=2, dst_color_range=2)
