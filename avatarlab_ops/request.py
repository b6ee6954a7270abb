"""What a caller may ask for: the one source of the Airflow form, the REST contract and docs/request.md.

A nested field may be written nested, `{"output": {"fps": 25}}`, or with a dot, `{"output.fps": 25}`, as
forms do.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from avatarlab_ops import strict_json
from avatarlab_ops.environment import AiLabel
from avatarlab_ops.errors import InputError, RequestInvalid
from avatarlab_ops.fields import (
    KEY,
    MAX_LINES,
    MAX_PAUSE_S,
    MAX_SCRIPT_CHARACTERS,
    Colour,
    Name,
    Part,
    Plain,
    Reference,
    Speakable,
    Tag,
    Zoned,
)
from avatarlab_ops.refusal import refusal
from avatarlab_ops.retention import retention_of

MIN_PART_S = 0.2  # of footage
LONGEST_TITLE = 100  # of a chapter
MAX_SAMPLE_S = 30.0  # of a voice to clone
MAX_TRANSCRIPT_CHARACTERS = 1_000  # thirty seconds of the fastest speech
OF_ONE_ORDER = frozenset({"idempotency_key", "deadline"})  # no part of what is asked for


def _left_out(value: object) -> bool:
    """Whether a later field says nothing: a stored request is without it then, for earlier code."""
    return value is None


class Line(Part):
    """One line of a script and the silence after it."""

    text: Speakable = Field(description="What is said.", examples=["Good morning."])
    pause_s: float | None = Field(
        default=None,
        ge=0,
        le=MAX_PAUSE_S,
        description="Silence after the line, in seconds; left out: a natural pause.",
    )
    chapter: Annotated[Plain, Field(min_length=1, max_length=LONGEST_TITLE)] | None = Field(
        default=None,
        exclude_if=_left_out,
        description="Title of the chapter that begins with the line; shown, not said.",
        examples=[None],
    )


class Avatar(Part):
    """The likeness."""

    uri: Reference = Field(
        title="Avatar",
        description="Portrait image or footage of one person, as an object in the inputs bucket. The largest "
        "face of each shot speaks; others stay as they are, also where it is gone.",
        examples=["s3://inputs/demo/astronaut.png"],
    )
    start_s: float | None = Field(
        default=None,
        ge=0,
        title="From",
        description="Second of the footage to begin at; left out: where a face is first seen.",
        examples=[None],
    )
    end_s: float | None = Field(
        default=None,
        gt=0,
        title="Until",
        description="Second of the footage to end at; left out: its end. The part is repeated as needed.",
        examples=[None],
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.end_s is not None and self.end_s - (self.start_s or 0) < MIN_PART_S:
            raise ValueError(f"end_s must lie at least {MIN_PART_S} s after start_s")
        return self


class VoiceSample(Part):
    """A voice to clone: the recording and what is said in it."""

    uri: Reference | None = Field(
        default=None,
        title="Voice sample",
        description="Recording of one voice, 1 to 30 seconds, as an object in the inputs bucket; for engines "
        "that can clone a voice.",
    )
    transcript: Annotated[Speakable, Field(max_length=MAX_TRANSCRIPT_CHARACTERS)] | None = Field(
        default=None,
        title="Words of the sample",
        description="What is said in the voice sample, word for word.",
        examples=["This is how I speak."],
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.uri is None) != (self.transcript is None):
            raise ValueError("uri and transcript are required together: a recording and the words said in it")
        return self


class Narration(Part):
    """A recording of the script in somebody's own voice, instead of an engine's."""

    uri: Reference | None = Field(
        default=None,
        title="Narration",
        description="Recording in which the script is read word for word, at most 20 minutes of sound or a "
        "clip with it, as an object in the inputs bucket; it is heard instead of a voice, "
        "in mono at 24 kHz. Without a script its words are recognised.",
    )


class Lexicon(Part):
    """How some words are said."""

    uri: Reference | None = Field(
        default=None,
        title="Lexicon",
        description="Words and how they are said: CSV with the columns word, ipa or say, language, or PLS "
        "1.0 (docs/voices.md), as an object in the inputs bucket.",
    )


BackgroundKind = Literal["original", "colour", "image", "video", "blur", "transparent"]
Container = Literal["mp4", "webm"]
Fit = Literal["person", "cover", "contain"]  # how the avatar fills the picture
Captions = Literal["none", "sidecar", "burned"]


class Behind(NamedTuple):
    """What holds of a kind of background, for every door; `media.background` paints it."""

    needs: tuple[str, ...] = ()  # fields of Background that it requires, and that kinds without need refuse
    cut_out: bool = True  # the person is cut out of the footage
    replaced: bool = True  # nothing of the footage's own surroundings shows: the person may stand elsewhere
    container: Container | None = None  # the only one that holds it


KINDS: Mapping[BackgroundKind, Behind] = {
    "original": Behind(cut_out=False, replaced=False),
    "colour": Behind(("colour",)),
    "image": Behind(("uri",)),
    "video": Behind(("uri",)),
    "blur": Behind(replaced=False),
    "transparent": Behind(container="webm"),
}


class Background(Part):
    """What is behind the person."""

    kind: BackgroundKind = Field(
        default="original",
        title="Background",
        description="original keeps the footage's own; transparent needs the container webm.",
    )
    colour: Colour | None = Field(
        default=None,
        title="Colour",
        description="For colour: red, green, blue as #rrggbb.",
        examples=["#1e293b"],
    )
    uri: Reference | None = Field(
        default=None,
        title="Picture or clip",
        description="For image and video: an object in the inputs bucket; a clip is looped.",
    )
    blur_strength: float = Field(
        default=0.5, ge=0, le=1, title="Blur strength", description="For blur: 0 sharp, 1 unrecognisable."
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        for field in dict.fromkeys(field for behind in KINDS.values() for field in behind.needs):
            kinds = [kind for kind, behind in KINDS.items() if field in behind.needs]
            if (self.kind in kinds) != (getattr(self, field) is not None):
                which = f"kind{'s' * (len(kinds) > 1)} {' and '.join(kinds)}"
                raise ValueError(f"{field} is required for the {which} and allowed for no other")
        return self

    @property
    def behind(self) -> Behind:
        """What holds of its kind."""
        return KINDS[self.kind]


class Output(Part):
    """The shape of the video."""

    aspect: Literal["16:9", "9:16", "1:1", "4:5", "source"] = Field(
        default="16:9",
        title="Aspect",
        description="source keeps the avatar's own; fit says how the others are filled.",
    )
    resolution: Literal["360p", "480p", "720p", "1080p", "1440p", "2160p"] = Field(
        default="720p",
        title="Resolution",
        description="Pixels of the shorter side: 720p is 1280 x 720 at 16:9 and 720 x 1280 at 9:16; 2160p is "
        "4K.",
    )
    fit: Fit | None = Field(
        default=None,
        title="Fit",
        description="person places the cut-out person with headroom; cover fills the picture and crops "
        "around the face; contain shows all of the avatar. Left out: person where the background is "
        "replaced, else cover.",
        examples=[None],
    )
    fps: Literal[24, 25, 30, 50, 60, "source"] = Field(
        default=25,
        title="Frames per second",
        description="Constant frame rate. source keeps the footage's own, from 12 to 60 (29.97 stays 29.97; "
        "faster footage is shown at a half or a quarter of its rate, slower at twice, an unusual rate at the "
        "nearest whole number; where it varies, that of most pictures; a note says so); a picture's is 25.",
    )
    container: Container = Field(
        default="mp4",
        title="Container",
        description="mp4: H.264 and AAC; webm: VP9 and Opus, may be transparent.",
    )
    ai_label: AiLabel | None = Field(
        default=None,
        title="Visible AI label",
        description="icon says so in a corner for 5 s at the start and every 30 s, icon_partial that it was "
        "partly made with AI, icon_deepfake that it is a deepfake; end_card adds 3 s at the end. In the "
        "request's language where it has a text. Left out: what the operator says for the caller.",
        examples=[None],
    )


class Engines(Part):
    """Which implementation does which stage; `avatarlab doctor` lists them."""

    speech: Name | None = Field(
        default=None,
        title="Speech engine",
        description="Text to speech; left out: the first installed one that has the language and voice, for "
        "American English hibari.",
        examples=[None],
    )
    lipsync: Name = Field(
        default="viseme_warp", title="Lip-sync engine", description="Speech to mouth movement."
    )
    matting: Name = Field(default="rvm_onnx", title="Matting engine", description="Person from background.")


class Motion(Part):
    """Liveliness added to the avatar."""

    blinks: bool = Field(default=True, title="Blinks", description="Blink at natural intervals.")
    head: bool = Field(default=True, title="Head motion", description="Move the head slightly.")


class AvatarRequest(Part):
    """One talking video. Only `script` and `avatar` are required, with a narration `avatar` alone."""

    script: Speakable | Annotated[list[Line], Field(min_length=1, max_length=MAX_LINES)] | None = Field(
        description=f"What is said: text of at most {MAX_SCRIPT_CHARACTERS} characters, or a list of lines "
        "with the pause after each. With a narration it may be left out or null: its words are recognised.",
        examples=["Hello and welcome. This is my first video.", [{"text": "Hello.", "pause_s": 0.8}]],
    )
    script_format: Literal["plain", "ssml"] = Field(
        default="plain",
        description="plain: as a person writes, Markdown and HTML are left out; ssml: with the elements of "
        "SSML 1.1 that docs/voices.md lists.",
    )
    avatar: Avatar = Field(description="The likeness.")
    language: Tag | None = Field(
        default=None,
        description="Language of the script, as a BCP 47 tag in any case; left out: the voice's, or the "
        "engine's first. A country or script that no voice has is spoken as the language, with a note.",
        examples=["en-US"],
    )
    voice: Name | None = Field(
        default=None,
        description="Voice of the speech engine; left out: the engine's first voice.",
        examples=[None],
    )
    voice_sample: VoiceSample = Field(default=VoiceSample(), description="A voice to clone.")
    narration: Narration = Field(default=Narration(), description="A recording of the script.")
    lexicon: Lexicon = Field(default=Lexicon(), description="How some words are said.")
    background: Background = Field(default=Background(), description="What is behind the person.")
    output: Output = Field(default=Output(), description="The shape of the video.")
    captions: Captions = Field(
        default="sidecar",
        description="sidecar adds .srt and .vtt files; burned also draws them into the picture.",
    )
    engines: Engines = Field(default=Engines(), description="Which implementation does which stage.")
    motion: Motion = Field(default=Motion(), description="Liveliness added to the avatar.")
    seed: int = Field(
        default=0,
        ge=0,
        le=2**32 - 1,
        strict=True,
        description="Same request and seed, same blinks and head motion.",
    )
    labels: dict[Name, Annotated[Plain, Field(max_length=200)]] = Field(
        default_factory=dict,
        max_length=20,
        description="Your own names and values, carried into the manifest; retention, "
        "as 30d or 12h, says how long the video is kept.",
        examples=[{"campaign": "spring"}],
    )
    idempotency_key: str | None = Field(
        default=None,
        pattern=KEY,
        description="The same key of the same caller gives the same video again, never a second one; with "
        "another request it is refused.",
        examples=["order-1042"],
    )

    deadline: Zoned | None = Field(
        default=None,
        exclude_if=_left_out,
        description="When the video should be made, with its time zone. Once the forecast goes beyond it, "
        "webhooks and metrics tell; nothing is cut short. The same request with another one moves it.",
        examples=["2027-01-29T18:00:00+01:00"],
    )

    @model_validator(mode="before")
    @classmethod
    def _nest(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        fields = nested(data)
        told = fields.get("narration")
        return {"script": None} | fields if isinstance(told, Mapping) and told.get("uri") else fields

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        kind, behind = self.background.kind, self.background.behind
        if behind.container not in (None, self.output.container):
            raise ValueError(
                f"background.kind {kind} needs output.container {behind.container}; "
                f"{self.output.container} carries no alpha"
            )
        if not behind.cut_out and self.output.fit == "person":
            raise ValueError(
                "output.fit person needs another background; the original one is shown with cover or contain"
            )
        if self.voice is not None and self.voice_sample.uri is not None:
            raise ValueError(
                "voice and voice_sample are both given; the sample is the voice, leave voice out"
            )
        if self.narration.uri is not None and (self.voice or self.voice_sample.uri):
            raise ValueError(
                "narration is the voice: leave voice and voice_sample out, or the narration to have it spoken"
            )
        retention_of(self.labels)
        if self.script is None:
            self._check_unwritten()
        elif not isinstance(self.script, str):
            total = sum(len(line.text) for line in self.script)
            if total > MAX_SCRIPT_CHARACTERS:
                raise PydanticCustomError(
                    "script_refused",
                    "script has {given} characters, at most {limit} are allowed; split it up",
                    {"given": total, "limit": MAX_SCRIPT_CHARACTERS},
                )
        return self

    def _check_unwritten(self) -> None:
        if self.narration.uri is None:
            raise PydanticCustomError(
                "script_refused", "script is null, which only a narration allows; write what is said"
            )
        if self.lexicon.uri is not None:
            raise ValueError("lexicon is about the words of a script: give the script, or leave it out")

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Self:
        """Check `data` against the contract.

        Raises RequestInvalid, or ScriptRefused or ReferenceRefused when nothing else is wrong, naming every
        field that breaks it.
        """
        try:
            return cls.model_validate(dict(data))
        except ValidationError as error:
            raise refusal(error) from error

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Like `parse`, from JSON text of at most a megabyte that gives each key once."""
        data = strict_json.loads(text)
        if not isinstance(data, dict):
            raise RequestInvalid("the request must be a JSON object with the fields of docs/request.md")
        return cls.parse(data)

    def check_deadline(self) -> None:
        """Raise RequestInvalid for a deadline that has passed: whose door this is may still choose another.

        Only doors ask: work that waited behind other work is done however late it is.
        """
        if self.deadline is not None and self.deadline <= datetime.now(UTC):
            raise RequestInvalid(f"deadline: {self.deadline.isoformat()} has passed; give a time to come")

    def canonical(self) -> dict[str, Any]:
        """The request as JSON values, every default written out."""
        return self.model_dump(mode="json")

    def digest(self) -> str:
        """sha256 of what is asked for, whatever the key it is asked under, and by when.

        Of what differs from the defaults, so that a field that a later version adds changes none before it.
        """
        body = self.model_dump(mode="json", exclude=set(OF_ONE_ORDER), exclude_defaults=True)
        return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()

    def repeats(self, body: Mapping[str, Any]) -> bool:
        """Whether this asks for what `body` did, canonical, perhaps of an earlier version."""
        try:
            return any(self.digest() == self.parse(meant).digest() for meant in _meanings(body))
        except InputError:
            return False  # what today's contract refuses is not what passed it now


def _meanings(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """A stored body, and what was left out of it where a default of its time was written in."""
    engines = body.get("engines", {})
    if "lexicon" in body or engines.get("speech") != "hibari":  # since lexicons the language says the engine
        return [body]
    return [body, {**body, "engines": {**engines, "speech": None}}]


def nested(data: Mapping[str, Any]) -> dict[str, Any]:
    """Turn `{"output.fps": 25}` into `{"output": {"fps": 25}}`. Raises ValueError for a field given twice.

    >>> nested({"seed": 1, "output.fps": 25})
    {'seed': 1, 'output': {'fps': 25}}
    """
    result: dict[str, Any] = {}
    for name, value in data.items():
        parent, dot, child = name.partition(".")
        if not dot:
            if name in result:
                raise ValueError(f"{name} is given both nested and with a dot; choose one")
            result[name] = value
            continue
        part = result.setdefault(parent, {})
        if parent in data or not isinstance(part, dict):
            raise ValueError(f"{parent} is given both nested and with a dot; choose one")
        part[child] = value
    return result
