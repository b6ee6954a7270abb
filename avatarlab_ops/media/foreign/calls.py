"""What may be asked about a foreign file."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter, ValidationError

from avatarlab_ops.errors import MediaRefused
from avatarlab_ops.media import pictureprint
from avatarlab_ops.media.audio import Samples
from avatarlab_ops.media.credentials import Credentials
from avatarlab_ops.media.footage import WHOLE, Footage, Part
from avatarlab_ops.media.foreign.confine import CPU_S
from avatarlab_ops.media.foreign.frames import ForeignFootage, Shape, shared_memory
from avatarlab_ops.media.foreign.link import Link
from avatarlab_ops.media.limits import Limits
from avatarlab_ops.media.pictureprint import LOOK_BYTES, Seen
from avatarlab_ops.media.probe import MediaInfo
from avatarlab_ops.media.sniff import Kind

LOOK_WAIT_S = 600.0  # a busy machine is no fault of the file: CPU_S bounds the work, this ends what sleeps
OPEN_WAIT_S = 1200.0  # footage whose key pictures lie far apart is copied once when it is opened
_INFO = TypeAdapter(MediaInfo)
_CREDENTIALS = TypeAdapter(Credentials)


def probe(
    path: Path, limits: Limits | None = None, *, allow: tuple[Kind, ...] = ("image", "video")
) -> MediaInfo:
    """Like `media.probe.probe`. Raises MediaRefused."""
    asked = {"do": "probe", "limits": asdict(limits or Limits()), "allow": list(allow)}
    with Link(path) as link:
        return _INFO.validate_python(link.begin(asked, wait_s=LOOK_WAIT_S))


def read_sound(path: Path, sample_rate: int, *, max_s: float, beginning: bool = False) -> Samples:
    """Like `media.sound.read_sound`. Raises MediaRefused."""
    most = round((max_s + 1) * sample_rate)
    memory = shared_memory("avatarlab-sound", most * 4)
    try:
        with Link(path) as link:
            asked = {"do": "sound", "hz": sample_rate, "max_s": max_s, "beginning": beginning}
            count = int(link.begin(asked, wait_s=LOOK_WAIT_S, memory=[memory])["samples"])
        with os.fdopen(os.dup(memory), "rb") as file:
            return np.frombuffer(file.read(4 * min(count, most)), np.float32).copy()
    finally:
        os.close(memory)


def watch(path: Path, *, most_s: float) -> Seen:
    """Like `media.pictureprint.watch`, for half the child's processor time. Raises MediaRefused."""
    most = round((most_s + 1) * pictureprint.HZ)
    memory = shared_memory("avatarlab-motion", LOOK_BYTES + most * 8)
    try:
        with Link(path) as link:
            asked = {"do": "motion", "max_s": most_s, "cpu_s": CPU_S / 2}
            count = min(most, int(link.begin(asked, wait_s=LOOK_WAIT_S, memory=[memory])["values"]))
        with os.fdopen(os.dup(memory), "rb") as file:
            look = np.frombuffer(file.read(LOOK_BYTES), np.uint8).reshape(pictureprint.LOOK, -1)
            curves = np.frombuffer(file.read(8 * count), np.float32).reshape(2, -1)
        return Seen(np.nan_to_num(curves), look)
    finally:
        os.close(memory)


def read_credentials(path: Path, sidecar: Path | None = None, *, anchor: str = "") -> Credentials | None:
    """Like `media.credentials.read`. Raises MediaRefused."""
    with Link(path) as link, (sidecar or path).open("rb") as beside:
        asked = {"do": "credentials", "anchor": anchor, "sidecar": sidecar is not None}
        found = link.begin(asked, wait_s=LOOK_WAIT_S, memory=[beside.fileno()])
    return _CREDENTIALS.validate_python(found) if found else None


def open_footage(
    path: Path, *, fps: float, max_short_side_px: int, part: Part = WHOLE, forward: bool = False
) -> Footage:
    """Like `media.footage.open_footage`; one child decodes it until it is closed. Raises MediaRefused."""
    footage = _open(path, fps, do="footage", max_short_side_px=max_short_side_px, part=part, forward=forward)
    assert footage is not None  # noqa: S101  (it has a picture, or was refused)
    return footage


def open_matte(path: Path, *, fps: float, max_short_side_px: int, part: Part = WHOLE) -> Footage | None:
    """Like `media.footage.open_matte`. Raises MediaRefused."""
    return _open(path, fps, do="matte", max_short_side_px=max_short_side_px, part=part)


def _open(path: Path, fps: float, **asked: object) -> Footage | None:
    link = Link(path)
    try:
        shape = link.begin({"fps": fps, **asked}, wait_s=OPEN_WAIT_S)
        if shape["frames"]:
            return ForeignFootage(link, fps, _checked(path, shape))
    except BaseException:
        link.close()
        raise
    link.close()
    return None


def _checked(path: Path, shape: object) -> Shape:
    """What the child says, if it can be true. Raises MediaRefused."""
    try:
        return Shape.model_validate(shape)
    except ValidationError as error:
        raise MediaRefused(
            f"{path.name}: its decoder reported impossible sizes or rates, so the file is damaged or "
            "hostile. Export it again."
        ) from error
