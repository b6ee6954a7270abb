"""Inputs for tests, made or found on the machine."""

from __future__ import annotations

from fractions import Fraction
from importlib import metadata
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from kit.consented import consented
from numpy.typing import NDArray

from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.objects import objects


def located(package: str, name: str) -> Path:
    """A file that an installed package carries."""
    distribution = metadata.distribution(package)
    found = [file for file in distribution.files or [] if file.name == name]
    return Path(str(distribution.locate_file(found[0])))


def astronaut() -> NDArray[np.uint8]:
    """The public-domain portrait, RGB uint8 [512, 512, 3]."""
    return np.ascontiguousarray(cv2.imread(str(located("scikit-image", "astronaut.png")))[..., ::-1])


def upload(settings: Settings, key: str, content: bytes | Path) -> str:
    """Put an input, with consent to its use as a likeness, and return its reference."""
    consented(settings, content)
    objects(settings).put_if_absent(settings.bucket_inputs, key, content)
    return f"s3://{settings.bucket_inputs}/{key}"


def asked(portrait: str, script: str = "Hi.", **change: Any) -> dict[str, Any]:
    """A small request."""
    shape = {"resolution": "360p", "aspect": "1:1"}
    return {"script": script, "avatar": {"uri": portrait}, "output": shape} | change


def png(rgb: NDArray[np.uint8]) -> bytes:
    """A picture as PNG."""
    return bytes(cv2.imencode(".png", rgb[..., ::-1])[1])


def clip(
    path: Path, frames: list[NDArray[np.uint8]], *, fps: int = 25, options: dict[str, str] | None = None
) -> Path:
    """An H.264 file of RGB frames."""
    with av.open(str(path), "w", options=options or {}) as container:
        stream = container.add_stream("libx264", rate=fps, options={"preset": "ultrafast"})
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for rgb in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def tone(path: Path) -> Path:
    """A file of sound only."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48_000)
        samples = np.zeros((1, 1024), np.float32)
        for index in range(50):
            frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
            frame.rate, frame.pts, frame.time_base = 48_000, index * 1024, Fraction(1, 48_000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def animation(path: Path) -> Path:
    """An animated GIF."""
    with av.open(str(path), "w", format="gif") as container:
        stream = container.add_stream("gif", rate=10)
        stream.width = stream.height = 128
        stream.pix_fmt = "rgb8"
        for level in (0, 120, 240):
            rgb = np.full((128, 128, 3), level, np.uint8)
            container.mux(
                stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format="rgb8"))
            )
        container.mux(stream.encode(None))
    return path
