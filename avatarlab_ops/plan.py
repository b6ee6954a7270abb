"""What `admit` decided: every reference resolved to a digest, every default written out."""

from __future__ import annotations

import math

from pydantic import BaseModel, ConfigDict

from avatarlab_ops.request import Background, Engines, Motion, Output

ASPECTS = {"16:9": (16, 9), "9:16": (9, 16), "1:1": (1, 1), "4:5": (4, 5)}
PERSON_READ = 1.25
STILL_FPS = 25.0  # a picture has no frame rate; one value lets every output share its face track and matte


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(_Part):
    """One object of the inputs bucket as it was when the request was admitted. Lengths in seconds."""

    uri: str
    sha256: str
    bytes: int
    kind: str  # image | video | audio
    width: int  # pixels, 0 for sound
    height: int
    fps: float | None = None
    frames: int | None = None
    duration_s: float | None = None


class Spoken(_Part):
    """One sentence and the silence after it, in seconds."""

    text: str
    pause_s: float


class Picture(_Part):
    """Size in pixels (even) and frame rate of what is encoded, and how the avatar fills it."""

    width: int
    height: int
    fps: int
    container: str
    fit: str  # person | cover | contain


class FootageSpec(_Part):
    """How the avatar's frames are read; face, matte, lip-sync and composite must all read them alike."""

    fps: float
    max_short_side_px: int


ROLES = ("avatar", "backdrop", "voice_sample")  # fields of Plan that are input objects


class Plan(_Part):
    """The resolved request: all that stages know of it."""

    script: tuple[Spoken, ...]
    language: str
    voice: str
    voice_sample: Source | None = None
    voice_transcript: str | None = None  # what is said in the sample
    avatar: Source
    backdrop: Source | None
    background: Background
    picture: Picture
    footage: FootageSpec
    captions: str
    engines: Engines
    motion: Motion
    seed: int
    warnings: tuple[str, ...] = ()


def picture(output: Output, background: Background, source_width: int, source_height: int) -> Picture:
    """Size of the video: the shorter side is the resolution; `source` is never scaled up."""
    short = int(output.resolution.removesuffix("p"))
    if output.aspect == "source":
        scale = min(1.0, short / min(source_width, source_height))
        width, height = source_width * scale, source_height * scale
    else:
        across, down = ASPECTS[output.aspect]
        unit = short / min(across, down)
        width, height = across * unit, down * unit
    replaced = background.kind not in ("original", "blur")
    fit = output.fit or ("person" if replaced else "cover")
    return Picture(
        width=_even(width), height=_even(height), fps=output.fps, container=output.container, fit=fit
    )


def footage_spec(output: Picture, avatar: Source) -> FootageSpec:
    """Read no more pixels than the picture can show when the footage is cropped to cover it.

    A person who is placed may be shown somewhat larger than that.
    """
    cover = max(output.width / avatar.width, output.height / avatar.height)
    cover *= PERSON_READ if output.fit == "person" else 1.0
    short = min(avatar.width, avatar.height)
    needed = min(short, math.ceil(short * min(1.0, cover)))
    fps = STILL_FPS if avatar.kind == "image" else float(output.fps)
    return FootageSpec(fps=fps, max_short_side_px=max(2, needed + needed % 2))


def _even(length: float) -> int:
    return max(2, 2 * round(length / 2))
