"""What `admit` decided: every reference resolved to a digest, every default written out."""

from __future__ import annotations

import math
from typing import Any, Literal, cast

from pydantic import BaseModel, ConfigDict

from avatarlab_ops import environment
from avatarlab_ops.environment import AiLabel
from avatarlab_ops.media.sizes import fitted
from avatarlab_ops.request import Background, Captions, Container, Fit, Motion, Output

RATIOS = {"16:9": (16, 9), "9:16": (9, 16), "1:1": (1, 1), "4:5": (4, 5)}
PERSON_READ = 1.25
READ_FACE_PX = 64.0  # longer edge of a face as it is read: below, lips have no shape
SAME_RATE = 0.003  # by how much of itself a rate may be off: 29.97 as measured is 30,000 / 1,001
SLOWEST_FPS, FASTEST_FPS = 12.0, 60.0  # of a video at its footage's own rate
RATES = (24_000 / 1001, 24, 25, 30_000 / 1001, 30, 48, 50, 60_000 / 1001, 60)  # what films and cameras use
STILL_FPS = 25.0  # a picture has no frame rate; one value lets every output share its face track and matte
SourceKind = Literal["image", "video", "audio", "text"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    def record(self) -> dict[str, Any]:
        """The plan as JSON values, without fields that say nothing: code that lacks a field reads it, too."""
        return cast(dict[str, Any], _saying(self, self.model_dump(mode="json")))


class Marks(_Part):
    """Content credentials that an input came with: label, whose word they are, do they fit its bytes."""

    manifest: str
    issuer: str
    generator: str
    intact: bool

    def __str__(self) -> str:
        fit = "fit" if self.intact else "do not fit"
        whose = f"of {self.generator}, signed by {self.issuer}"
        return f"content credentials {self.manifest} {whose}, which {fit} its bytes"


class Source(_Part):
    """One object of the inputs bucket as it was when the request was admitted. Lengths in seconds."""

    uri: str
    sha256: str
    bytes: int
    kind: SourceKind
    width: int  # pixels, 0 for sound
    height: int
    fps: float | None = None  # on average
    usual_fps: float | None = None  # of most pictures, where the rate varies
    frames: int | None = None
    duration_s: float | None = None
    notes: tuple[str, ...] = ()  # what was noticed when it was probed
    marks: Marks | None = None
    sound: bool = False  # whether it holds any
    probed: str = ""  # by which version of the probe
    own_alpha: bool | None = None  # of a clip with an alpha channel: whether that is its matte
    read_as: tuple[str, ...] = ()  # how its pictures differ from what earlier versions read; made anew by it


class Look(_Part):
    """What admission saw of the avatar: its face's longer edge in the file's own pixels, and from when on."""

    face_px: float
    from_s: float = 0.0
    notes: tuple[str, ...] = ()


class Spoken(_Part):
    """One sentence as `engines.base.Sentence` tells it."""

    text: str
    pause_s: float
    said: str = ""
    sounds: tuple[tuple[int, str], ...] = ()
    rate: float = 1.0
    language: str = ""


class Engines(_Part):
    """Name of the engine of each kind that a request may name."""

    speech: str
    lipsync: str
    matting: str


class Picture(_Part):
    """Size in pixels (even) and frame rate of what is encoded, and how the avatar fills it."""

    width: int
    height: int
    fps: int | float
    container: Container
    fit: Fit
    ai_label: AiLabel = "none"


class FootageSpec(_Part):
    """How the avatar's frames are read; face, matte, lip-sync and composite must all read them alike."""

    fps: float
    max_short_side_px: int
    start_s: float = 0.0
    end_s: float | None = None  # None: the footage's own end

    @property
    def part(self) -> tuple[float, float | None]:
        """From and until, in seconds."""
        return self.start_s, self.end_s


# Fields of Plan that are input objects.
ROLES = ("avatar", "backdrop", "voice_sample", "narration", "lexicon")


class Plan(_Part):
    """The resolved request: all that stages know of it."""

    script: tuple[Spoken, ...]  # none where only the narration tells what is said
    chapters: tuple[tuple[int, str], ...] = ()  # index of the sentence that each begins with, and its title
    language: str
    voice: str
    voice_sample: Source | None = None
    voice_transcript: str | None = None  # what is said in the sample
    narration: Source | None = None  # heard instead of the voice, which times its words
    lexicon: Source | None = None  # `script` follows it already
    avatar: Source
    backdrop: Source | None
    background: Background
    picture: Picture
    footage: FootageSpec
    captions: Captions
    engines: Engines
    motion: Motion
    seed: int
    warnings: tuple[str, ...] = ()


NOTHING: tuple[object, ...] = (None, "", (), False)  # defaults that say nothing


def _saying(value: object, told: Any) -> object:
    """`told`, the value as JSON, without the fields of a model that say nothing, as they do by default."""
    if isinstance(value, BaseModel):
        fields = {
            name: (field.default, getattr(value, name)) for name, field in type(value).model_fields.items()
        }
        saying = [name for name, (default, one) in fields.items() if default not in NOTHING or one != default]
        return {name: _saying(getattr(value, name), told[name]) for name in saying}
    if isinstance(value, tuple):
        return [_saying(one, part) for one, part in zip(value, told, strict=True)]
    return told


def default_label(caller: str) -> AiLabel:
    """The label of who leaves it out, by the operator's word."""
    known = environment.read()
    named = environment.by_caller(known.ai_label_by_caller)
    return cast(AiLabel, named.get(caller, named.get("*", known.ai_label)))


def picture(
    output: Output,
    background: Background,
    source_width: int,
    source_height: int,
    *,
    source_fps: float | None = None,
    caller: str = "",
) -> Picture:
    """Size and rate of the video: the shorter side is the resolution; `source` is never scaled up.

    `source_fps`: of footage, as measured, of most pictures where it varies; None for a picture.
    """
    short = int(output.resolution.removesuffix("p"))
    if output.aspect == "source":
        width, height = fitted((source_width, source_height), short)
    else:
        across, down = RATIOS[output.aspect]
        unit = short / min(across, down)
        width, height = _even(across * unit), _even(down * unit)
    fit: Fit = output.fit or ("person" if background.behind.replaced else "cover")
    return Picture(
        width=width, height=height, container=output.container, fit=fit,
        fps=own_rate(source_fps or STILL_FPS) if output.fps == "source" else output.fps,
        ai_label=output.ai_label or default_label(caller),
    )  # fmt: skip


def own_rate(measured: float) -> int | float:
    """The rate to show footage at that runs at `measured` frames a second.

    A usual rate where it is one, else a whole number; halved or doubled until it is within bounds.

    >>> own_rate(29.9702), own_rate(119.88), own_rate(10.0), own_rate(27.4)
    (29.97002997002997, 59.94005994005994, 20, 27)
    """
    while measured > FASTEST_FPS * 1.01:
        measured /= 2
    while measured < SLOWEST_FPS:
        measured *= 2
    nearest = min(RATES, key=lambda rate: abs(rate - measured))
    if abs(nearest - measured) < nearest * SAME_RATE:
        return nearest
    return min(round(measured), int(FASTEST_FPS))


def footage_spec(output: Picture, avatar: Source, look: Look, *, end_s: float | None = None) -> FootageSpec:
    """Read no more pixels than the picture can show when the footage is cropped to cover it.

    A person who is placed may be shown somewhat larger than that, and a small face must still be seen.
    """
    cover = max(output.width / avatar.width, output.height / avatar.height)
    cover *= PERSON_READ if output.fit == "person" else 1.0
    short = min(avatar.width, avatar.height)
    share = min(1.0, max(cover, READ_FACE_PX / look.face_px))
    needed = min(short, math.ceil(short * share))
    fps = STILL_FPS if avatar.kind == "image" else float(output.fps)
    return FootageSpec(
        fps=fps, max_short_side_px=max(2, needed + needed % 2), start_s=look.from_s, end_s=end_s
    )


def _even(length: float) -> int:
    return 2 * round(length / 2)
